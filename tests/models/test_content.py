import pytest
import torch
from test_neighbours import as_sequences

from reeltune.data.interactions import Users
from reeltune.data.prepare.side import Details, SideInformation
from reeltune.data.prepared import Catalogue
from reeltune.data.sequences import to_histories
from reeltune.errors import DataError
from reeltune.models.baselines.content import ContentConfig, content_terms
from reeltune.models.baselines.fit import fit_baseline

TERMS = [["war", "star"], ["star", "trek"], ["war"], ["love"], ["love", "trek"]]
TRAIN = as_sequences([[1, 2, 3], [4, 5, 1]])


def scores(history, **settings):
    baseline = fit_baseline(ContentConfig(min_movies=1, **settings), TRAIN, len(TERMS), terms=lambda: TERMS)
    return baseline.scores(to_histories([history]))[0]


def test_movies_that_share_terms_come_first():
    after_war = scores([3])
    assert after_war.topk(2).indices.tolist() == [3, 1]
    assert after_war[4] == 0
    assert after_war[3] == pytest.approx(1.0)  # the cosine with itself


def test_the_latest_movies_weigh_more():
    assert scores([3, 4], decay=0.3)[4] > scores([3, 4], decay=0.3)[3]
    torch.testing.assert_close(scores([3, 4], decay=0.3)[1:], (scores([4]) + 0.3 * scores([3]))[1:])


@pytest.mark.parametrize("terms", [None, lambda: [[]] * 5, lambda: [["a"], ["b"], ["c"], ["d"], ["e"]]])
def test_movies_of_which_nothing_is_known_are_refused(terms):
    with pytest.raises(DataError, match="leave tf-idf out"):
        fit_baseline("tf-idf", TRAIN, 5, terms=terms)


def test_terms_are_stems_genres_and_people():
    catalogue = Catalogue(("1", "2"), ("Running (1990)", "Runs"), (1990, 0), (("War",), ()))
    details = Details((), (), (("Ann Lee",), ()), (("Bo",), ("Bo", "Cy")), ("A plot", ""))
    side = SideInformation(Users((), (), (), ()), details, None)
    terms = content_terms(catalogue, as_sequences([[1, 2]]), side)
    assert terms[0] == ["run", "plot", "genre:War", "director:Ann Lee", "actor:Bo"]
    assert terms[1] == ["run", "actor:Bo", "actor:Cy"]
