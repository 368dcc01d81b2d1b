"""Figures of prepared data, with rows that lack a rating or a time."""

import numpy as np

from reeltune.data.prepare.summary import summarize
from reeltune.data.prepared import Catalogue, Sequences


def test_missing_ratings_and_times_and_ties_across_users():
    sequences = Sequences(
        items=np.array([1, 2, 2, 1, 2], np.int32),
        ratings=np.array([0.5, np.nan, 4.0, 4.1, np.nan], np.float32),
        timestamps=np.array([7, 7, 7, -1, -1], np.int64),  # the third belongs to the next user
        offsets=np.array([0, 2, 5]),
    )
    summary = summarize(sequences, Catalogue(("a", "b"), ("a", "B"), (0, 1990), ((), ("War",))))
    assert summary.rating_counts == {"0.5": 1, "4": 2}
    assert (summary.timed_share, summary.tie_share) == (0.6, 2 / 3)
    assert (summary.first_second, summary.last_second) == (7, 7)
    assert summary.length_quantiles["min"] == 2
    assert summary.no_title_share == summary.no_year_share == summary.no_genre_share == 0.5


def test_nothing_known():
    sequences = Sequences(
        items=np.array([1, 1, 1], np.int32),
        ratings=np.full(3, np.nan, np.float32),
        timestamps=np.full(3, -1, np.int64),
        offsets=np.array([0, 3]),
    )
    summary = summarize(sequences, Catalogue(("a",), ("a",), (0,), ((),)))
    assert (summary.rating_counts, summary.tie_share, summary.first_second) == ({}, None, None)


def test_a_wide_scale_has_few_steps():
    sequences = Sequences(
        items=np.array([1, 1, 1, 1], np.int32),
        ratings=np.array([0, 12, 98, 101], np.float32),
        timestamps=np.full(4, -1, np.int64),
        offsets=np.array([0, 4]),
    )
    summary = summarize(sequences, Catalogue(("a",), ("a",), (0,), ((),)))
    assert summary.rating_counts == {"0": 1, "10": 1, "100": 2}  # steps of ten
