"""A bundle: weights and JSON in one folder, enough to recommend without the study.

::

    manifest.json         format, schema version, SHA-256 and size of every other file
    weights.safetensors   the network's tensors; config.json says whether matrices are int8
    config.json           the network's and the training configuration
    vocabulary.json       ids, titles, years, genres, credits and popularity by item code
    ledger.json           data fingerprint, split and everything else behind the figures
    metrics.json          validation and test figures
    README.md             the model card
    model.ckpt            the Lightning checkpoint, to train further (weights-only loadable)
    reranking.json        weights of re-ranking tuned on validation, where they were measured
    model.onnx            the network for ONNX Runtime, where it was asked for, and
    parity.json           how its answers compared with PyTorch's at export

Nothing in it is unpickled on loading. Checksums show damage, not malice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reeltune.data.features.config import SideShapes
from reeltune.data.prepared import Catalogue, Ledger
from reeltune.errors import BundleError, UserError, first_line
from reeltune.files import write_json, write_text
from reeltune.models.base import Scorer, SequenceNetwork, as_network
from reeltune.models.baselines.base import Baseline
from reeltune.models.registry import AnyNetworkConfig, build_network, is_network, models_of
from reeltune.serving.bundle.manifest import (
    atomic_folder,
    is_bundle,
    make_manifest,
    read_bundle_json,
    verify_bundle,
)
from reeltune.serving.bundle.reranking import Reranking
from reeltune.serving.bundle.vocabulary import NO_FACTS, MovieFacts, read_vocabulary, write_vocabulary
from reeltune.serving.bundle.weights import (
    WeightFormat,
    read_baseline,
    read_weights,
    write_baseline,
    write_weights,
)
from reeltune.version import __version__


@dataclass(frozen=True)
class BundleParts:
    """What goes into a bundle."""

    network: SequenceNetwork | Baseline
    training: dict[str, Any]  # plain training configuration
    catalogue: Catalogue
    ledger: Ledger
    metrics: dict[str, Any]
    card: str  # Markdown
    checkpoint: Path | None = None  # Lightning checkpoint to take along
    facts: MovieFacts = NO_FACTS
    weight_format: WeightFormat = "float32"
    notes: dict[str, Any] = field(default_factory=dict)  # taken into the manifest
    reranking: dict[str, Any] | None = None  # tuned "weights" by name, and what they cost and bring


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked."""

    directory: Path
    scorer: Scorer  # a network in evaluation mode, or a baseline
    catalogue: Catalogue
    ledger: Ledger
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    model: dict[str, Any]  # plain configuration of the network or baseline
    facts: MovieFacts = NO_FACTS
    tuned: Reranking | None = None  # weights of re-ranking that were tuned on validation

    @property
    def network(self) -> SequenceNetwork:
        """The network."""
        network = as_network(self.scorer)
        if network is None:
            raise BundleError(f"{self.directory} holds a baseline, no network; export a trial for this")
        return network


def export_bundle(
    parts: BundleParts,
    out: Path,
    *,
    force: bool = False,
    extras: Callable[[Path], None] | None = None,
) -> Path:
    """Write ``parts`` as the bundle ``out`` and return its path; the folder appears whole or not at all.

    ``extras`` is called with the unfinished folder, to add files before the manifest is made.
    """
    check_target(out, force)
    with atomic_folder(out) as folder:
        write_json(folder / "config.json", _write_model(parts, folder / "weights.safetensors"))
        write_vocabulary(folder / "vocabulary.json", parts.catalogue, parts.facts)
        write_json(folder / "ledger.json", parts.ledger.plain())
        write_json(folder / "metrics.json", parts.metrics)
        write_text(folder / "README.md", parts.card)
        if parts.reranking is not None:
            write_json(folder / "reranking.json", parts.reranking)
        if parts.checkpoint is not None:
            shutil.copyfile(parts.checkpoint, folder / "model.ckpt")
        if extras is not None:
            extras(folder)
        write_json(folder / "manifest.json", make_manifest(folder) | parts.notes)
    return out


def check_target(out: Path, force: bool) -> None:
    """Check that a bundle may be written to ``out``.

    Raises:
        BundleError: ``out`` exists and is not a bundle, or is one and ``force`` is off.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not is_bundle(out):
        raise BundleError(f"{out} exists and is no reeltune bundle; choose another --out")
    if not force:
        raise BundleError(f"{out} holds a bundle already; choose another --out or replace it with --force")


def load_bundle(directory: Path) -> Bundle:
    """Return the bundle in ``directory`` after checking every file against the manifest.

    Raises:
        BundleError: The folder is absent, foreign, damaged or from a newer version; the message
            names the file.
    """
    manifest = verify_bundle(directory)
    config = read_bundle_json(directory / "config.json")
    path = directory / "vocabulary.json"
    catalogue, facts = read_vocabulary(path, read_bundle_json(path))
    try:
        name, n_items = str(config["model"]["name"]), int(config["n_items"])
        ledger = Ledger.model_validate(read_bundle_json(directory / "ledger.json"))
        if catalogue.n_items != n_items:
            raise BundleError(f"{path} lists {catalogue.n_items} movies, the model knows {n_items}")
        network = None if name in models_of("baseline") else _unfilled(config, n_items)
    except (ValidationError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else first_line(error)
        raise BundleError(
            f"{directory}/config.json or ledger.json cannot be used by reeltune {__version__}: {problem}"
        ) from error
    weights = directory / "weights.safetensors"
    scorer: Scorer
    if network is None:
        scorer = read_baseline(config["model"], weights)
    else:
        read_weights(network, weights, config.get("weights", "float32"))
        scorer = network.eval()
    metrics = read_bundle_json(directory / "metrics.json")
    tuned = _tuned(directory / "reranking.json") if "reranking.json" in manifest["files"] else None
    return Bundle(directory, scorer, catalogue, ledger, metrics, manifest, config["model"], facts, tuned)


def _write_model(parts: BundleParts, path: Path) -> dict[str, Any]:
    """Write what the model learned to ``path`` and return its configuration."""
    model: Any = parts.network
    if not is_network(model.config.name):
        write_baseline(model.tables(), path)
        return {"model": model.config.plain(), "training": parts.training, "n_items": model.n_items}
    write_weights(model, path, parts.weight_format)
    return {
        "model": model.config.plain(),
        "training": parts.training,
        "n_items": model.n_items,
        "side": model.side.shapes.plain(),
        "weights": parts.weight_format,
    }


def _unfilled(config: dict[str, Any], n_items: int) -> SequenceNetwork:
    TypeAdapter[WeightFormat](WeightFormat).validate_python(config.get("weights", "float32"))
    model = TypeAdapter[Any](AnyNetworkConfig).validate_python(config["model"])
    return build_network(model, n_items, SideShapes.model_validate(config.get("side", {})))


def _tuned(path: Path) -> Reranking:
    try:
        read = read_bundle_json(path)
        return Reranking(**read["weights"], popularity_among=read.get("popularity_among", "catalogue"))
    except (UserError, KeyError, TypeError) as error:
        raise BundleError(f"{path} holds no weights of re-ranking: {error}; export again") from error
