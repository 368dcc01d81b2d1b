"""The selected configuration trained again from other seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reeltune.data.prepared import TuningData
from reeltune.errors import StudyError
from reeltune.evaluation.studies import Notify
from reeltune.files import read_json, write_json
from reeltune.seeding import derive
from reeltune.tuning.rows import EpochReport, TrialRow, TrialState
from reeltune.tuning.study import Study

__all__ = ["Candidate", "retrain"]


@dataclass(frozen=True)
class Candidate:
    """A checkpoint of the selected configuration."""

    checkpoint: Path
    seed: int
    validation: float  # objective at its best epoch
    is_retrained: bool  # rather than the trial's own

    def path_within(self, study_dir: Path) -> str:
        """Return the checkpoint's path within the study."""
        return self.checkpoint.relative_to(study_dir).as_posix()


def retrain(
    study: Study,
    selected: TrialRow,
    data: TuningData,
    *,
    n_seeds: int,
    notify: Notify,
) -> list[Candidate]:
    """Return one checkpoint a seed, in ``final/seed-K`` of the study; what is there already is kept.

    A killed call goes on from the last epoch. No scheduler stops these: each runs until its
    own early stopping ends it. One that diverges is told and left out.
    """
    candidates = []
    for k in range(1, n_seeds + 1):
        seed = derive(study.spec.study.seed, selected.config, "final", k)
        directory = study.directory / "final" / f"trial-{selected.number:05d}" / f"seed-{k}"
        value = _stored(directory, seed)
        if value is None:
            value = _train(study, selected, data, seed=seed, directory=directory, name=f"{k} of {n_seeds}",
                           notify=notify)  # fmt: skip
        if value is not None:
            candidates.append(Candidate(directory / "best.ckpt", seed, value, is_retrained=True))
    return candidates


def _train(
    study: Study,
    selected: TrialRow,
    data: TuningData,
    *,
    seed: int,
    directory: Path,
    name: str,
    notify: Notify,
) -> float | None:
    """Return the objective after training from ``seed``; None when it diverged."""
    from reeltune.tuning.trial import TrialConfig, run_trial

    config = TrialConfig.model_validate(selected.config)

    def tell(epoch: EpochReport) -> None:
        notify(
            f"final seed {name}: epoch {epoch.epoch} of {config.training.max_epochs}, "
            f"{study.objective} {epoch.metrics[study.objective]:.4f}, best {epoch.best:.4f}"
        )

    result = run_trial(config, data, tell, directory=directory, seed=seed)
    if result.state is not TrialState.COMPLETE:
        notify(f"final seed {name} {result.state}: {result.reason}; left out")
        return None
    value = result.metrics[study.objective]
    write_json(directory / "result.json", {"seed": seed, "value": value, "metrics": result.metrics})
    (directory / "last.ckpt").unlink(missing_ok=True)
    return value


def _stored(directory: Path, seed: int) -> float | None:
    path = directory / "result.json"
    if not path.exists():
        return None
    try:
        result = read_json(path)
        return float(result["value"]) if result["seed"] == seed else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{path} is damaged: {error!r}; remove its folder to train that seed again"
        ) from error
