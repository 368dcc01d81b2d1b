"""Checkpoints of tensors and plain values, and ranks: written whole or not at all, with a checksum inside."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from numpy.typing import NDArray
from pydantic import TypeAdapter

from reeltune.data.features.config import SideShapes
from reeltune.errors import StudyError
from reeltune.files import atomic_path, is_sealed, sealed
from reeltune.models.base import SequenceNetwork
from reeltune.models.baselines.base import Baseline
from reeltune.models.baselines.fit import restore_baseline
from reeltune.models.registry import AnyNetworkConfig, build_network, models_of

NETWORK_PREFIX = "network."


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write ``checkpoint`` to ``path``, atomically."""
    buffer = io.BytesIO()  # on a full disk torch.save raises a RuntimeError that does not say so
    torch.save(checkpoint, buffer)
    with atomic_path(path) as part:
        part.write_bytes(sealed(buffer.getvalue()))


class SealedCheckpoints(TorchCheckpointIO):
    """Lets Lightning write its checkpoints here too; its own way passes them through TMPDIR, unsealed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write ``checkpoint`` to ``path``, atomically."""
        write_checkpoint(Path(path), checkpoint)


def write_array(path: Path, values: NDArray[Any]) -> None:
    """Write ``values`` to the ``.npy`` file ``path``, atomically."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    with atomic_path(path) as part:
        part.write_bytes(sealed(buffer.getvalue()))


def read_ranks(path: Path) -> NDArray[np.int32]:
    """Return the ranks in the file ``path``, int32 [M], each 1 or more.

    Raises:
        StudyError: The file is absent or damaged.
    """
    try:
        data = path.read_bytes()
        is_sealed(data)
        ranks: NDArray[np.int32] = np.load(io.BytesIO(data), allow_pickle=False)
        if ranks.ndim != 1 or ranks.dtype.kind not in "iu" or ranks.size == 0 or ranks.min() < 1:
            raise ValueError(f"it holds {ranks.dtype} {list(ranks.shape)}, not ranks from 1 on")
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error) or "it is empty"
        raise StudyError(
            f"cannot read the ranks {path}: {reason}; restore the file from a copy, or train again"
        ) from error
    return ranks


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the checkpoint at ``path``, on the CPU; no code in it is run.

    Raises:
        StudyError: The file is absent, damaged or no checkpoint of reeltune.
    """
    try:
        data = path.read_bytes()
        if not is_sealed(data) and zipfile.is_zipfile(path):  # of an earlier version: the archive's own sums
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if archive.testzip() is not None:
                    raise ValueError("a sum of the archive does not fit")
        checkpoint = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except OSError as error:
        raise StudyError(
            f"cannot read the checkpoint {path}: {error.strerror or 'damaged'}; remove it and train again"
        ) from error
    except Exception as error:
        # PyTorch's reader raises whatever damaged bytes lead it to, an IndexError or a KeyError too; and
        # it advises to run the code in a file that is none of its own, which is not passed on.
        reason = "it is damaged or no checkpoint"
        raise StudyError(f"cannot read the checkpoint {path}: {reason}; remove it and train again") from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "hyper_parameters"} <= checkpoint.keys():
        raise StudyError(f"{path} is no checkpoint of reeltune: it holds no state_dict and hyper_parameters")
    return checkpoint


def load_network(path: Path) -> SequenceNetwork:
    """Return the network of the checkpoint at ``path``, ready to score (without dropout).

    Raises:
        StudyError: The file is absent, damaged or no checkpoint of reeltune.
    """
    checkpoint = read_checkpoint(path)
    hyper_parameters = checkpoint["hyper_parameters"]
    name = hyper_parameters["model"]["name"]
    if "head" in hyper_parameters:
        raise StudyError(
            f"{path} predicts ratings, this needs a network that ranks movies; choose another study"
        )
    if name in models_of("baseline"):
        raise StudyError(f"{path} holds the baseline {name}, this needs a network; choose a trial of one")
    config = TypeAdapter(AnyNetworkConfig).validate_python(hyper_parameters["model"])
    with torch.random.fork_rng(devices=[]):
        shapes = SideShapes.model_validate(hyper_parameters.get("side") or {})
        network = build_network(config, hyper_parameters["n_items"], shapes)
    weights = checkpoint["state_dict"]
    network.load_state_dict({name.removeprefix(NETWORK_PREFIX): w for name, w in weights.items()})
    return network.eval()


def load_model(path: Path) -> SequenceNetwork | Baseline:
    """Return the network or baseline of the checkpoint at ``path``, ready to score.

    Raises:
        StudyError: The file is absent, damaged or no checkpoint of reeltune.
    """
    checkpoint = read_checkpoint(path)
    plain = checkpoint["hyper_parameters"]["model"]
    if plain["name"] not in models_of("baseline"):
        return load_network(path)
    try:
        return restore_baseline(plain, {k: table.numpy() for k, table in checkpoint["state_dict"].items()})
    except (KeyError, ValueError) as error:
        raise StudyError(f"{path} does not hold the baseline {plain['name']}: {error}") from error
