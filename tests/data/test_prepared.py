"""What precedes the queries, and nothing else, is known."""

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
