"""From a study to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reeltune.errors import StudyError
from reeltune.evaluation.final import Evaluation, read_evaluation
from reeltune.evaluation.studies import Notify, open_study_data, protocol, selected_trial, silent
from reeltune.serving.bundle import BundleParts, check_target, export_bundle
from reeltune.serving.card import CardFacts, make_card
from reeltune.training.checkpoint import load_network, read_checkpoint
from reeltune.tuning.rows import TrialRow
from reeltune.tuning.study import Study

__all__ = ["export_study"]


def export_study(
    study_dir: Path,
    out: Path,
    *,
    trial: int | None = None,
    force: bool = False,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Path:
    """Write the bundle ``out`` and return its path.

    Without ``trial`` it holds what ``evaluate`` evaluated, and before any evaluation the
    trial with the best validation objective.

    Raises:
        StudyError: No study, no such trial, or its weights are gone.
        BundleError: ``out`` exists and may not be replaced.
    """
    check_target(out, force)
    study = Study.open(study_dir)
    evaluation = read_evaluation(study_dir)
    if evaluation is not None and trial is None:
        row = selected_trial(study, evaluation.trial)
        checkpoint = study_dir / evaluation.checkpoint
    else:
        row = selected_trial(study, trial)
        checkpoint = study.trial_directory(row.number) / "best.ckpt"
        if evaluation is not None and checkpoint != study_dir / evaluation.checkpoint:
            evaluation = None
    if not checkpoint.is_file():
        raise StudyError(
            f"the weights of trial {row.number} are gone ({checkpoint}): a study keeps those of its "
            f"{study.spec.study.keep_checkpoints} best trials; export one of them"
        )
    _, data = open_study_data(study, data_dir=data_dir, notify=notify)
    network = load_network(checkpoint)
    facts = CardFacts(
        study=study.name,
        question=study.spec.question,
        trial=row.number,
        model=network.config.plain(),
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        objective=study.objective,
        validation=row.metrics,
        n_trials=len(study.rows()),
        ledger=study.ledger,
        evaluation=evaluation,
        examples=(data.catalogue.titles[0].strip(), data.catalogue.titles[1].strip()),
    )
    parts = BundleParts(
        network=network,
        training=read_checkpoint(checkpoint)["hyper_parameters"]["training"],
        catalogue=data.catalogue,
        ledger=study.ledger,
        metrics=_metrics(study, row, evaluation),
        card=make_card(facts),
        checkpoint=checkpoint,
    )
    return export_bundle(parts, out, force=force)


def _metrics(study: Study, row: TrialRow, evaluation: Evaluation | None) -> dict[str, Any]:
    return {
        "study": study.name,
        "trial": row.number,
        "validation": row.metrics,
        "test": None if evaluation is None else evaluation.plain(),
        "protocol": protocol(study),
    }
