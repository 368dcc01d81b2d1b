"""What is known of people: profiles, taste so far, time between movies."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.features.users import (
    N_GAP_BUCKETS,
    N_RATING_COLUMNS,
    gap_buckets,
    profile_codes,
    running_taste,
    taste_table,
)
from reeltune.data.interactions import Users
from reeltune.data.prepared import Catalogue, Sequences
from reeltune.data.sequences import to_histories

CATALOGUE = Catalogue(("1", "2", "3"), ("1", "2", "3"), (0, 0, 0), (("Drama", "War"), (), ("Drama",)))
TRAIN = Sequences(
    items=np.array([1, 1, 1, 2, 3], dtype=np.int32),
    ratings=np.full(5, 4.0, dtype=np.float32),
    timestamps=np.arange(5),
    offsets=np.array([0, 3, 5]),
)


def test_profiles_share_one_vocabulary():
    users = Users(("a", "b", "c"), (17, 34, -1), ("M", "", "F"), ("", "artist", "artist"))
    known = profile_codes(users)
    assert known.names == ("age: 1", "age: 25", "gender: F", "gender: M", "occupation: artist")
    assert known.codes.tolist() == [[1, 4, 0], [2, 0, 5], [0, 3, 5]]


def test_nothing_told_is_nothing_known():
    known = profile_codes(Users(("a", "b")))
    assert known.names == ()
    assert known.codes.tolist() == [[0, 0, 0]] * 2


def test_taste_is_that_of_the_steps_so_far():
    table = torch.from_numpy(taste_table(TRAIN, CATALOGUE))
    assert not table[0].any()
    assert table[1:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert table[1, 1:].tolist() == [0.5, 0.5]
    histories = to_histories([[1, 3, 2]], ratings=[[5.0, float("nan"), 2.0]])
    taste = running_taste(histories.items, histories.ratings, table)[0]
    assert taste[:, 0].tolist() == [2.0, 2.0, 0.5]  # mean above 3 stars
    assert taste[:, 1].tolist() == [0.0, 0.0, 1.5]  # spread
    torch.testing.assert_close(taste[:, N_RATING_COLUMNS], table[[1, 3, 2], 0].cumsum(0) / torch.arange(1, 4))
    torch.testing.assert_close(taste[2, N_RATING_COLUMNS + 1 :], table[[1, 3, 2], 1:].mean(0))


def test_taste_without_ratings_still_knows_genres():
    table = torch.from_numpy(taste_table(TRAIN, CATALOGUE))
    histories = to_histories([[1, 3]])
    taste = running_taste(histories.items, None, table)
    assert not taste[..., :2].any()
    assert taste[..., 2:].any()


@given(st.lists(st.integers(min_value=-1, max_value=2**33), min_size=1, max_size=9))
def test_gaps_are_octaves(times):
    buckets = gap_buckets(torch.tensor([times]))[0].tolist()
    assert buckets[0] == 0
    for before, now, bucket in zip(times, times[1:], buckets[1:], strict=False):
        if min(before, now) < 0:
            assert bucket == 0
        else:
            gap = max(0, now - before)
            assert bucket == min(1 + int(np.floor(np.log2(gap + 1))), N_GAP_BUCKETS - 1)
