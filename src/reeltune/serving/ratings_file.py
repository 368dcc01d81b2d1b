"""Ratings that a person exported elsewhere: Letterboxd, IMDb, or a plain CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reeltune.errors import DataError

__all__ = ["FORMS", "RatingsForm", "read_ratings"]


@dataclass(frozen=True)
class RatingsForm:
    """The columns of one kind of export."""

    title: str
    year: str
    rating: str
    date: str
    stars: float = 1.0  # stars a point of the rating


FORMS: dict[str, RatingsForm] = {
    "letterboxd": RatingsForm("Name", "Year", "Rating", "Date"),
    # IMDb rates from 1 to 10.
    "imdb": RatingsForm("Title", "Year", "Your Rating", "Date Rated", stars=0.5),
    "plain": RatingsForm("title", "year", "rating", "date"),
}
"""The kinds of export by name; a file is the first kind whose title column it has."""


def read_ratings(path: Path) -> list[str | tuple[str, float]]:
    """Return the movies of a CSV by title with year, the oldest first, with their stars where rated.

    Columns: Letterboxd's ``Name, Year, Rating, Date``, IMDb's ``Title, Year, Your Rating, Date Rated``, or
    ``title`` with optional ``year``, ``rating`` (0.5 to 5) and ``date`` (as text that sorts).

    Raises:
        DataError: The file cannot be read, has no such columns, or a rating is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {path}: {reason}; give a CSV file in UTF-8") from error
    form = next((form for form in FORMS.values() if form.title in columns), None)
    if form is None:
        wanted = ", ".join(sorted({form.title for form in FORMS.values()}))
        raise DataError(f"{path} has no column of titles ({wanted}); its columns: {', '.join(columns)}")
    if form.date in columns:
        rows.sort(key=lambda row: row[form.date] or "")
    return [_entry(row, form, f"{path}:{line}") for line, row in enumerate(rows, start=2) if row[form.title]]


def _entry(row: Mapping[str, str | None], form: RatingsForm, where: str) -> str | tuple[str, float]:
    title = (row[form.title] or "").strip()
    year = (row.get(form.year) or "").strip()
    rating = (row.get(form.rating) or "").strip()
    name = f"{title} ({year})" if year else title
    if not rating:
        return name
    try:
        return name, float(rating) * form.stars
    except ValueError:
        raise DataError(f"{where}: the rating of {title!r} is {rating!r}, not a number") from None
