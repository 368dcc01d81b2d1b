"""From a study's data to the bundle of a baseline: the same recommender, no training."""

from __future__ import annotations

from pathlib import Path

from reeltune.data.store import open_side
from reeltune.errors import UserError
from reeltune.evaluation.leaderboard import FIGURES
from reeltune.evaluation.studies import Notify, open_study_data, protocol, silent
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import per_query
from reeltune.models.baselines.base import BaselineConfig
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.registry import model_entry
from reeltune.report.cards import data_section
from reeltune.serving.bundle.bundle import BundleParts, FittedBaseline, check_target, export_bundle
from reeltune.serving.bundle.onnx_model import has_small_matrix, is_onnx_wanted, write_proved_onnx
from reeltune.serving.bundle.vocabulary import movie_facts
from reeltune.tuning.study.folder import Study

__all__ = ["export_baseline"]


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
    figures = {label: float(per_query(ranks, label).mean()) for label in FIGURES}
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
        network=FittedBaseline(baseline.config.plain(), data.n_items, baseline.tables()),
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
