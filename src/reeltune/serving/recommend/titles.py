"""Movies by the titles that users write, and histories of them as item codes.

A title is matched without regard to case, accents, punctuation and the place of its
article: ``the godfather`` finds ``Godfather, The (1972)``. What is not the same title is
never guessed: it ends in an error that lists the nearest ones.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

from reeltune.data.readers.exports import Export
from reeltune.data.scale import RatingScale
from reeltune.errors import UserError

Watched = str | tuple[str, float]
"""A movie by title, or by ``id:...``; with its rating where there is one."""

_ARTICLES = {
    *("the", "a", "an", "le", "la", "les", "l", "un", "une", "der", "die", "das", "ein", "eine"),
    *("il", "lo", "gli", "i", "el", "los", "las", "o", "os", "den", "det", "de", "het"),
}
_YEAR = re.compile(r"\((\d{4})\)\s*(?:\([A-Z]+\))?\s*$")  # also "(1995) (V)", a video release
_BRACKETS = re.compile(r"\(([^()]*)\)")
_TRAILING_ARTICLE = re.compile(r"^(.*), ([^\s,]+)$")


def normalise_title(title: str) -> str:
    """Return ``title`` in lower case without accents, punctuation and year, its article in front.

    >>> normalise_title("Godfather, The (1972)"), normalise_title("the GODFATHER")
    ('the godfather', 'the godfather')
    >>> normalise_title("Léon: The Professional"), normalise_title("Avventura, L' (1960)")
    ('leon the professional', 'l avventura')
    """
    text = _YEAR.sub("", title.strip()).strip()
    moved = _TRAILING_ARTICLE.match(text)
    if moved and _words(moved[2]) in _ARTICLES:
        text = f"{moved[2]} {moved[1]}"
    return _words(text)


def _words(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold().replace("&", " and ")
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    plain = re.sub(r"^l['\u2019]\s*", "l ", plain)
    return " ".join(re.findall(r"\w+", re.sub(r"['\u2019`]", "", plain)))


def _without_article(name: str) -> str:
    first, _, rest = name.partition(" ")
    return rest if first in _ARTICLES and rest else name


class TitleIndex:
    """Finds item codes by title or by the data set's own id."""

    def __init__(self, item_ids: Sequence[str], titles: Sequence[str], years: Sequence[int]) -> None:
        self._titles = titles
        self._years = years
        self._codes_by_id = {item_id: code for code, item_id in enumerate(item_ids, start=1)}
        self._codes_by_name: dict[str, list[int]] = defaultdict(list)
        for code, title in enumerate(titles, start=1):
            for name in _names(title):
                if code not in self._codes_by_name[name]:
                    self._codes_by_name[name].append(code)
        same: dict[str, list[int]] = defaultdict(list)
        for code, title in enumerate(titles, start=1):
            same[title.strip()].append(code)
        self._twins = {code: codes for codes in same.values() if len(codes) > 1 for code in codes}

    def find(self, text: str) -> int:
        """Return the item code of the movie called ``text``, or of ``id:...``.

        A title may leave out its year when one movie alone bears it. Two entries with the
        same title and year are one movie to a reader: the first is returned. Where none or several are
        called so, the error lists the nearest.
        """
        if text.startswith("id:"):
            if (code := self._codes_by_id.get(text[3:].strip())) is None:
                raise UserError(f"no movie has the id {text[3:].strip()!r} in this bundle; give its title")
            return code
        year = _YEAR.search(text)
        name = normalise_title(text)
        named = self._codes_by_name.get(name) or self._codes_by_name.get(_without_article(name), [])
        if year:
            named = [code for code in named if self._years[code - 1] in (0, int(year[1]))]
        distinct = {self._titles[code - 1].strip(): code for code in reversed(named)}
        # A movie's own title goes before another's alternative title.
        own = [c for t, c in distinct.items() if name in (_own_name(t), _without_article(_own_name(t)))]
        found = own if len(own) == 1 else list(distinct.values())
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(repr(self._titles[code - 1]) for code in sorted(found))
            raise UserError(f"{text!r} is the title of {len(found)} movies: {shown}; add the year")
        near = self.suggest(text, n=3)
        hint = f"did you mean {' or '.join(repr(t) for t in near)}?" if near else "nothing comes near it"
        raise UserError(f"no movie called {text!r} in this bundle; {hint}")

    def suggest(self, text: str, n: int = 5) -> list[str]:
        """Return up to ``n`` titles near ``text``, the nearest first."""
        wanted = normalise_title(text)
        if not wanted:
            return []
        near = process.extract(
            wanted, self._codes_by_name.keys(), scorer=fuzz.ratio, score_cutoff=60, limit=n
        )
        likeness = {name: score for name, score, _ in near}
        if len(wanted) >= 3:  # a name that holds the wanted words is near however long it is
            holds = (name for name in self._codes_by_name if f" {wanted} " in f" {name} ")
            likeness |= {name: 90.0 + 0.1 * fuzz.ratio(wanted, name) for name in holds}
        names = sorted(likeness, key=lambda name: (-likeness[name], name))
        titles = (self._titles[code - 1].strip() for name in names for code in self._codes_by_name[name])
        return list(dict.fromkeys(titles))[:n]

    def search(self, text: str, n: int = 20) -> list[int]:
        """Return up to ``n`` item codes whose title holds every word of ``text``.

        Titles that begin with the text come first, then those with words that begin so, then the others;
        among equals the shortest title.
        """
        wanted = normalise_title(text)
        words = wanted.split()
        if not words:
            return []
        rank: dict[int, int] = {}
        for name, codes in self._codes_by_name.items():
            if all(word in name for word in words):
                is_begun = all(f" {word}" in f" {name}" for word in words)
                own = 0 if name.startswith(wanted) else 1 if is_begun else 2
                rank |= {code: min(own, rank.get(code, own)) for code in codes}
        return sorted(rank, key=lambda code: (rank[code], len(self._titles[code - 1]), code))[:n]

    def twins(self, code: int) -> list[int]:
        """Return the codes of all entries with the title and year of ``code``, itself included."""
        return self._twins.get(code, [code])


def _own_name(title: str) -> str:
    return _names(title)[0]


def _names(title: str) -> list[str]:
    """Return the normalised names of a catalogue title: its own first, then those in brackets."""
    without_year = _YEAR.sub("", title.strip())
    own = _BRACKETS.sub(" ", without_year).strip() or without_year
    inside = [re.sub(r"^a\.?k\.?a\.?\s+", "", name, flags=re.I) for name in _BRACKETS.findall(without_year)]
    names: dict[str, None] = {}
    # The whole title with its brackets comes last: it is what a reader copies from a list.
    for name in (own, *inside, without_year):
        normal = normalise_title(name)
        names[normal] = None
        if _TRAILING_ARTICLE.match(name) or normal.startswith(("the ", "a ", "an ")):
            names[_without_article(normal)] = None
    return [name for name in names if name] or [title.casefold()]


def resolve(
    titles: TitleIndex, scale: RatingScale, watched: Iterable[Watched]
) -> tuple[list[int], list[float]]:
    """Return item codes and ratings (NaN where not given) of ``watched``, repetitions left out.

    Raises:
        UserError: One line for each title or rating that cannot be used.
    """
    found: dict[int, float] = {}
    problems = []
    for entry in watched:
        title, rating = (entry, math.nan) if isinstance(entry, str) else entry
        try:
            if not isinstance(entry, str) and not scale.holds(rating):
                raise UserError(f"{title!r} is rated {rating:g}; ratings go from {scale.in_words()}")
            found.setdefault(titles.find(title), rating)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    return list(found), list(found.values())


def known_titles(titles: TitleIndex, export: Export) -> tuple[list[Watched], list[str]]:
    """Return the history in an export, and the titles that the catalogue lacks."""
    found: list[Watched] = []
    missed = []
    for entry in export.watched:
        title = entry if isinstance(entry, str) else entry[0]
        try:
            titles.find(title)
            found.append(entry)
        except UserError:
            missed.append(title)
    return found, missed
