"""What titles, years and genres of movies look like in files, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable

FIRST_YEAR = 1870
LAST_YEAR = 2100
"""Years of release that are believed; the first films are of the 1880s."""

_YEAR = re.compile(r"\((\d{4})\)\s*$", re.ASCII)
_VIDEO = "(V)"  # a remark behind the year of one movie of ML-100K: made for video
_NO_GENRE = {
    "",
    "unknown",
    "(no genres listed)",
    "no genres listed",
    "none",
    "null",
    "nan",
    "n/a",
    "na",
    r"\n",
    "-",
}


def titled(text: str) -> tuple[str, int]:
    """Return the title, and the year in the brackets at its end, 0 where there is none.

    >>> titled("Heat (1995)"), titled("Heat")
    (('Heat (1995)', 1995), ('Heat', 0))
    """
    title = text.strip().removesuffix(_VIDEO).rstrip()
    match = _YEAR.search(title)
    return title, int(match[1]) if match and FIRST_YEAR <= int(match[1]) <= LAST_YEAR else 0


def known_genres(names: Iterable[str]) -> tuple[str, ...]:
    """Return the genres without the words that say that none is known.

    >>> known_genres(["Drama", "(no genres listed)"])
    ('Drama',)
    """
    return tuple(name for name in map(str.strip, names) if name.casefold() not in _NO_GENRE)
