"""Rotten Tomatoes critic reviews: the critic is the user.

``rt.reviews.tsv.gz`` holds ``id review rating fresh critic top_critic publisher date``,
``rt.movie_info.tsv.gz`` what is known of the movies, both tab-separated latin-1.

Shapes: N rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from reeltune.data.interactions import Interactions, Movies, RawDataset
from reeltune.data.readers.delimited import decode, records, shorten
from reeltune.data.sources.source import FileSet
from reeltune.data.texts import Texts
from reeltune.errors import DataError

REVIEWS = "rt.reviews.tsv.gz"
MOVIES = "rt.movie_info.tsv.gz"
_REVIEW_FIELDS = ("id", "review", "rating", "fresh", "critic", "date")
_MOVIE_FIELDS = ("id", "synopsis", "genre", "director", "theater_date")
_FRACTION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*/\s*(\d+(?:\.\d*)?)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_GRADES = ("F", "D-", "D", "D+", "C-", "C", "C+", "B-", "B", "B+", "A-", "A", "A+")
_FIRST_DAY = datetime(1970, 1, 1).toordinal()
_UNKNOWN_DAY = datetime(1800, 1, 1).toordinal() - _FIRST_DAY
_VERDICTS = {"fresh": 1, "rotten": 0, "": -1}


def stars_of(score: str) -> float:
    """Return a critic's score on the scale of 0.5 to 5 stars; NaN where its scale is unknown.

    A score is read as a share of its scale, and the stars are five times the share, at least 0.5:

    * a fraction ``a/b`` is the share a / b (``3/5``, ``2.5/4``); one above 1 is unknown;
    * a percentage ``85%`` is the share 0.85;
    * a letter grade is its place on the twelve equal steps from F (0) to A+ (1);
    * anything else is unknown, also a bare number: it does not say its scale.

    >>> stars_of("3/5"), stars_of("C+"), stars_of("85%"), stars_of("0/4"), stars_of("8.5")
    (3.0, 2.5, 4.25, 0.5, nan)
    """
    text = score.strip()
    share = float("nan")
    if match := _FRACTION.fullmatch(text):
        value, limit = float(match[1]), float(match[2])
        if limit > 0 and value <= limit:
            share = value / limit
    elif match := _PERCENT.fullmatch(text):
        if float(match[1]) <= 100:
            share = float(match[1]) / 100
    elif text.upper() in _GRADES:
        share = _GRADES.index(text.upper()) / (len(_GRADES) - 1)
    return share if np.isnan(share) else max(0.5, 5.0 * share)


def read_rotten_tomatoes(files: FileSet) -> RawDataset:
    """Return the reviews; rows without a critic are left out and counted."""
    user, item, review, scores, verdicts, days = [], [], [], [], [], []
    n_nameless = 0
    for where, row in _records(files, REVIEWS, _REVIEW_FIELDS):
        if not row["id"]:
            raise DataError(f"{where}: id is empty; an id is needed")
        if row["fresh"] not in _VERDICTS:
            raise DataError(f"{where}: fresh is {shorten(row['fresh'])}; it must be fresh, rotten or empty")
        if not row["critic"]:
            n_nameless += 1
            continue
        user.append(row["critic"])
        item.append(row["id"])
        review.append(row["review"])
        scores.append(row["rating"])
        verdicts.append(_VERDICTS[row["fresh"]])
        days.append(_day_of(row["date"], where))
    stars = {score: stars_of(score) for score in set(scores)}
    ratings = np.array([stars[score] for score in scores], dtype=np.float32)
    n_scored = sum(bool(score.strip()) for score in scores)
    day = np.array(days, dtype=np.int64)
    n_unread = n_scored - int((~np.isnan(ratings)).sum())
    interactions = Interactions(
        user=np.array(user, dtype=object),
        item=np.array(item, dtype=object),
        rating=ratings,
        timestamp=np.where(day >= 0, day * 86_400, -1),
        rank=day,  # keeps the order of the days before 1970, which no timestamp can say
        review=Texts.of(review),
        label=np.array(verdicts, dtype=np.int8),
    )
    return RawDataset(
        interactions,
        _movies(files),
        notes=(
            f"{n_nameless:,} rows without a critic left out",
            f"{len(scores) - n_scored:,} rows without a score, {n_unread:,} with a score of unknown scale: "
            "their rating is unknown",
            f"{(day == _UNKNOWN_DAY).sum():,} rows of an unknown day (1800), "
            f"{((day < 0) & (day != _UNKNOWN_DAY)).sum():,} of a day before 1970: "
            "no timestamp, ordered before all others",
        ),
    )


def _records(files: FileSet, name: str, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    label = files.label(name)
    return records(decode(files.read(name), label, "latin-1"), label, needed, delimiter="\t")


def _day_of(text: str, where: str) -> int:
    """Return a day in words as the number of days since 1970, negative before."""
    try:
        return datetime.strptime(text.strip(), "%B %d, %Y").toordinal() - _FIRST_DAY
    except ValueError:
        raise DataError(
            f"{where}: the date is {shorten(text)}; it must be a day such as May 23, 2018"
        ) from None


def _movies(files: FileSet) -> Movies | None:
    """Return genres, year, directors and plot; the source has no titles, so the id is the title."""
    if not files.has(MOVIES):
        return None
    found = _records(files, MOVIES, _MOVIE_FIELDS)
    table = sorted(tuple(row[name] for name in _MOVIE_FIELDS) for _, row in found)
    years = [re.search(r"\d{4}", row[4]) for row in table]
    return Movies(
        ids=tuple(row[0] for row in table),
        titles=tuple(row[0] for row in table),
        years=tuple(int(year[0]) if year else 0 for year in years),
        genres=tuple(_parts(row[2]) for row in table),
        directors=tuple(_parts(row[3]) for row in table),
        plots=tuple(row[1] for row in table),
    )


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())
