"""Many texts as two flat arrays, so that they can be memory-mapped and picked in bulk.

Shapes: N texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """Texts by position; an empty text stands for none.

    >>> texts = Texts.of(["good", "", "bad"])
    >>> texts[0], len(texts), list(texts.select(np.array([2, 0])))
    ('good', 3, ['bad', 'good'])
    """

    data: NDArray[np.uint8]  # UTF-8 of all texts, one after another, and one closing zero byte
    offsets: NDArray[np.int64]  # [N+1] text i is data[offsets[i]:offsets[i+1]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Return ``texts`` as flat arrays."""
        import pyarrow as pa

        return cls.of_arrow(pa.array(list(texts), pa.large_string()))

    @classmethod
    def of_arrow(cls, texts: Any) -> Texts:
        """Return a pyarrow array of strings, or one of chunks, as flat arrays; nulls become empty."""
        import pyarrow as pa

        if isinstance(texts, pa.ChunkedArray):
            texts = texts.cast(pa.large_string()).combine_chunks()
        texts = texts.cast(pa.large_string()).fill_null("")
        _, offset_buffer, data_buffer = texts.buffers()
        first = texts.offset
        offsets = np.frombuffer(offset_buffer, np.int64)[first : first + len(texts) + 1].copy()
        used = b"" if data_buffer is None else memoryview(data_buffer)[offsets[0] : offsets[-1]]
        data = np.zeros(len(used) + 1, np.uint8)  # the closing byte: an empty file cannot be mapped
        data[:-1] = np.frombuffer(used, np.uint8)
        return cls(data, offsets - offsets[0])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        start, stop = self.offsets[index : index + 2].tolist()
        return self.data[start:stop].tobytes().decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    @property
    def is_present(self) -> NDArray[np.bool_]:
        """Which texts are not empty, shape [N]."""
        return np.diff(self.offsets) > 0

    def select(self, which: NDArray[Any]) -> Texts:
        """Return the texts at ``which``: positions, or a mask of shape [N]."""
        import pyarrow as pa

        array = pa.LargeStringArray.from_buffers(
            len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data)
        )
        rows = np.flatnonzero(which) if which.dtype == bool else which
        return Texts.of_arrow(array.take(pa.array(rows)))
