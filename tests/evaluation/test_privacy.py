from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Users
from reeltune.data.prepare.splits import LeaveLast
from reeltune.data.store import open_tuning, write_dataset
from reeltune.data.synthetic import synthetic_data
from reeltune.errors import ConfigError
from reeltune.evaluation import compare
from reeltune.evaluation.analyses import membership
from reeltune.evaluation.analyses.membership import (
    check_membership,
    last_training_queries,
    membership_attack,
    target_losses,
)
from reeltune.evaluation.analyses.privacy import probe_attribute, user_states
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.networks.gru import GRUConfig, GRUNetwork
from reeltune.serving.recommend.audit import probe_people


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 500)
    monkeypatch.setattr(compare, "N_FLIPS", 1999)
    monkeypatch.setattr(membership, "N_RESAMPLES", 100)


def test_the_state_is_that_after_the_last_movie(tiny_data) -> None:
    torch.manual_seed(0)
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8), tiny_data.n_items)
    states = user_states(network, tiny_data.validation, batch_size=16)
    network.eval()
    history = tiny_data.validation.history(3)
    from reeltune.data.sequences import to_histories

    with torch.no_grad():
        expected = network.encode(to_histories([history.tolist()]))[0, -1]
    assert states.shape == (tiny_data.validation.n_queries, 8)
    assert states[3] == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_probe_finds_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    n = 400
    labels = np.where(rng.random(n) < 0.7, "M", "F").astype(object)
    labels[:10] = ""
    labels[10:15] = "X"
    blind = rng.normal(size=(n, 6))
    telling = blind.copy()
    telling[:, 2] += 2.0 * (labels == "F")
    found = probe_attribute(telling, list(labels), attribute="gender")
    assert found is not None
    assert found.classes == ("F", "M")
    assert found.n_left_out == 15
    assert found.against_majority.is_better
    assert found.auc.low > 0.8
    assert found.is_readable
    assert "gender can be read" in found.verdict()
    nothing = probe_attribute(blind, list(labels), attribute="gender")
    assert nothing is not None
    assert not nothing.against_majority.is_better
    assert 0.4 < nothing.balanced_accuracy < 0.6
    assert nothing.auc.low < 0.5
    assert "cannot be told from guessing" in nothing.verdict()
    json.dumps(found.plain(), allow_nan=False)


def test_a_probe_needs_two_classes_of_enough_people() -> None:
    assert probe_attribute(np.zeros((30, 2)), ["M"] * 25 + ["F"] * 5, attribute="gender") is None


def test_losses_are_negative_log_chances_among_the_unseen(tiny_data) -> None:
    torch.manual_seed(0)
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8), tiny_data.n_items)
    queries = tiny_data.validation
    losses = target_losses(network, queries, batch_size=16)
    from reeltune.data.sequences import to_histories

    network.eval()
    history, target = queries.history(5).tolist(), int(queries.target[5])
    with torch.no_grad():
        scores = network.scores(to_histories([history]))[0].double()
    candidates = [i for i in range(1, tiny_data.n_items + 1) if i not in history or i == target]
    expected = -torch.log_softmax(scores[candidates], 0)[candidates.index(target)]
    assert losses[5] == pytest.approx(float(expected))


def test_an_attack_tells_memory_from_guessing() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(3, 1, size=600)  # what any model finds hard
    members, others = hard[:300] - 0.8, hard[300:]
    alone = membership_attack(members, others, unit="movies")
    calibrated = membership_attack(
        members, others, unit="movies",
        reference_members=hard[:300] + rng.normal(0, 0.1, 300),
        reference_others=hard[300:] + rng.normal(0, 0.1, 300), reference="another",
    )  # fmt: skip
    assert 0.6 < alone.auc.value < calibrated.auc.value
    assert calibrated.auc.value > 0.99
    assert calibrated.at_1_percent > 0.9
    assert calibrated.is_leaking
    assert "against another" in calibrated.verdict()
    blind = membership_attack(hard[:300], hard[300:], unit="movies")
    assert blind.auc.low < 0.5 < blind.auc.high
    assert blind.advantage < 0.15
    assert "no leak" in blind.verdict()
    json.dumps(calibrated.plain(), allow_nan=False)


def test_ties_count_half_and_bad_input_is_told() -> None:
    assert membership_attack([1.0, 1.0], [1.0], unit="x").auc.value == 0.5
    with pytest.raises(ConfigError, match="both sides"):
        membership_attack([], [1.0], unit="x")
    with pytest.raises(ConfigError, match="not finite"):
        membership_attack([np.nan], [1.0], unit="x")
    with pytest.raises(ConfigError, match="members and for others"):
        membership_attack([1.0], [1.0], unit="x", reference_members=[1.0])


class Memory:
    """Scores what followed in training far above the rest, for the one history it was shown."""

    def __init__(self, queries, n_items: int) -> None:
        self.n_items = n_items
        self.known = {tuple(queries.history(m)): int(queries.target[m]) for m in range(queries.n_queries)}

    def scores(self, histories):
        scores = torch.zeros(len(histories.items), self.n_items + 1)
        for row, length in enumerate(histories.lengths):
            target = self.known.get(tuple(histories.items[row, :length].tolist()))
            if target is not None:
                scores[row, target] = 10.0
        return scores


def test_a_model_that_remembers_is_caught_and_popularity_is_not(tiny_data) -> None:
    members = last_training_queries(tiny_data)
    assert check_membership(Memory(members, tiny_data.n_items), tiny_data).auc.value > 0.95
    popularity = fit_baseline("popularity", members.known(), tiny_data.n_items)
    found = check_membership(popularity, tiny_data)
    assert abs(found.auc.value - 0.5) < 0.12


def test_a_user_with_several_targets_is_attacked_and_probed_once(tmp_path, monkeypatch) -> None:
    raw = synthetic_data(n_users=60, n_items=40, mean_length=14).raw
    split = LeaveLast(n_validation=3, n_test=2)
    write_dataset(tmp_path / "d", raw, DataConfig(dataset="synthetic", k_core=1, split=split))
    data = open_tuning(tmp_path / "d")
    n_asked = data.validation.n_users
    assert data.validation.n_queries == 3 * n_asked
    found = check_membership(fit_baseline("popularity", data.train, data.n_items), data)
    assert found.n_others == n_asked
    probed: list[int] = []
    monkeypatch.setattr(
        "reeltune.serving.recommend.audit.probe_attribute",
        lambda states, *_, **__: probed.append(len(states)),
    )
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8), data.n_items)
    users = Users((), genders=("F", "M") * 30)
    assert probe_people(network, data, users, seed=1) == {"gender": None}
    assert probed == [n_asked]
