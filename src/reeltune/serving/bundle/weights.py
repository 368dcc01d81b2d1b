"""A network's tensors as safetensors, in float32 or with int8 matrices.

int8: each row of a matrix is divided by its largest absolute value over 127 and rounded; the row's
factor is kept beside it as ``NAME.scale``. Reading multiplies again, so scoring runs in float32. Biases,
normalisations and tables of side information stay as they are.

Shapes: R rows, C columns.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltune.errors import BundleError, first_line
from reeltune.models.base import Scorer, SequenceNetwork
from reeltune.models.baselines.fit import restore_baseline

WeightFormat = Literal["float32", "int8"]
"""How matrices are stored."""

SCALE = ".scale"
"""Ending of the name of a matrix's row factors."""


def write_weights(network: SequenceNetwork, path: Path, weight_format: WeightFormat = "float32") -> None:
    """Write the tensors of ``network`` to ``path``."""
    from safetensors.torch import save_file, save_model

    if weight_format == "int8":
        save_file(_quantised(network), str(path))
    else:
        save_model(network, str(path))


def read_weights(network: SequenceNetwork, path: Path, weight_format: WeightFormat = "float32") -> None:
    """Fill ``network`` with the tensors at ``path``."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file, load_model

    try:
        tensors = load_file(str(path))
        _check_tensors(tensors, network, path, weight_format)
        if weight_format == "int8":
            network.load_state_dict(_restored(tensors))
        else:
            load_model(network, str(path), strict=True)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise BundleError(f"{path} does not hold this network's weights: {first_line(error)}") from error


def _check_tensors(
    tensors: Mapping[str, Tensor], network: SequenceNetwork, path: Path, weight_format: WeightFormat
) -> None:
    """Raise BundleError where a tensor has another type than the network's, or is not finite."""
    own = network.state_dict()
    matrices = _matrices(network) if weight_format == "int8" else frozenset()
    for name, tensor in tensors.items():
        wanted = torch.int8 if name in matrices else own[name].dtype if name in own else torch.float32
        if tensor.dtype is not wanted:
            raise BundleError(f"{path}: {name} holds {tensor.dtype}, not {wanted}; export the bundle again")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise BundleError(f"{path}: {name} holds a number that is not finite; export the bundle again")


def write_baseline(tables: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write what a baseline counted to ``path``."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(table) for name, table in tables.items()}, str(path))


def read_baseline(model: Mapping[str, Any], path: Path) -> Scorer:
    """Return the baseline of the plain configuration ``model`` from its tables at ``path``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tables = load_file(str(path))
        for table, values in tables.items():
            # Padding, at 0, may be minus infinity: it is never listed.
            is_off = np.isnan(values) | np.isposinf(values)
            is_off[1:] |= np.isneginf(values[1:])
            if is_off.any():
                raise BundleError(
                    f"{path}: {table} holds a number that is not finite; export the bundle again"
                )
        return restore_baseline(model, tables)
    except (SafetensorError, ValueError, KeyError) as error:
        name = model.get("name")
        raise BundleError(f"{path} does not hold what the baseline {name} counted: {error}") from error


def as_stored(network: SequenceNetwork, weight_format: WeightFormat) -> SequenceNetwork:
    """Return the network that comes back from a file in that format; float32 changes nothing."""
    if weight_format == "float32":
        return network
    other = copy.deepcopy(network)
    other.load_state_dict(_restored(_quantised(network)))
    return other


def _matrices(network: SequenceNetwork) -> frozenset[str]:
    """Return the names of the tensors that are stored in int8."""
    return frozenset(name for name, parameter in network.named_parameters() if parameter.ndim == 2)


def _quantised(network: SequenceNetwork) -> dict[str, Tensor]:
    matrices = _matrices(network)
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        if name not in matrices:
            tensors[name] = tensor.contiguous()
            continue
        largest = tensor.abs().amax(dim=1)  # [R]
        scale = torch.where(largest > 0, largest / 127.0, torch.ones_like(largest))
        tensors[name] = (tensor / scale[:, None]).round().to(torch.int8)  # [R, C]
        tensors[name + SCALE] = scale
    return tensors


def _restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.float() * tensors[name + SCALE][:, None] if tensor.dtype is torch.int8 else tensor
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }
