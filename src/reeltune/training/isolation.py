"""What one training may take of its process, and gives back."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["isolated"]


@contextmanager
def isolated(n_threads: int) -> Iterator[None]:
    """Give a training its own threads and random stream, and the process its memory back."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads_before)
        # A worker that runs trial after trial grows without both: Lightning leaves cycles, and
        # glibc keeps the freed arenas.
        gc.collect()
        _trim_heap()


def _trim_heap() -> None:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # not glibc
