"""Trains one configuration without an engine, through the code that trials run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reeltune.errors import StudyError
from reeltune.files import append_line, read_json, write_json
from reeltune.locks import folder_lock
from reeltune.metrics.registry import parse_metric
from reeltune.seeding import derive
from reeltune.training.epochs import LAST_CHECKPOINT, EpochReport
from reeltune.tuning.records.reader import damaged, read_epochs
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.space.search_space import flatten
from reeltune.tuning.trial.config import RatingTrialConfig, TrialConfig
from reeltune.tuning.trial.job import TrialJob, run_job


def train_single(
    config: TrialConfig | RatingTrialConfig,
    data_directory: Path,
    directory: Path,
    *,
    seed: int,
    n_threads: int = 1,
    logging: dict[str, object] | None = None,
    report: Callable[[EpochReport], None] = lambda _: None,
) -> TrialRow:
    """Train ``config`` in the folder ``directory`` and return how it ended; an interrupted training goes on.

    The folder receives ``trial.json``, ``epochs.jsonl``, ``best.ckpt``, ``validation_ranks.npy`` and,
    until the end, ``last.ckpt``. ``report`` hears each epoch once, also over interruptions.

    Raises:
        StudyError: The folder holds a training of another configuration, or another process trains there.
        EngineError: The disk is full or not writable.
    """
    with folder_lock(directory):
        row = _row(config, directory, seed, str(data_directory))
        if row.state.is_finished:
            return row
        epochs = read_epochs(directory / "epochs.jsonl")

        def record(epoch: EpochReport) -> None:
            if epoch.epoch == len(epochs) + 1:
                append_line(directory / "epochs.jsonl", epoch.plain())
                epochs.append(epoch)
                report(epoch)

        job = TrialJob(
            number=0,
            seed=seed,
            params=flatten(config.plain()),
            config=config.plain(),
            directory=str(directory),
            data_directory=str(data_directory),
            study=directory.name,
            study_id=f"{derive(seed, str(directory)):016x}"[:8],
            study_directory=str(directory),
            n_threads=n_threads,
            logging=dict(logging or {}),
        )
        result = run_job(job, record)
        objective = parse_metric(config.objective)
        is_max = objective.higher_is_better
        row = row.ended(result.state, result.reason, epochs, objective.label, is_max=is_max)
        row = replace(row, n_parameters=result.n_parameters)
        write_json(directory / "trial.json", row.plain())
        (directory / LAST_CHECKPOINT).unlink(missing_ok=True)
        return row


def _row(config: TrialConfig | RatingTrialConfig, directory: Path, seed: int, data: str) -> TrialRow:
    path = directory / "trial.json"
    wanted = flatten(config.plain()) | {"seed": seed, "data": Path(data).name}
    if path.exists():
        try:
            row = TrialRow.from_plain(read_json(path))
            there = flatten(row.config) | {"seed": row.seed, "data": row.params["data"]}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise damaged(path, error, "remove its folder to train again") from error
        for name, value in wanted.items():
            if there.get(name) != value:
                raise StudyError(
                    f"{directory} holds a training with {name} = {there.get(name)!r}, now it is {value!r}; "
                    "choose another --out"
                )
        return row
    row = TrialRow(0, TrialState.RUNNING, "", {"data": Path(data).name}, config.plain(), seed)
    write_json(path, row.plain())
    return row
