"""From a study to a bundle: of its best trial, or of a baseline fitted to its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import TuningData
from reeltune.data.store import open_side
from reeltune.errors import StudyError, UserError
from reeltune.evaluation.final import read_evaluation
from reeltune.evaluation.studies import Notify, check_task, open_study_data, protocol, selected_trial, silent
from reeltune.files import write_text
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.base import SequenceNetwork
from reeltune.models.baselines.base import BaselineConfig
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.registry import MODELS, is_network, model_entry
from reeltune.report.cards import CardFacts, data_section, make_card
from reeltune.report.tradeoff import TradeOff, read_trade_off
from reeltune.seeding import derive
from reeltune.serving.bundle.bundle import BundleParts, check_target, export_bundle
from reeltune.serving.bundle.onnx_model import has_small_matrix, is_onnx_wanted, write_proved_onnx
from reeltune.serving.bundle.vocabulary import movie_facts
from reeltune.serving.bundle.weights import as_stored
from reeltune.training.checkpoint import load_network, read_checkpoint
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.search.population import schedule
from reeltune.tuning.study.folder import Study

_GIT_ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in ("*.safetensors", "*.onnx", "*.ckpt")
)
"""Files that the Hub keeps in its store of large files."""


def export_study(
    study_dir: Path,
    out: Path,
    *,
    trial: int | None = None,
    force: bool = False,
    with_onnx: bool | None = None,
    is_int8: bool = False,
    is_hub: bool = False,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Path:
    """Write the bundle ``out`` and return its path.

    Without ``trial`` it holds what ``evaluate`` evaluated, and before any evaluation the
    trial with the best validation objective. ``with_onnx`` None writes ``model.onnx`` where its packages are
    installed; before the bundle appears, ONNX Runtime is shown to give the same answers as PyTorch.
    ``is_int8`` stores matrices in int8 and measures what it costs; the checkpoint stays behind. ``is_hub``
    writes what the Hugging Face Hub reads: a header on the card, and .gitattributes.

    Raises:
        UserError: ONNX was asked for and its packages are not installed.
        StudyError: No study, no such trial, or its weights are gone.
        BundleError: ``out`` exists and may not be replaced.
    """
    check_target(out, force)
    has_onnx = is_onnx_wanted(with_onnx)
    study = Study.open(study_dir)
    check_task(study)
    evaluation = read_evaluation(study_dir)
    row = selected_trial(study, evaluation.trial if evaluation is not None and trial is None else trial)
    checkpoint = study.trial_directory(row.number) / BEST_CHECKPOINT
    if evaluation is not None:
        if trial is None:
            checkpoint = study_dir / evaluation.checkpoint
        elif checkpoint != study_dir / evaluation.checkpoint:
            evaluation = None
    name = row.config["model"]["name"]
    if not is_network(name):
        if is_int8 or is_hub:
            raise UserError("a baseline has no int8 or hub form; leave those options out")
        config: Any = MODELS[name].config_class.model_validate(row.config["model"])
        return export_baseline(
            study_dir, out, config, seed=derive(row.seed, "weights"),
            force=force, with_onnx=with_onnx, data_dir=data_dir, notify=notify,
        )  # fmt: skip
    if not checkpoint.is_file():
        raise StudyError(
            f"the weights of trial {row.number} are gone ({checkpoint}): a study keeps those of its "
            f"{study.spec.study.keep_checkpoints} best trials; export one of them"
        )
    is_own = checkpoint.parent == study.trial_directory(row.number)
    # Of a checkpoint trained again from another seed, the study keeps the objective alone.
    validation = row.metrics if is_own or evaluation is None else {study.objective: evaluation.validation}
    prepared, data = open_study_data(study, data_dir=data_dir, notify=notify)
    trained = load_network(checkpoint)
    network = as_stored(trained, "int8" if is_int8 else "float32")
    compression = _compression(trained, network, data) if is_int8 else None
    trade_off = read_trade_off(study_dir)
    if trade_off is not None and trade_off.trial != row.number:
        notify(f"without tuned re-ranking: it was measured for trial {trade_off.trial}")
        trade_off = None
    segments = schedule({other.number: other for other in study.rows()}, row.number)
    facts = CardFacts(
        study=study.name,
        question=study.spec.question,
        trial=row.number,
        model=network.config.plain(),
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        objective=study.objective,
        validation=validation,
        n_trials=len(study.rows()),
        ledger=study.ledger,
        evaluation=evaluation,
        examples=(data.catalogue.titles[0].strip(), data.catalogue.titles[1].strip()),
        compression=compression,
        trade_off=trade_off,
        schedule=segments,
    )
    notes = {"compression": compression, "schedule": segments}
    parts = BundleParts(
        network=network,
        training=read_checkpoint(checkpoint)["hyper_parameters"]["training"],
        catalogue=data.catalogue,
        ledger=study.ledger,
        metrics={
            "study": study.name,
            "trial": row.number,
            "validation": dict(validation),
            "test": None if evaluation is None else evaluation.plain(),
            "protocol": protocol(study),
        },
        card=(_hub_header(facts) if is_hub else "") + make_card(facts),
        checkpoint=None if is_int8 else checkpoint,
        facts=movie_facts(data, open_side(prepared)),
        weight_format="int8" if is_int8 else "float32",
        reranking=None if trade_off is None else _reranking(trade_off),
        notes={name: note for name, note in notes.items() if note},
    )
    if not has_onnx and with_onnx is None:
        notify('without ONNX: install it with pip install "reeltune[onnx]"')

    def extras(folder: Path) -> None:
        if is_hub:
            write_text(folder / ".gitattributes", _GIT_ATTRIBUTES)
        if has_onnx:
            write_proved_onnx(network, network, folder)

    return export_bundle(parts, out, force=force, extras=extras)


def _hub_header(facts: CardFacts) -> str:
    """Return what the Hugging Face Hub reads of a card: a header of YAML, its figures as a ``model-index``.

    The licence is left as ``other``: whoever publishes decides, within the licence of the data.
    """
    dataset, model = facts.ledger.dataset, str(facts.model["name"])
    split, values = "validation", dict(facts.validation)
    if facts.evaluation is not None:
        split = "test"
        values = {label: figure.value for label, figure in facts.evaluation.metrics.items()}
    result = {
        "task": {"type": "recommendation", "name": "next movie"},
        "dataset": {"type": dataset, "name": dataset, "split": split},
        "metrics": [{"type": label, "value": round(value, 6)} for label, value in values.items()],
    }
    header: dict[str, Any] = {
        "library_name": "reeltune",
        "license": "other",
        "license_name": "see-data-and-protocol",
        "tags": ["recommendation", "sequential-recommendation", "movies", model, "onnx"],
        "datasets": [dataset],
        "metrics": list(values),
        "model-index": [{"name": f"{model}-{dataset}", "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n"


def _compression(network: SequenceNetwork, stored: SequenceNetwork, data: TuningData) -> dict[str, Any]:
    """Return the validation metrics of ``network``, of what is ``stored`` of it in int8, and their change."""
    queries = query_features(network.side.config, data, data.validation)
    before, after = rank_queries(network, queries), rank_queries(stored, queries)
    own, kept = ranking_metrics(before), ranking_metrics(after)
    return {
        "weights": "int8",
        "n_queries": len(before),
        "float32": own,
        "stored": kept,
        "change": {label: kept[label] - own[label] for label in own},
        "share_of_ranks_moved": float(np.mean(before != after)),
    }


def _reranking(trade_off: TradeOff) -> dict[str, Any]:
    return {
        "weights": trade_off.joint,
        "popularity_among": trade_off.popularity_among,
        "split": "validation",
        "n_people": trade_off.n_people,
        "tolerance": trade_off.tolerance,
        "as_scored": trade_off.plain_point().figures(),
        "tuned": trade_off.joint_point().figures(),
    }


def export_baseline(
    study_dir: Path,
    out: Path,
    model: str | BaselineConfig,
    *,
    seed: int | None = None,
    force: bool = False,
    with_onnx: bool | None = None,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Path:
    """Write the baseline ``model``, fitted to what precedes the study's validation, as the bundle ``out``.

    A baseline that is linear in the history also becomes an ONNX graph, its matrices inside; ``with_onnx``
    None leaves it out where it cannot be. ``seed`` is the study's where None.
    """
    name = model if isinstance(model, str) else model.name
    model_entry(name, "baseline")
    check_target(out, force)
    has_onnx = is_onnx_wanted(with_onnx)
    study = Study.open(study_dir)
    prepared, data = open_study_data(study, data_dir=data_dir, notify=notify)
    notify(f"fitting the baseline {name}")
    baseline = fit_to_data(model, data, seed=study.spec.study.seed if seed is None else seed)
    ranks = rank_queries(baseline, data.validation)
    figures = ranking_metrics(ranks)
    lines = "\n".join(f"| {label.upper()} | {value:.4f} |" for label, value in figures.items())
    ledger = study.ledger
    card = (
        f"# Baseline {name}, fitted to {ledger.dataset}\n\n"
        f"It ranks {ledger.n_items:,} movies without a recurrent network. Use it as a bundle of a "
        "network: `reeltune recommend DIR --liked TITLE`.\n\n"
        f"On validation ({len(ranks):,} queries, split {ledger.split}, whole catalogue ranked):\n\n"
        f"| metric | value |\n|---|---|\n{lines}\n\n{data_section(ledger)}\n"
    )
    parts = BundleParts(
        network=baseline,
        training={},
        catalogue=data.catalogue,
        ledger=ledger,
        metrics={"study": study.name, "validation": figures, "test": None, "protocol": protocol(study)},
        card=card,
        facts=movie_facts(data, open_side(prepared)),
    )
    form = baseline.linear() if has_onnx else None
    if with_onnx and form is None:
        raise UserError(
            f"the baseline {name} is not linear in the history, so it has no ONNX graph; leave --onnx out"
        )
    if form is not None and with_onnx is None and not has_small_matrix(form):
        notify(f"without ONNX: a matrix over {form.n_items:,} movies is too large for its graph")
        form = None

    def extras(folder: Path) -> None:
        if form is not None:
            write_proved_onnx(baseline, form, folder)

    return export_bundle(parts, out, force=force, extras=extras)
