"""What every baseline of the registry must do; listing a baseline there tests it here."""

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.data.sequences import to_histories
from reeltune.errors import ConfigError
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.baselines.fit import fit_baseline, fit_to_data, restore_baseline
from reeltune.models.registry import models_of

each_baseline = pytest.mark.parametrize("name", models_of("baseline"))
HISTORIES = to_histories([[3, 9, 1], [5], [2, 2, 7, 8, 4, 30, 12]])


@each_baseline
def test_scores_the_whole_catalogue(name, tiny_data):
    baseline = fit_to_data(name, tiny_data)
    scores = baseline.scores(HISTORIES)
    assert baseline.n_items == tiny_data.n_items
    assert scores.shape == (3, tiny_data.n_items + 1)
    assert scores.dtype == torch.float32
    assert torch.isneginf(scores[:, PAD]).all()
    assert torch.isfinite(scores[:, 1:]).all()


@each_baseline
def test_padding_and_the_order_of_a_batch_have_no_influence(name, tiny_data):
    baseline = fit_to_data(name, tiny_data)
    scores = baseline.scores(HISTORIES)
    order = torch.tensor([1, 2, 0])
    shuffled = baseline.scores(Histories(HISTORIES.items[order], HISTORIES.lengths[order]))
    torch.testing.assert_close(shuffled, scores[order])
    torch.testing.assert_close(baseline.scores(to_histories([[5]])), scores[1:2])


@each_baseline
def test_two_fits_are_equal(name, tiny_data):
    first, second = (fit_to_data(name, tiny_data) for _ in range(2))
    assert torch.equal(first.scores(HISTORIES), second.scores(HISTORIES))


@each_baseline
def test_beats_chance(name, tiny_data):
    if name == "tf-idf":
        pytest.skip("the generated movies' titles and genres tell nothing; see tests/models/test_content.py")
    baseline = fit_to_data(name, tiny_data)
    ranks = rank_queries(baseline, tiny_data.validation)
    unseen = tiny_data.n_items - tiny_data.train.lengths.mean()
    assert ranking_metrics(ranks)["hr@10"] > 1.2 * 10 / unseen


@each_baseline
def test_comes_back_from_its_tables(name, tiny_data):
    baseline = fit_to_data(name, tiny_data)
    restored = restore_baseline(name, baseline.tables())
    assert restored.n_items == tiny_data.n_items
    assert torch.equal(restored.scores(HISTORIES), baseline.scores(HISTORIES))
    with pytest.raises(KeyError):
        restore_baseline(name, {})


def test_an_unknown_baseline_names_the_nearest(tiny_data):
    with pytest.raises(ConfigError, match="did you mean 'popularity'"):
        fit_baseline("popularty", tiny_data.train, tiny_data.n_items)


@each_baseline
def test_a_linear_form_gives_the_same_scores(name, tiny_data):
    baseline = fit_to_data(name, tiny_data)
    form = baseline.linear()
    if form is None:
        pytest.skip("not linear in the history")
    expected = torch.from_numpy(form.prior).repeat(3, 1)
    matrix = form.dense()
    if matrix is not None:
        for row, (items, length) in enumerate(
            zip(HISTORIES.items.tolist(), HISTORIES.lengths.tolist(), strict=True)
        ):
            recent = items[:length][-(form.n_recent or length) :]
            for back, item in enumerate(reversed(recent)):
                expected[row] += form.decay**back * torch.from_numpy(matrix[item])
    assert form.n_items == tiny_data.n_items
    torch.testing.assert_close(baseline.scores(HISTORIES)[:, 1:], expected[:, 1:])
