"""What precedes the queries, and nothing else, is known."""

from dataclasses import replace

import numpy as np

from reeltune.data.prepared import Queries, Sequences


def sequences(*histories):
    items = np.concatenate([np.asarray(history, dtype=np.int32) for history in histories])
    return Sequences(
        items=items,
        ratings=np.ones(len(items), dtype=np.float32),
        timestamps=np.arange(len(items)),
        offsets=np.cumsum([0, *map(len, histories)]),
    )


def test_known_events_end_before_the_first_query_of_each_user():
    flat = sequences([1, 2, 3, 4], [5, 6], [7, 8, 9])
    queries = Queries(
        sequences=flat,
        user=np.array([0, 0, 2], dtype=np.int32),
        end=np.array([3, 2, 9]),  # user 0 is asked twice, the first time after two movies; user 1 never
        target=np.array([4, 3, 1], dtype=np.int32),
        target_rating=np.ones(3, dtype=np.float32),
        target_timestamp=np.zeros(3, dtype=np.int64),
    )
    known = queries.known()
    assert known.items.tolist() == [1, 2, 5, 6, 7, 8, 9]
    assert known.offsets.tolist() == [0, 2, 4, 7]
    assert known.timestamps.tolist() == [0, 1, 4, 5, 6, 7, 8]


def test_by_time_nothing_later_than_anybodys_target_is_known():
    flat = sequences([1, 2, 3], [4, 5, 6])  # seconds 0, 1, 2 and 3, 4, 5
    queries = Queries(
        sequences=flat,
        user=np.array([0, 1], dtype=np.int32),
        end=np.array([3, 6]),
        target=np.array([7, 7], dtype=np.int32),
        target_rating=np.ones(2, dtype=np.float32),
        target_timestamp=np.array([4, 9]),  # user 1's movies 5 and 6 come when user 0 was asked already
        is_by_time=True,
    )
    assert queries.known().items.tolist() == [1, 2, 3, 4]
    assert replace(queries, is_by_time=False).known().items.tolist() == [1, 2, 3, 4, 5, 6]
