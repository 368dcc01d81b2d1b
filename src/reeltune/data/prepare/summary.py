"""What a prepared data set looks like: counts, time, ties, lengths, missing metadata.

Shapes: N events, U users.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

import numpy as np

from reeltune.data.prepare.side import Details
from reeltune.data.prepared import Catalogue, Sequences

_STEPS = (0.5, *(figure * 10.0**power for power in range(39) for figure in (1, 2, 5)))  # up to any float32
_MOST_STEPS = 20  # lines of the distribution of ratings; halves up to ten


@dataclass(frozen=True)
class Summary:
    """Figures over all parts of a prepared data set; a share lies in 0 to 1."""

    n_users: int
    n_items: int
    n_interactions: int
    density: float
    """Share of the (user, movie) pairs that hold an interaction."""
    first_second: int | None
    """Earliest timestamp in seconds since 1970; None where no row has one."""
    last_second: int | None
    timed_share: float
    """Share of rows with a timestamp."""
    tie_share: float | None
    """Share of timed rows that share user and second with another row; None where no row is timed."""
    length_quantiles: dict[str, int]
    """Events a user: minimum, quarters, 95 % and maximum."""
    length_counts: dict[str, int]
    """Users by events, in bins that double."""
    rating_counts: dict[str, int]
    """Rows by rating, rounded to halves; to wider steps on a scale beyond ten."""
    top_tenth_share: float
    """Share of rows on the most popular tenth of the movies."""
    no_title_share: float
    no_year_share: float
    no_genre_share: float


def summarize(sequences: Sequences, catalogue: Catalogue) -> Summary:
    """Return the metrics of ``sequences``, all parts together."""
    timed = sequences.timestamps >= 0
    times = sequences.timestamps if timed.all() else sequences.timestamps[timed]
    n_events, n_items = sequences.n_events, catalogue.n_items
    popularity = np.sort(np.bincount(sequences.items, minlength=n_items + 1)[1:])[::-1]
    return Summary(
        n_users=sequences.n_users,
        n_items=n_items,
        n_interactions=n_events,
        density=n_events / (sequences.n_users * n_items),
        first_second=int(times.min()) if len(times) else None,
        last_second=int(times.max()) if len(times) else None,
        timed_share=float(timed.mean()),
        tie_share=_tie_share(sequences) if len(times) else None,
        length_quantiles=_quantiles(sequences),
        length_counts=_length_counts(sequences),
        rating_counts=_rating_counts(sequences),
        top_tenth_share=float(popularity[: -(-n_items // 10)].sum() / n_events),
        no_title_share=fmean(t == i for t, i in zip(catalogue.titles, catalogue.item_ids, strict=True)),
        no_year_share=fmean(year == 0 for year in catalogue.years),
        no_genre_share=fmean(not genres for genres in catalogue.genres),
    )


def missing_details(details: Details) -> dict[str, float]:
    """Return the share of movies, 0 to 1, without each kind of detail that is known of any.

    >>> missing_details(Details(directors=(("Ann",), ()), plots=("", "")))
    {'directors': 0.5, 'plots': 1.0}
    """
    columns = {name: getattr(details, name) for name in ("directors", "actors", "plots", "imdb_ids")}
    return {name: fmean(not value for value in column) for name, column in columns.items() if column}


def _tie_share(sequences: Sequences) -> float:
    times = sequences.timestamps
    same = times[1:] == times[:-1]
    same &= times[1:] >= 0
    same[sequences.offsets[1:-1] - 1] = False  # from one user to the next
    tied = np.zeros(len(times), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    return float(tied.sum() / (times >= 0).sum())


def _quantiles(sequences: Sequences) -> dict[str, int]:
    names = {"min": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "max": 1.0}
    values = np.quantile(sequences.lengths, list(names.values()), method="nearest")
    return dict(zip(names, values.astype(int).tolist(), strict=True))


def _length_counts(sequences: Sequences) -> dict[str, int]:
    powers = np.log2(sequences.lengths).astype(int)
    counts = np.bincount(powers)
    first = int(powers.min())
    return {f"{2**p}-{2 ** (p + 1) - 1}": int(counts[p]) for p in range(first, len(counts))}


def _rating_counts(sequences: Sequences) -> dict[str, int]:
    if np.isnan(sequences.ratings).all():
        return {}
    largest = float(np.nanmax(sequences.ratings))
    step = next(step for step in _STEPS if largest <= step * _MOST_STEPS)
    steps = np.nan_to_num(sequences.ratings, nan=-step)  # a place of its own, cut off below
    steps /= step
    counts = np.bincount(np.rint(steps, out=steps).astype(np.int32) + 1)[1:]
    return {f"{number * step:g}": int(counts[number]) for number in np.flatnonzero(counts).tolist()}
