"""What this machine has, and how many trials it runs at once."""

from __future__ import annotations

import os
from dataclasses import dataclass

from reeltune.tuning.study.spec import StudySettings


@dataclass(frozen=True)
class Machine:
    """Cores that this process may use, and accelerators."""

    n_cores: int
    n_gpus: int

    def trials_at_once(self, settings: StudySettings) -> int:
        """Return how many trials of a study fit, at least 1 and at most ``lag`` and one.

        With ``lag`` set to None timing decides what is found, so the number does not follow the machine: 2.
        """
        if settings.lag is None:
            return 2
        n_fit = self.n_cores // settings.n_threads
        if settings.gpus_per_trial > 0:
            n_fit = min(n_fit, int(self.n_gpus / settings.gpus_per_trial))
        return max(min(n_fit, settings.lag + 1), 1)

    def describe(self, settings: StudySettings) -> str:
        """Return in one line what there is and what a study uses of it.

        >>> Machine(2, 0).describe(StudySettings(concurrency=2))
        '2 cores, no GPU: 2 trials at once with a thread each'
        >>> Machine(8, 1).describe(StudySettings(concurrency=1))
        '8 cores, 1 GPU: 1 trial at once with a thread; the GPU is unused: --set study.gpus_per_trial=1'
        """
        gpus = f"{self.n_gpus} GPU{'s' * (self.n_gpus > 1)}" if self.n_gpus else "no GPU"
        cores = f"{self.n_cores} core{'s' * (self.n_cores > 1)}"
        threads = "a thread" if settings.n_threads == 1 else f"{settings.n_threads} threads"
        n_trials = settings.concurrency
        used = f"{n_trials} trial{'s' * (n_trials > 1)} at once with {threads}{' each' * (n_trials > 1)}"
        if self.n_gpus and settings.gpus_per_trial == 0:
            used += "; the GPU is unused: --set study.gpus_per_trial=1"
        elif self.n_gpus:
            used += f" and {settings.gpus_per_trial:g} GPU"
        return f"{cores}, {gpus}: {used}"


def this_machine() -> Machine:
    """Return what this process may use of its machine."""
    import torch

    has_affinity = hasattr(os, "sched_getaffinity")
    n_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return Machine(n_cores, torch.cuda.device_count() if torch.cuda.is_available() else 0)
