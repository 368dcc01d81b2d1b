from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.errors import UserError
from reeltune.models.registry import MODELS, build_network, models_of
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.recommend.recommender import Recommender
from serving_parts import make_parts


def _recommender(folder: Path, name: str, n_layers: int, **inputs: bool) -> Recommender:
    torch.manual_seed(1)
    config = MODELS[name].config_class(embedding_dim=8, hidden_dim=12, n_layers=n_layers, inputs=inputs)
    network = build_network(config, 30)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    return Recommender.load(export_bundle(make_parts(network=network.eval()), folder / "b"))


@pytest.mark.parametrize("inputs", [{}, {"rating": True}])
@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("name", sorted(models_of("network")))
def test_steps_give_the_scores_of_the_whole_history(
    name: str, n_layers: int, inputs: dict[str, bool], tmp_path: Path
) -> None:
    recommender = _recommender(tmp_path, name, n_layers, **inputs)
    rng = np.random.default_rng(0)
    codes = rng.permutation(30)[:20] + 1
    stars = rng.integers(1, 11, size=20) / 2
    state = recommender.start()
    for n, (code, rating) in enumerate(zip(codes, stars, strict=True), start=1):
        state.add(recommender.catalogue.titles[code - 1], rating)
        whole = recommender.scores([codes[:n].tolist()], [stars[:n].tolist()])[0]
        np.testing.assert_allclose(state.scores()[1:], whole[1:], rtol=0, atol=1e-5)


def test_one_more_movie_is_one_step_of_each_layer(tmp_path: Path) -> None:
    recommender = _recommender(tmp_path, "gru", 2)
    state = recommender.start(recommender.catalogue.titles[:15])
    steps: list[int] = []
    for layer in recommender.bundle.network.layers:  # type: ignore[union-attr]
        layer.register_forward_hook(lambda _, given, __: steps.append(given[0].shape[1]))
    state.add("id:520", 3.5)
    assert steps == [1, 1]


def test_a_state_lists_what_the_history_lists(bundle_dir: Path) -> None:
    recommender = Recommender.load(bundle_dir)
    history = ["Toy Story", ("The Godfather", 4.0), "id:510"]
    state = recommender.start(history[:1])
    other = state.copy().add("id:511")
    state.extend(history[1:]).add("Toy Story", 1.0)  # is there already
    assert state.codes == [1, 2, 11]
    assert other.codes == [1, 12]
    expected = recommender.recommend(history, k=5, is_explained=True)
    found = state.recommend(k=5, is_explained=True)
    assert [r.code for r in found] == [r.code for r in expected]
    assert [r.because for r in found] == [r.because for r in expected]


def test_problems_leave_the_state_as_it_was(bundle_dir: Path) -> None:
    state = Recommender.load(bundle_dir).start()
    with pytest.raises(UserError, match="no movie was given"):
        state.recommend()
    with pytest.raises(UserError, match="did you mean"):
        state.extend(["The Godfather", "Toy Stori"])
    with pytest.raises(UserError, match="ratings go from"):
        state.add("Toy Story", 9.0)
    assert state.codes == []
