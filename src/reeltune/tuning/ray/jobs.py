"""Jobs outside a search on Ray: an executor of :func:`reeltune.tuning.trial.jobs.run_jobs`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reeltune.errors import EngineError, ReeltuneError, first_line
from reeltune.tuning.mirror.nodes import data_for_jobs, node_data
from reeltune.tuning.study.folder import Study
from reeltune.tuning.trial.job import TrialJob
from reeltune.tuning.trial.jobs import Notify, Progress, train_folder, write_job

LOOK_SECONDS = 0.5
"""Between two looks at what running jobs have written."""


@dataclass(frozen=True)
class RayJobs:
    """Trains jobs of a study on a Ray cluster, or on a Ray of this machine, with the study's resources.

    A node that sees the job's folder trains in it. One that does not fetches the data from the study's
    storage, trains in a folder of its own and sends back what it wrote.
    """

    study: Study
    data_directory: Path
    address: str | None = None
    """``HOST:PORT`` of a cluster's head, or ``auto``; None for a Ray of this machine."""

    def run(self, jobs: Sequence[TrialJob], notify: Notify) -> None:
        """Train each job; see :class:`reeltune.tuning.trial.jobs.Executor`."""
        from reeltune.tuning.ray.cluster import ask_nodes
        from reeltune.tuning.ray.session import ray_session, stop_signals

        for job in jobs:
            write_job(job)
        ask = None if self.address is None else ask_nodes
        with (
            stop_signals() as is_asked_to_stop,
            ray_session(self.study.spec.study, self.address),
            data_for_jobs(self.study, self.data_directory, ask) as source,
        ):
            for _ in self._trained(jobs, source, notify):
                if is_asked_to_stop():
                    raise KeyboardInterrupt

    def _trained(self, jobs: Sequence[TrialJob], source: str, notify: Notify) -> Any:
        """Train ``jobs``, as many at once as the study runs trials; yield now and then."""
        import ray

        settings, progress = self.study.spec.study, Progress(jobs, notify)
        remote = ray.remote(
            num_cpus=settings.n_threads, num_gpus=settings.gpus_per_trial, max_retries=settings.n_restarts
        )(_train)
        waiting, running = list(jobs), dict[Any, TrialJob]()
        while waiting or running:
            while waiting and len(running) < settings.concurrency:
                job = waiting.pop(0)
                running[remote.remote(job.plain(), source)] = job
            ended, _ = ray.wait(list(running), timeout=LOOK_SECONDS)
            for reference in ended:
                job = running.pop(reference)
                _write_files(_get(reference, job), Path(job.directory))
                progress.look(Path(job.directory))
            for job in running.values():
                progress.look(Path(job.directory))
            yield


def _get(reference: Any, job: TrialJob) -> dict[str, bytes]:
    import ray

    try:
        files: dict[str, bytes] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ReeltuneError):
            raise error.cause from None
        raise EngineError(f"training {job.label} broke off: {first_line(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise EngineError(
            f"training {job.label} broke off: {first_line(error)}; run the command again to resume"
        ) from error
    return files


def _write_files(files: dict[str, bytes], directory: Path) -> None:
    # The result comes last: what has one is complete.
    for name in sorted(files, key=lambda name: name == "result.json"):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])


def _train(plain: dict[str, Any], source: str) -> dict[str, bytes]:
    """Runs on a node: train the job and return its files by name, none where its folder is seen."""
    job = TrialJob(**plain)
    data = node_data(job.data_directory, source)
    if (Path(job.directory) / "job.json").exists():
        train_folder(Path(job.directory), lambda _: None, data)
        return {}
    with tempfile.TemporaryDirectory(prefix="reeltune-job-") as scratch:
        write_job(replace(job, directory=scratch, study_directory=scratch, data_directory=data))
        train_folder(Path(scratch), lambda _: None)
        found = [path for path in Path(scratch).rglob("*") if path.is_file() and path.name != "job.json"]
        return {path.relative_to(scratch).as_posix(): path.read_bytes() for path in found}
