import numpy as np
import pytest

from reeltune.data.prepare.reduce import reduced
from reeltune.errors import ConfigError


def test_all_is_the_same_object(tiny_data):
    assert reduced(tiny_data) is tiny_data


def test_shares_of_people_are_nested_and_questions_unchanged(tiny_data):
    parts = [reduced(tiny_data, user_share=share, seed=3) for share in (0.1, 0.5, 0.9)]
    people = [set(np.flatnonzero(part.train.lengths)) for part in parts]
    assert [len(of) for of in people] == [15, 75, 135]
    assert people[0] < people[1] < people[2]
    for part in parts:
        assert part.train.n_users == tiny_data.train.n_users
        assert part.validation is tiny_data.validation
        user = next(iter(people[0]))
        rows = slice(*part.train.offsets[user : user + 2])
        whole = slice(*tiny_data.train.offsets[user : user + 2])
        assert np.array_equal(part.train.items[rows], tiny_data.train.items[whole])


def test_thirds_part_the_people(tiny_data):
    people = [set(np.flatnonzero(reduced(tiny_data, thirds=(i,)).train.lengths)) for i in range(3)]
    assert sum(map(len, people)) == len(set().union(*people)) == tiny_data.train.n_users
    assert {len(of) for of in people} == {50}


def test_the_last_events_are_kept(tiny_data):
    part = reduced(tiny_data, last_events=5)
    assert np.array_equal(part.train.lengths, np.minimum(tiny_data.train.lengths, 5))
    end, whole = part.train.offsets[1], tiny_data.train.offsets[1]
    assert np.array_equal(part.train.items[end - 5 : end], tiny_data.train.items[whole - 5 : whole])


@pytest.mark.parametrize("part", [{"user_share": 0.0}, {"user_share": 1.5}, {"last_events": 1}])
def test_a_part_out_of_range_is_refused(tiny_data, part):
    with pytest.raises(ConfigError, match=next(iter(part))):
        reduced(tiny_data, **part)
