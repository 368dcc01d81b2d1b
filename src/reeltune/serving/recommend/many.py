"""Lists for a whole table of users, in bounded memory.

Shapes: B users at once, T steps, V catalogue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reeltune.errors import UserError
from reeltune.files import atomic_path
from reeltune.serving.bundle.reranking import AS_SCORED, Reranking
from reeltune.serving.recommend.filters import NO_FILTERS, Filters
from reeltune.serving.recommend.recommender import Recommender
from reeltune.serving.recommend.rerank import best_codes_of_each
from reeltune.serving.recommend.user_table import UserTable, deal_rows

if TYPE_CHECKING:
    import pandas as pd

MAX_USERS = 512
"""Users scored in one pass."""

MAX_CELLS = 32_768
"""Most users times longest history in one pass."""

MAX_SCORES = 1 << 24
"""Most users times catalogue in one pass: 128 MB of scores."""

ROWS_A_GROUP = 1 << 18
"""Rows of a row group of the output, about 10 MB."""

_List = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Codes and scores of a user's movies, best first."""

Progress = Callable[[int, int], None]
"""Receives the number of rows whose users have their lists, and of all rows."""


@dataclass(frozen=True)
class BatchResult:
    """What was done."""

    n_rows: int  # of the input
    n_users: int  # with a list
    n_without: int  # users none of whose movies is known; they have no list
    n_unknown: int  # rows whose movie the catalogue does not hold
    unknown: tuple[str, ...]  # a few of those movies
    seconds: float

    def plain(self) -> dict[str, Any]:
        """Return the result as plain Python values."""
        return asdict(self) | {"unknown": list(self.unknown)}


def recommend_many(
    recommender: Recommender,
    table: Path,
    out: Path,
    *,
    k: int = 10,
    filters: Filters = NO_FILTERS,
    rerank: Reranking = AS_SCORED,
    progress: Progress = lambda _done, _all: None,
    notify: Callable[[str], None] = lambda _: None,
) -> BatchResult:
    """Write the lists of all users of ``table`` to the Parquet file ``out``; it appears whole or not at all.

    ``table`` is a CSV or Parquet with ``user``, ``item`` or ``title``, and optional ``rating`` (on the
    bundle's scale) and ``timestamp``, in any order.

    Each list is that of :meth:`Recommender.recommend`. Columns: ``user`` (text), ``rank``, ``item`` (the
    data set's id), ``title``, ``score``; a user's rows stand together. Memory does not grow with
    the number of users; the disk of the cache holds the input once more while it runs.
    """
    import pyarrow as pa
    import pyarrow.parquet

    if not 1 <= k <= recommender.catalogue.n_items:
        raise UserError(f"cannot list {k} movies a user; ask for 1 to {recommender.catalogue.n_items}")
    started = time.perf_counter()
    lists = _Lists(recommender, k, filters, rerank)
    fields = {"user": pa.string(), "rank": pa.int32(), "item": pa.string(), "title": pa.string()}
    schema = pa.schema(fields | {"score": pa.float32()})
    n_users = n_without = n_done = 0
    with atomic_path(out) as part, deal_rows(table, recommender.titles, recommender.scale, notify) as users:
        with pyarrow.parquet.ParquetWriter(part, schema) as writer:
            for names, found, n_rows, n_empty in _groups(users, lists):
                if found:
                    writer.write_table(pa.table(_columns(names, found, lists), schema=schema))
                n_users, n_without, n_done = n_users + len(found), n_without + n_empty, n_done + n_rows
                progress(n_done, users.n_rows)
        seconds = time.perf_counter() - started
        return BatchResult(users.n_rows, n_users, n_without, users.n_unknown, tuple(users.unknown), seconds)


class _Lists:
    """The lists of some users, one pass of the network for all of them."""

    def __init__(self, recommender: Recommender, k: int, filters: Filters, rerank: Reranking) -> None:
        self.recommender = recommender
        self.k = k
        self.rerank = rerank
        catalogue = recommender.catalogue
        self._hidden = np.flatnonzero(~filters.allowed(catalogue, recommender.bundle.facts.people))
        twins = ((code, recommender.titles.twins(code)) for code in range(1, catalogue.n_items + 1))
        self._twins = {code: others for code, others in twins if len(others) > 1}
        self.ids = np.array(["", *catalogue.item_ids], dtype=object)
        self.names = np.array(["", *(title.strip() for title in catalogue.titles)], dtype=object)
        self.most_users = max(1, min(MAX_USERS, MAX_SCORES // (catalogue.n_items + 1)))

    def make(self, codes: Sequence[NDArray[np.int32]], ratings: Sequence[NDArray[np.float32]]) -> list[_List]:
        """Return the codes and scores of each user's list."""
        histories = [row.tolist() for row in codes]
        rated = [row.tolist() for row in ratings]
        scores = self.recommender.scores(histories, rated)  # [B, V+1]
        listable = scores.copy()
        listable[:, self._hidden] = -np.inf
        user = np.repeat(np.arange(len(codes)), [len(row) for row in codes])
        listable[user, np.concatenate(codes)] = -np.inf
        for row, seen in zip(listable, histories, strict=True):
            for code in self._twins.keys() & seen if self._twins else ():
                row[self._twins[code]] = -np.inf
        if self.rerank.is_off:
            best = best_codes_of_each(listable, self.k)
        else:
            best = [
                self.recommender.reranker.choose(row, self.k, self.rerank, codes=seen, ratings=given)
                for row, seen, given in zip(listable, histories, rated, strict=True)
            ]
        return [(found, row[found]) for found, row in zip(best, scores, strict=True)]


def _groups(users: UserTable, lists: _Lists) -> Iterator[tuple[NDArray[Any], list[_List], int, int]]:
    """Yield users with their lists, the rows read for them, and how many users are left without a list."""
    for part in users.parts:
        # The part is gone before the next one is read.
        yield from _groups_of(users.read(part), lists)


def _groups_of(frame: pd.DataFrame, lists: _Lists) -> Iterator[tuple[NDArray[Any], list[_List], int, int]]:
    import pandas as pd

    # A user's rows stand together: 0, 0, 1, 1, 1, ...
    number, names = pd.factorize(frame["user"].to_numpy(dtype=object))
    n_rows = np.bincount(number, minlength=len(names))
    # A movie that stands twice counts once, as it was seen first.
    keep = ((frame["code"] > 0) & ~frame.duplicated(["user", "code"])).to_numpy()
    stops = np.cumsum(np.bincount(number[keep], minlength=len(names)))
    columns = [frame[name].to_numpy()[keep] for name in ("code", "rating")]
    a_group = max(lists.most_users, ROWS_A_GROUP // lists.k)
    for first in range(0, len(names), a_group):
        group = slice(first, first + a_group)
        before = stops[first - 1] if first else 0
        of_group = (column[before : stops[group][-1]] for column in columns)
        codes, ratings = (np.split(column, stops[group][:-1] - before) for column in of_group)
        listed = [user for user, history in enumerate(codes) if len(history)]
        found = _listed([codes[user] for user in listed], [ratings[user] for user in listed], lists)
        yield names[group][listed], found, int(n_rows[group].sum()), len(codes) - len(listed)


def _listed(codes: list[NDArray[Any]], ratings: list[NDArray[Any]], lists: _Lists) -> list[_List]:
    """Return the lists of some users in their order; users of similar length share a pass."""
    found: dict[int, _List] = {}
    lengths = np.array([len(row) for row in codes])
    order = np.argsort(lengths, kind="stable")
    while len(order):
        stop = min(lists.most_users, len(order))
        # The last of a pass is its longest.
        while stop > 1 and stop * lengths[order[stop - 1]] > MAX_CELLS:
            stop = max(1, stop // 2)
        some, order = order[:stop].tolist(), order[stop:]
        made = lists.make([codes[user] for user in some], [ratings[user] for user in some])
        found.update(zip(some, made, strict=True))
    return [found[user] for user in range(len(codes))]


def _columns(names: NDArray[Any], found: list[_List], lists: _Lists) -> dict[str, Any]:
    lengths = [len(best) for best, _ in found]
    codes = np.concatenate([best for best, _ in found])
    return {
        "user": np.repeat(names, lengths),
        "rank": np.concatenate([np.arange(1, n + 1) for n in lengths]),
        "item": lists.ids[codes],
        "title": lists.names[codes],
        "score": np.concatenate([scores for _, scores in found]),
    }
