"""Times of a table: ISO 8601 is recognised, numbers have a unit, and a span that makes no sense is refused.

Shapes: N rows.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltune.data.readers.values import Rows

PER_UNIT = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "days": 86_400.0}
"""Seconds of each unit that numbers may have."""

_LAST_SECOND = 2**33  # the year 2242
_DAY = 86_400
_JANUARY_1970 = 31 * _DAY
_FIRST_LIKELY = 315_532_800  # 1980-01-01; nobody rated movies for a computer before
_ISO = re.compile(r"\d{4}-\d\d")
_SUCH_AS = "be a time such as 2019-06-30, 2019-06-30 18:00:00 or 2019-06-30T18:00:00+02:00"


def seconds_of(
    rows: Rows,
    what: str,
    unit: str,
    *,
    may_be_absent: bool = False,
    remedy: str = "time_unit sets the unit",
) -> NDArray[np.int64]:
    """Return a column of times as whole seconds since 1970, [N]; -1 where a field is empty.

    Text that begins like ``2019-06`` is read as ISO 8601, in UTC where it names no zone; anything else
    must be numbers of ``unit``.

    ``unit`` is one of :data:`PER_UNIT`; ``day`` allows ISO 8601 only, and empty fields. ``remedy`` ends the
    message about numbers of another unit.
    """
    first = next((text for value in rows.strings[what] if (text := value.as_py())), "")
    if unit == "day" or _ISO.match(first):
        seconds = _of_iso(rows, what)
    else:
        values = rows.numbers(what, is_whole=True)
        is_off = (values < 0) | (values * PER_UNIT[unit] > _LAST_SECOND)
        if is_off.any():
            raise rows.wrong(is_off, what, f"be {unit} since 1970, not negative; {remedy}")
        per_second = round(1 / PER_UNIT[unit])
        whole = np.nan_to_num(values, nan=-1.0)
        seconds = (whole * _DAY if unit == "days" else whole // max(per_second, 1)).astype(np.int64)
        seconds[np.isnan(values)] = -1
    is_empty = seconds < 0
    if is_empty.any() and not (may_be_absent or unit == "day"):
        raise rows.wrong(is_empty, what, f"be {unit} since 1970, or ISO 8601")
    return seconds


def check_span(rows: Rows, what: str, unit: str, seconds: NDArray[np.int64]) -> None:
    """Refuse times that all lie in January 1970 or after today."""
    known = seconds[seconds >= 0]
    if not len(known):
        return
    today = time.time() + _DAY  # the day has begun elsewhere
    low, high = int(known.min()), int(known.max())
    if high >= _JANUARY_1970 and low <= today:
        return
    when = "in January 1970" if high < _JANUARY_1970 else "after today"
    number = low / PER_UNIT.get(unit, 1.0), high / PER_UNIT.get(unit, 1.0)
    likely = [
        name
        for name, size in PER_UNIT.items()
        if name != unit and number[0] * size >= _FIRST_LIKELY and number[1] * size <= today
    ]
    remedy = (
        f"are these {likely[0]}? Set time_unit: {likely[0]}"
        if likely
        else ("set time_unit: order if these numbers only order the rows of a user")
    )
    raise rows.error(seconds >= 0, f"{rows.used[what]}: all times lie {when} when read as {unit}; {remedy}")


def _of_iso(rows: Rows, what: str) -> NDArray[np.int64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = rows.strings[what].dictionary_encode()
    texts = codes.dictionary
    try:
        known = pc.if_else(pc.equal(texts, ""), None, texts)
        seconds = _cast(known)
    except pa.ArrowInvalid:
        found = [_second(text) for text in texts.to_pylist()]
        has_zone = {zone for second, zone in found if zone is not None and second is not None}
        if len(has_zone) > 1:
            first = next(zone for _, zone in found if zone is not None)
            is_other = np.array([zone is not None and zone != first for _, zone in found])
            raise rows.wrong(
                is_other[codes.indices.to_numpy()], what, "name its zone, or none of the times may"
            ) from None
        is_off = np.array([second is None for second, _ in found])[codes.indices.to_numpy()]
        if is_off.any():
            raise rows.wrong(is_off, what, _SUCH_AS) from None
        seconds = np.array([second for second, _ in found], dtype=np.int64)
    every: NDArray[np.int64] = seconds[codes.indices.to_numpy()]
    is_off = (every < 0) & pc.not_equal(rows.strings[what], "").to_numpy(zero_copy_only=False)
    if is_off.any():
        raise rows.wrong(is_off, what, "not lie before 1970")
    return every


def _cast(texts: Any) -> NDArray[np.int64]:
    """Return ISO 8601 texts as seconds, all with a zone or all without; -1 where null."""
    import pyarrow as pa

    try:
        times = texts.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        times = texts.cast(pa.timestamp("ns", "UTC"))
    seconds = times.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    whole: NDArray[np.int64] = seconds // 10**9
    return whole


def _second(text: str) -> tuple[int | None, bool | None]:
    """Return the second that ``text`` names and whether it has a zone; None where it is no time."""
    if not text:
        return -1, None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, None
    has_zone = moment.tzinfo is not None
    return int((moment if has_zone else moment.replace(tzinfo=UTC)).timestamp() // 1), has_zone
