"""What one user saw, as Letterboxd, IMDb or Netflix export it, or as a plain CSV; also inside a zip.

A form is recognised by its whole header, without regard to case and spaces. What a form does not know is
refused rather than dropped: a rating that is not read changes every recommendation in silence.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path, PurePosixPath

from reeltune.data.readers.delimited import as_number, decode, rows, shorten
from reeltune.data.scale import RatingScale
from reeltune.errors import DataError

MAX_EXPORT_BYTES = 64 << 20
"""Largest table that is read, unpacked; one user has no more."""

_MOVIES = {
    *("movie", "featurefilm", "tvmovie", "video", "short", "tvshort", "tvspecial", "documentary"),
    *("film", "musicvideo"),
}
"""Kinds of IMDb's ``Title Type`` that are movies: no games, series and episodes."""

_EPISODE = re.compile(
    r": (season|series|part|volume|chapter|book|episode|limited series|staffel|saison|temporada|stagione)\b",
    re.IGNORECASE,
)
"""How Netflix writes an episode: "Fargo: Season 1: The Rooster Prince"."""


@dataclass(frozen=True)
class ExportForm:
    """The columns of one kind of export, lower case without spaces."""

    name: str
    required: tuple[set[str], ...]  # a header is of this form if it has one of each
    title: tuple[str, ...]  # the first one that is filled counts; so with the year and the dates
    year: tuple[str, ...] = ()
    ratings: tuple[tuple[str, float], ...] = ()
    """Columns of ratings with the stars that a point is worth, 0 where they are on the bundle's scale; the
    first one that is there counts."""
    dates: tuple[str, ...] = ()
    kind: str = ""  # column that says what a title is
    is_open: bool = True  # whether other columns may stand beside those that are known
    is_seen_unrated: bool = True  # whether a row without a rating was seen

    @property
    def known(self) -> set[str]:
        """All columns that are read."""
        rated = (column for column, _ in self.ratings)
        return {*self.title, *self.year, *self.dates, self.kind, *rated} - {""}


FORMS = (
    ExportForm(
        "Letterboxd's export",
        ({"name"}, {"year"}, {"letterboxduri", "date", "watcheddate"}),
        ("name",), ("year",), (("rating", 1.0),), ("watcheddate", "date"),
    ),
    ExportForm(
        "IMDb's ratings",
        ({"const"}, {"title"}, {"yourrating", "yourated", "yourated10"}),
        ("title",), ("year",), (("yourrating", 0.5), ("yourated", 0.5)), ("daterated", "created"),
        kind="titletype", is_seen_unrated=False,
    ),
    ExportForm(
        "Letterboxd's form for imports",
        ({"title"}, {"watcheddate", "rating10", "letterboxduri", "tmdbid", "imdbid", "directors"}),
        ("title",), ("year",), (("rating", 1.0), ("rating10", 0.5)), ("watcheddate",),
    ),
    ExportForm(
        "Netflix's viewing activity",
        ({"title"}, {"starttime"}, {"profilename"}),
        ("title",), (), (), ("starttime",), kind="supplementalvideotype",
    ),
    ExportForm(
        "a plain table",
        ({"title", "movie", "film", "name"},),
        ("title", "movie", "film", "name"), ("year", "releaseyear"), (("rating", 0.0), ("stars", 1.0)),
        ("date", "dateseen", "watched", "timestamp"), is_open=False,
    ),
)  # fmt: skip
"""The kinds of export; a file is of the first one whose columns it has."""


@dataclass(frozen=True)
class Export:
    """The movies that one user saw, the oldest first."""

    watched: list[str | tuple[str, float]]
    """Titles with year, with their ratings on the scale that was asked for."""
    notes: list[str] = field(default_factory=list)
    """What was read as what, and what was left out."""


@dataclass
class _Seen:
    title: str
    rating: float | None
    seconds: float


def read_export_file(path: Path, scale: RatingScale) -> Export:
    """Return what the file ``path`` says; see :func:`read_export`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_EXPORT_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give a CSV file or a zip") from error
    return read_export(data, str(path), scale)


def read_export(data: bytes, label: str, scale: RatingScale) -> Export:
    """Return the movies of a CSV or zip, the oldest first, with their ratings where rated.

    A date is ISO 8601 (2024-03-01, with or without a time), seconds since 1970, or as the service writes
    it. Rows without one come first. Rows of one date keep their order, which is turned where the file
    begins with the newest. Ratings come back on ``scale``, which is also that of a plain table.
    """
    if len(data) > MAX_EXPORT_BYTES:
        raise DataError(f"{label} is larger than {MAX_EXPORT_BYTES >> 20} MB; an export of one user is not")
    notes: list[str] = []
    if data.startswith(b"PK\x03\x04"):
        seen = _merged([list(_table(part, name, scale, notes)) for name, part in _members(data, label)])
    else:
        seen = list(_table(data, label, scale, notes))
    seen.sort(key=lambda movie: movie.seconds)
    return Export([m.title if m.rating is None else (m.title, m.rating) for m in seen], notes)


def _members(data: bytes, label: str) -> list[tuple[str, bytes]]:
    """Return name and content of the tables in a zip that say what was seen."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [info.filename for info in archive.infolist() if info.filename.lower().endswith(".csv")]
            by_place = {PurePosixPath(name.lower()): name for name in names}
            top = min((len(place.parts) for place in by_place), default=1)
            wanted = [
                name
                for file in ("diary.csv", "ratings.csv", "watched.csv")  # Letterboxd's, the fullest first
                for place, name in by_place.items()
                if place.name == file and len(place.parts) == top  # deeper ones are of what was deleted
            ]
            wanted = wanted or [name for name in names if PurePosixPath(name).name == "ViewingActivity.csv"]
            if not wanted and len(names) == 1:
                wanted = names
            if not wanted:
                held = ", ".join(names[:5]) or "no CSV"
                raise DataError(f"{label} holds {held}; give the zip of Letterboxd or Netflix, or one CSV")
            parts = []
            for name in wanted:
                with archive.open(name) as file:
                    parts.append((f"{label}/{name}", file.read(MAX_EXPORT_BYTES + 1)))
                if len(parts[-1][1]) > MAX_EXPORT_BYTES:
                    raise DataError(f"{label}/{name} is larger than {MAX_EXPORT_BYTES >> 20} MB unpacked")
            return parts
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise DataError(f"{label} cannot be unpacked: {error}; download it again") from error


def _merged(tables: Sequence[list[_Seen]]) -> list[_Seen]:
    """Return each movie once: as it stands in the first table, with a rating of the others."""
    found: dict[str, _Seen] = {}
    for table in tables:
        for movie in table:
            known = found.setdefault(movie.title, movie)
            known.rating = movie.rating if known.rating is None else known.rating
    return list(found.values())


def _table(data: bytes, label: str, scale: RatingScale, notes: list[str]) -> Iterator[_Seen]:
    text = decode(data, label)
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = rows(text, label, delimiter=delimiter)
    _, header = next(lines, (1, []))
    form, columns = _recognised(header, label, notes)
    records = [
        (f"{label}:{line}", dict(zip(columns, map(str.strip, fields), strict=True))) for line, fields in lines
    ]
    rating = next(((c, worth) for c, worth in form.ratings if c in columns), None)
    profiles = {record.get("profilename", "") for _, record in records}
    if len(profiles) > 1:
        raise DataError(f"{label} holds the profiles {', '.join(sorted(profiles))}; leave the rows of one")
    left_out: Counter[str] = Counter()
    dated = _dates(records, form)
    is_newest_first = len(set(dated)) > 1 and all(a >= b for a, b in pairwise(dated))
    order = list(zip(records, dated, strict=True))
    for (where, record), seconds in reversed(order) if is_newest_first else order:
        title, year = _first(record, form.title), _first(record, form.year)
        given = record[rating[0]] if rating else ""
        if reason := _reason(title, given, record, form):
            left_out[reason] += 1
            continue
        stars = None
        if given and rating:
            stars = _rating(given, rating[1], scale, f"{where}: the rating of {shorten(title)}")
        if year and not title.endswith(f"({year})"):
            title = f"{title} ({year})"
        yield _Seen(title, stars, seconds)
    if left_out:
        notes.append(f"{label}: left out " + ", ".join(f"{n} ({what})" for what, n in left_out.most_common()))


def _first(record: dict[str, str], names: Sequence[str]) -> str:
    """Return the first of the fields ``names`` that is filled."""
    return next((record[name] for name in names if record.get(name)), "")


def _plain_name(column: str) -> str:
    return re.sub(r"[\s_\-]+", "", column).lower()


def _recognised(header: list[str], label: str, notes: list[str]) -> tuple[ExportForm, list[str]]:
    """Return the form of a header, and its columns in plain spelling."""
    columns = [_plain_name(column) for column in header]
    doubled = [column for column, n in Counter(columns).items() if n > 1 and column]
    if doubled:
        raise DataError(f"{label}:1: two columns are called {doubled[0]!r}; leave one out")
    form = next((form for form in FORMS if all(one & set(columns) for one in form.required)), None)
    if form is None:
        raise DataError(
            f"{label} has no column of titles that is known (title, or Letterboxd's Name, with Year); its "
            f"columns: {shorten(', '.join(header))}"
        )
    if "watchlist" in PurePosixPath(label).name.lower():
        raise DataError(f"{label} lists what is to be seen, not what was; give ratings.csv or diary.csv")
    unused = [name for name, column in zip(header, columns, strict=True) if column not in form.known]
    if unused and not form.is_open:
        raise DataError(
            f"{label}:1: the column {unused[0]!r} is not known; a plain table has title, and may have year, "
            "rating and date: rename it or leave it out"
        )
    used = [name for name, column in zip(header, columns, strict=True) if column in form.known]
    notes.append(
        f"{label} is read as {form.name}: used {', '.join(used)}"
        + (f"; not used {', '.join(unused)}" if unused else "")
    )
    return form, columns


def _reason(title: str, rating: str, record: dict[str, str], form: ExportForm) -> str:
    """Return why a row is left out; empty where it is not."""
    kind = record.get(form.kind, "") if form.kind else ""
    if not title:
        return "without a title"
    if form.kind == "supplementalvideotype" and kind:
        return "trailers and the like"
    if form.kind == "titletype" and kind and _plain_name(kind) not in _MOVIES:
        return f"of the kind {kind}"
    if not form.ratings and _EPISODE.search(title):
        return "episodes"
    return "" if rating or form.is_seen_unrated else "without a rating"


def _rating(text: str, worth: float, scale: RatingScale, what: str) -> float:
    value = as_number(text)
    if value is None:
        raise DataError(f"{what} is {shorten(text)}; it must be a number with a decimal point, such as 4.5")
    low, high = (0.5 / worth, 5.0 / worth) if worth else (scale.lowest, scale.highest)
    if not low <= value <= high:
        hint = "" if worth or value > 10 else "; if it is out of ten, call the column Rating10"
        raise DataError(f"{what} is {text}; it goes from {low:g} to {high:g}{hint}")
    return scale.from_stars(value * worth) if worth else value


def _dates(records: Sequence[tuple[str, dict[str, str]]], form: ExportForm) -> list[float]:
    """Return when each row is dated, in seconds since 1970; minus infinity where it has no date."""
    texts = [_first(record, form.dates) for _, record in records]
    parts = [re.fullmatch(r"(\d{1,2})[/.](\d{1,2})[/.](\d{2}|\d{4})", text, re.ASCII) for text in texts]
    written = [(int(p[1]), int(p[2]), int(p[3])) for p in parts if p]
    is_day_first = _is_day_first(written, records[0][0] if records else "") if written else False
    found = []
    for (where, _), text, part in zip(records, texts, parts, strict=True):
        try:
            found.append(_seconds(text, part, is_day_first))
        except ValueError:
            raise DataError(
                f"{where}: {shorten(text)} is no date; write it like 2024-03-01, or leave the column out "
                "where the rows stand oldest first"
            ) from None
    return found


def _is_day_first(written: Sequence[tuple[int, int, int]], where: str) -> bool:
    """Return whether dates such as 3/4/24 begin with the day, as all of them together."""
    can_be = {
        True: all(second <= 12 for _, second, _ in written),
        False: all(first <= 12 for first, _, _ in written),
    }
    if can_be[True] and can_be[False]:  # then by the order of the file, which is by date

        def is_sorted(is_day_first: bool) -> bool:
            days = [(year, *((b, a) if is_day_first else (a, b))) for a, b, year in written]
            return days in (sorted(days), sorted(days, reverse=True))

        can_be = {choice: is_sorted(choice) for choice in can_be}
        if can_be[True] and can_be[False]:
            return False
    if can_be[True] == can_be[False]:
        raise DataError(f"{where}: do dates such as 3/4/24 begin with the day? Write them like 2024-04-03")
    return can_be[True]


def _seconds(text: str, part: re.Match[str] | None, is_day_first: bool) -> float:
    if not text:
        return -math.inf
    if part:
        first, second, year = int(part[1]), int(part[2]), int(part[3])
        day, month = (first, second) if is_day_first else (second, first)
        return datetime(year + 2000 if year < 100 else year, month, day, tzinfo=UTC).timestamp()
    if text.isascii() and text.isdecimal() and len(text) != len("20240301"):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(" ".join(text.split()), "%a %b %d %H:%M:%S %Y")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
