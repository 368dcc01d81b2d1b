"""Columns of a table as ids, numbers and ratings; a value that does not fit names its line.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Ids
from reeltune.data.readers.delimited import as_number, shorten
from reeltune.errors import DataError

UNPRINTABLE = r"[\x00-\x1f\x7f]"
"""Pattern of what no id may hold."""

_FIELD_LIMIT_BYTES = 1 << 20  # a longer field is damage


def text_ids(values: Any) -> Ids:
    """Return a pyarrow array of strings as ids: an object array whose equal entries share one object."""
    found = values.dictionary_encode()
    names = np.empty(len(found.dictionary), dtype=object)
    names[:] = found.dictionary.to_pylist()
    ids: Ids = names[found.indices.to_numpy()]
    return ids


@dataclass(frozen=True)
class Rows:
    """The wanted columns of some consecutive rows as what they stand for."""

    where: Callable[[int], str]
    """Names the line of a row of the table, counted from 0."""
    used: Mapping[str, str]
    """What the columns hold, and their name in the file."""
    strings: Mapping[str, Any]
    """pyarrow arrays of text, or of the kind asked for, by what they hold, [N]."""
    first_row: int = 0
    """How many rows of the table come before."""

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return len(next(iter(self.strings.values())))

    def ids(self, what: str) -> Ids:
        """Return a column of ids, [N]."""
        import pyarrow.compute as pc

        strings = self.strings[what]
        is_empty = self._mask(pc.equal(strings, ""))
        if is_empty.any():
            raise self.error(is_empty, f"{self.used[what]} is empty; an id is needed")
        is_off = self._mask(pc.match_substring_regex(strings, UNPRINTABLE))
        if is_off.any():
            raise self.wrong(is_off, what, "be printable: no line end, tab or zero byte")
        return text_ids(strings)

    def numbers(self, what: str, *, is_whole: bool = False) -> NDArray[np.float64]:
        """Return a column as numbers, [N], NaN where a field is empty."""
        import pyarrow as pa
        import pyarrow.compute as pc

        strings = self.strings[what]
        is_empty = pc.equal(strings, "")
        try:
            known = pc.if_else(is_empty, None, strings)
            values: NDArray[np.float64] = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            is_off = np.array([bool(text) and as_number(text) is None for text in strings.to_pylist()])
            raise self.wrong(is_off, what, "be a number with a decimal point, such as 4.5") from None
        is_off = ~np.isfinite(values)
        if is_whole:
            is_off |= values != np.floor(values)
        is_off &= ~self._mask(is_empty)
        if is_off.any():
            raise self.wrong(is_off, what, "be a whole number" if is_whole else "be a finite number")
        return values

    def inside(self, what: str, low: float, high: float, absent: float | None = None) -> NDArray[Any]:
        """Return a column that was read as numbers of a kind, [N].

        ``absent`` stands for an empty field; None where a field may not be empty.
        """
        values = self.strings[what]
        if values.null_count:
            if absent is None:
                raise self.wrong(self._mask(values.is_null()), what, "be a number")
            values = values.fill_null(absent)
        # pyarrow's own to_numpy would load pandas.
        array = np.frombuffer(values.buffers()[1], dtype=str(values.type).replace("float", "float32"))
        array = array[values.offset :][: len(values)].copy()
        is_off = ~((array >= low) & (array <= high)) & (True if absent is None else array != absent)
        if is_off.any():
            raise self.wrong(is_off, what, f"lie in {low:g} to {high:g}")
        return array

    def ratings(self, what: str, lowest: float, highest: float, remedy: str) -> NDArray[np.float32]:
        """Return a column of ratings, [N], NaN where a field is empty."""
        values = self.numbers(what)
        is_off = (values < lowest) | (values > highest)
        if is_off.any():
            raise self.wrong(is_off, what, f"lie in {lowest:g} to {highest:g}; {remedy}")
        return values.astype(np.float32)

    def check_lengths(self) -> None:
        """Raise DataError where a field is too long to be true."""
        import pyarrow.compute as pc

        for what, strings in self.strings.items():
            if str(strings.type) != "large_string":
                continue
            lengths = pc.binary_length(strings).to_numpy(zero_copy_only=False)
            if lengths.max(initial=0) > _FIELD_LIMIT_BYTES:
                message = f"{lengths.max():,} bytes; at most {_FIELD_LIMIT_BYTES:,} are read"
                raise self.error(lengths > _FIELD_LIMIT_BYTES, f"{self.used[what]} has {message}")

    def wrong(self, is_off: NDArray[np.bool_], what: str, must: str) -> DataError:
        """Return the error for the first row of the mask ``is_off`` [N]: its field ``what`` does not fit."""
        value = self.strings[what][int(np.flatnonzero(is_off)[0])].as_py()
        shown = "is empty" if value in {"", None} else f"is {shorten(str(value))}"
        return self.error(is_off, f"{self.used[what]} {shown}; it must {must}")

    def error(self, is_off: NDArray[np.bool_], message: str) -> DataError:
        """Return the error for the first row of the mask ``is_off`` [N], with its line."""
        row = int(np.flatnonzero(is_off)[0])
        return DataError(f"{self.where(self.first_row + row)}: {message}")

    @staticmethod
    def _mask(values: Any) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
        return mask
