"""Guesses what the columns of a user's own table hold, from its header and first rows."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from reeltune.errors import DataError

N_ROWS = 20_000
"""Rows that are looked at."""

NAMES = {
    "user": ("user", "userid", "uid", "viewer", "viewerid", "customer", "customerid", "member", "who"),
    "item": ("item", "itemid", "movie", "movieid", "film", "filmid", "show", "asin", "product", "what"),
    "rating": ("rating", "stars", "score", "overall", "ratings"),
    "timestamp": ("timestamp", "time", "date", "datetime", "when", "watchedat", "watcheddate", "ratedat"),
    "title": ("title", "movietitle", "filmtitle"),
    "year": ("year", "releaseyear"),
    "genres": ("genres", "genre"),
}
"""Headings of each kind of column, small letters and digits alone."""

UNITS = ((1e14, "microseconds"), (1e11, "milliseconds"), (1e8, "seconds"), (3e3, "days"))
"""Least size of a time since 1970 in each unit, from 1973 on; days from 1978 on."""


def guess_columns(path: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of ``data.columns`` that the CSV file ``path`` seems to need.

    Args:
        path: The file, plain or gzipped, with a header.
        given: Columns that are known, by what they hold.

    Raises:
        DataError: The file cannot be read as CSV, or no column looks like users or movies.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            delimiter = max(",;\t|", key=head.count)
            heads = next(csv.reader([head], delimiter=delimiter), [])
            rows = list(islice(csv.DictReader(stream, heads, delimiter=delimiter), N_ROWS))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as CSV in UTF-8 ({error}); write the experiment by hand"
        ) from error
    found: dict[str, Any] = dict(given)
    for kind, names in NAMES.items():
        plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(heads)}
        name = next((plain[known] for known in names if known in plain), None)
        if name is not None and kind not in found:
            found[kind] = name
    if "item" not in found and "title" in found:
        found["item"] = found["title"]
    for kind in ("user", "item"):
        if found.get(kind) not in heads:
            raise DataError(
                f"{path}: no column looks like the {kind}s; the header has {', '.join(heads)}; "
                f"name it: --{kind} COLUMN"
            )
    if delimiter != ",":
        found["delimiter"] = delimiter
    if "timestamp" in found:
        found["time_unit"] = _time_unit([row[found["timestamp"]] or "" for row in rows])
    if "rating" in found:
        found |= _scale([row[found["rating"]] or "" for row in rows])
    return found


def _numbers(texts: Sequence[str]) -> list[float] | None:
    """Return the numbers in ``texts``, empty ones left out; None where one is no number."""
    try:
        return [float(text) for text in texts if text.strip()]
    except ValueError:
        return None


def _time_unit(texts: Sequence[str]) -> str:
    numbers = _numbers(texts)
    if numbers is None:
        return "day" if all(re.fullmatch(r"\d{4}-\d\d-\d\d", text) for text in texts if text) else "seconds"
    middle = sorted(numbers)[len(numbers) // 2] if numbers else 0.0
    return next((unit for least, unit in UNITS if middle >= least), "order")


def _scale(texts: Sequence[str]) -> dict[str, float]:
    """Return ends and step of the narrowest common scale that holds the ratings."""
    numbers = _numbers(texts) or [5.0]
    low, high = min(numbers), max(numbers)
    highest = next((end for end in (5.0, 10.0, 100.0) if high <= end), high)
    lowest = min(low, 0.5 if any(number % 1 for number in numbers) else 1.0)
    return {"lowest_rating": float(lowest), "highest_rating": float(highest)}
