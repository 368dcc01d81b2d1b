"""Ratings that a person exported elsewhere: Letterboxd, IMDb, or a plain CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reeltune.errors import DataError

__all__ = ["FORMS", "RatingsForm", "read_ratings"]

MIN_STARS, MAX_STARS = 0.5, 5.0
"""The scale that ratings are brought to."""

Row = Mapping[str, str | None]


@dataclass(frozen=True)
class RatingsForm:
    """The columns of one kind of export."""

    title: str
    year: str
    rating: str
    dates: tuple[str, ...]  # the first one that is filled counts
    stars: float = 1.0  # stars a point of the rating


FORMS: dict[str, RatingsForm] = {
    "letterboxd": RatingsForm("Name", "Year", "Rating", ("Watched Date", "Date")),
    # IMDb rates from 1 to 10.
    "imdb": RatingsForm("Title", "Year", "Your Rating", ("Date Rated",), stars=0.5),
    "plain": RatingsForm("title", "year", "rating", ("date",)),
}
"""The kinds of export by name; a file is the first kind whose title column it has."""


def read_ratings(path: Path) -> list[str | tuple[str, float]]:
    """Return the movies of a CSV by title with year, the oldest first, with their stars where rated.

    Columns: Letterboxd's ``Name, Year, Rating, Date`` (and ``Watched Date``, which goes before), IMDb's
    ``Title, Year, Your Rating, Date Rated``, or ``title`` with optional ``year``, ``rating`` (0.5 to 5) and
    ``date``. A date is ISO 8601 (2024-03-01, with or without a time) or seconds since 1970. Rows without
    one come first; rows of one date keep their order.

    Raises:
        DataError: The file cannot be read, has no such columns, or a rating or date cannot be used.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows: list[tuple[int, Row]] = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {path}: {reason}; give a CSV file in UTF-8") from error
    form = next((form for form in FORMS.values() if form.title in columns), None)
    if form is None:
        wanted = ", ".join(sorted({form.title for form in FORMS.values()}))
        raise DataError(f"{path} has no column of titles ({wanted}); its columns: {', '.join(columns)}")
    dated = [(_seconds(row, form, f"{path}:{line}"), line, row) for line, row in rows if row[form.title]]
    dated.sort(key=lambda entry: entry[0])
    return [_entry(row, form, f"{path}:{line}") for _, line, row in dated]


def _seconds(row: Row, form: RatingsForm, where: str) -> float:
    """Return when a row was dated, in seconds since 1970; minus infinity where it has no date."""
    for name in form.dates:
        text = (row.get(name) or "").strip()
        if not text:
            continue
        try:
            if text.isdecimal() and len(text) != len("20240301"):
                return float(text)
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            raise DataError(
                f"{where}: the {name} {text!r} is no date; write it like 2024-03-01, or leave the column out "
                "where the rows stand oldest first"
            ) from None
    return -math.inf


def _entry(row: Row, form: RatingsForm, where: str) -> str | tuple[str, float]:
    title = (row[form.title] or "").strip()
    year = (row.get(form.year) or "").strip()
    rating = (row.get(form.rating) or "").strip()
    name = f"{title} ({year})" if year else title
    if not rating:
        return name
    try:
        stars = float(rating) * form.stars
    except ValueError:
        raise DataError(f"{where}: the rating of {title!r} is {rating!r}, not a number") from None
    if not MIN_STARS <= stars <= MAX_STARS:
        low, high = MIN_STARS / form.stars, MAX_STARS / form.stars
        raise DataError(f"{where}: the rating of {title!r} is {rating}; it goes from {low:g} to {high:g}")
    return name, stars
