import re

import pytest

from reeltune.contest.figures import Point, forest


@pytest.mark.parametrize("name", ["GRU", "a recurrent network with metadata", "x" * 90])
def test_the_longest_name_has_room_beside_the_scale(name):
    picture = forest([Point(name, 0.1, 0.05, 0.15)], title="NDCG@10")
    end, shown = re.search(r'<text x="(\d+)"[^>]*text-anchor="end">([^<]+)</text><line', picture).groups()
    assert len(shown) <= 40
    assert int(end) >= 8.2 * len(shown), "a bold letter is about 8.2 wide"
    assert name.startswith(shown.rstrip("\N{HORIZONTAL ELLIPSIS}"))
