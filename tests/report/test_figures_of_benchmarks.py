import re

import pytest

from reeltune.report.benchmark_figures import sweeps
from reeltune.report.svg import Point, forest


@pytest.mark.parametrize("name", ["GRU", "a recurrent network with metadata", "x" * 90])
def test_the_longest_name_has_room_beside_the_scale(name):
    picture = forest([Point(name, 0.1, 0.05, 0.15)], title="NDCG@10")
    end, shown = re.search(r'<text text-anchor="end" x="([\d.]+)"[^>]*>([^<]+)</text><line', picture).groups()
    assert len(shown) <= 40
    assert float(end) >= 8.2 * len(shown), "a bold letter is about 8.2 wide"
    assert name.startswith(shown.rstrip("\N{HORIZONTAL ELLIPSIS}"))


def varied(*values, shares=()):
    figure = {"value": 0.2, "low": 0.1, "high": 0.3}
    rows = [{"value": value, "figure": figure, "reason": ""} for value in values]
    whole = [{"value": share, "figure": figure | {"value": 0.25}, "reason": ""} for share in shares]
    factors = {"model.dropout": rows, "movies of each user": rows[:1], "share of users": whole}
    return {"at": {"model.dropout": 0.117}, "factors": factors}


def told(points):
    return [(point.name, point.value, point.is_marked) for point in points]


def test_a_sweep_shows_the_winner_as_it_was_chosen_among_the_others():
    found = sweeps(varied(0.5, 0.0, shares=(0.25, 1.0)))
    assert told(found["model.dropout"]) == [("0", 0.2, False), ("0.117", 0.25, True), ("0.5", 0.2, False)]
    assert told(found["movies of each user"]) == [("0.5", 0.2, False), ("all", 0.25, True)]
    assert [point.is_marked for point in found["share of users"]] == [False, True]
    assert told(sweeps(varied(0.117, shares=(1.0,)))["model.dropout"]) == [("0.117", 0.2, True)]


def test_a_sweep_without_the_figure_of_all_people_shows_what_it_has():
    found = sweeps(varied(0.5, shares=(0.25,)))
    assert told(found["model.dropout"]) == [("0.5", 0.2, False)]
    assert "share of users" in found
    assert sweeps(varied(0.5))["model.dropout"]
