"""What every network of the registry must do; listing a network there tests it here.

Shapes: B batch, T steps, V catalogue.
"""

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.prepared import PAD
from reeltune.data.sequences import to_histories
from reeltune.data.synthetic import synthetic_data
from reeltune.errors import ConfigError
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.baselines.fit import fit_baseline
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.networks.recurrent import as_recurrent
from reeltune.models.registry import MODELS, build_network, model_entry, models_of
from reeltune.training.checkpoint import load_network
from reeltune.training.config import TrainingConfig
from reeltune.tuning.trial.config import TrialConfig
from reeltune.tuning.trial.run import run_trial

N_ITEMS = 23
SMALL = {"embedding_dim": 12, "hidden_dim": 16}
MOVED = {
    "embedding_dim": 13,
    "hidden_dim": 17,
    "n_layers": 3,
    "embedding_dropout": 0.6,
    "dropout": 0.6,
    "input_dropout": 0.6,
    "output": "free",
    "item_bias": False,
    "n_heads": 3,
    "count_prior": 1.0,
    "inputs": {"rating": True},  # each switch of it has a test in test_inputs.py
}
"""Another value of each hyperparameter, to see its effect."""

TINY_OPTIMUM = synthetic_data(n_users=150, n_items=40, mean_length=16).optimum
"""The best expectable score on ``tiny_data``."""

each_network = pytest.mark.parametrize("name", models_of("network"))
each_depth = pytest.mark.parametrize("n_layers", [1, 3])


def make(name: str, *, seed: int = 0, n_items: int = N_ITEMS, **changes):
    torch.manual_seed(seed)
    return build_network(MODELS[name].config_class(**(SMALL | changes)), n_items)


def some_histories(seed: int = 5, lengths: tuple[int, ...] = (7, 1, 4, 9)) -> Histories:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(1, N_ITEMS + 1, (n,), generator=generator).tolist() for n in lengths]
    return to_histories(rows, ratings=[[1 + code % 5 for code in row] for row in rows])


def loss_of(network, histories: Histories):
    targets = histories.items.roll(-1, dims=1)
    has_next = torch.arange(targets.shape[1]) < histories.lengths[:, None] - 1
    queries = network.encode(histories)[has_next]
    return full_softmax_loss(queries, network.item_vectors(), network.item_bias(), targets[has_next])


@each_network
@each_depth
def test_shapes(name, n_layers):
    network, histories = make(name, n_layers=n_layers), some_histories()
    encoded = network.encode(histories)
    assert encoded.shape == (4, 9, network.item_vectors().shape[1])
    assert network.item_vectors().shape[0] == network.n_items + 1 == N_ITEMS + 1
    assert network.item_bias().shape == (N_ITEMS + 1,)
    scores = network.scores(histories)
    assert scores.shape == (4, N_ITEMS + 1)
    assert scores.dtype == torch.float32
    assert torch.isneginf(scores[:, PAD]).all()
    assert torch.isfinite(scores[:, 1:]).all()


@each_network
def test_scores_are_products_of_the_last_query(name):
    network, histories = make(name).eval(), some_histories()
    torch.nn.init.normal_(network.item_bias())
    last = network.encode(histories)[torch.arange(4), histories.lengths - 1]
    expected = last @ network.item_vectors().T + network.item_bias()
    torch.testing.assert_close(network.scores(histories)[:, 1:], expected[:, 1:])


@each_network
@each_depth
def test_no_position_looks_ahead(name, n_layers):
    network = make(name, n_layers=n_layers).eval()
    histories = some_histories(lengths=(9, 9))
    before = network.encode(histories)
    items = histories.items.clone()
    items[:, 5] = items[:, 5] % N_ITEMS + 1
    after = network.encode(Histories(items, histories.lengths))
    torch.testing.assert_close(after[:, :5], before[:, :5], rtol=0, atol=0)
    assert not torch.allclose(after[:, 5:], before[:, 5:])


@each_network
@each_depth
def test_padding_has_no_influence(name, n_layers):
    network = make(name, n_layers=n_layers).eval()
    histories = some_histories()
    alone = torch.cat(
        [network.scores(Histories(histories.items[b : b + 1, :n], histories.lengths[b : b + 1]))
         for b, n in enumerate(histories.lengths.tolist())]
    )  # fmt: skip
    torch.testing.assert_close(network.scores(histories), alone, rtol=1e-4, atol=1e-5)


@each_network
def test_the_row_of_padding_never_moves(name):
    network = make(name)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.0)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(network, some_histories()).backward()
        optimizer.step()
    assert not network.item_vectors()[PAD].any()
    assert network.item_bias()[PAD] == 0


@each_network
def test_the_order_of_a_batch_has_no_influence(name):
    network, histories = make(name).eval(), some_histories()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = Histories(histories.items[order], histories.lengths[order])
    torch.testing.assert_close(network.scores(shuffled), network.scores(histories)[order])


@each_network
@each_depth
def test_gradients_reach_every_parameter(name, n_layers):
    network = make(name, n_layers=n_layers)
    loss_of(network, some_histories()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@each_network
def test_every_hyperparameter_has_an_effect(name):
    fields = set(MODELS[name].config_class.model_fields) - {"name"}
    assert fields <= MOVED.keys(), "give each new hyperparameter another value in MOVED"
    histories = some_histories()

    def outcome(**changes):
        network = make(name, **changes)
        torch.manual_seed(1)
        if (bias := network.item_bias()) is not None:
            torch.nn.init.normal_(bias, generator=torch.Generator().manual_seed(2))
        return network.scores(histories)[:, 1:]

    for field in fields:
        assert not torch.equal(outcome(), outcome(**{field: MOVED[field]})), field


@each_network
def test_the_seed_decides_the_weights(name):
    first, same, other = make(name, seed=3), make(name, seed=3), make(name, seed=4)
    pairs = list(zip(first.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.item_vectors(), other.item_vectors())


@each_network
def test_bad_sizes_are_refused(name):
    for field in ("embedding_dim", "hidden_dim", "n_layers"):
        with pytest.raises(ValueError, match="greater than or equal to 1"):
            MODELS[name].config_class(**{field: 0})
    for field in ("dropout", "embedding_dropout"):
        with pytest.raises(ValueError, match=r"less than or equal to 0\.95"):
            MODELS[name].config_class(**{field: 1.0})


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'gru'"):
        model_entry("grru", "network")


@pytest.mark.slow
@each_network
@pytest.mark.parametrize("n_layers", [1, pytest.param(4, marks=pytest.mark.soak)])
def test_overfits_a_tiny_set(name, n_layers):
    network = make(name, n_layers=n_layers, dropout=0.0, embedding_dropout=0.0)
    histories = some_histories(lengths=(8, 8, 8, 8))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(250):
        optimizer.zero_grad()
        loss = loss_of(network, histories)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    assert loss.item() < 0.2


class TwoBack:
    """Sequences whose next movie depends on the last two: the best loss that can be expected is known.

    The next movie follows from the last one with a chance of .6, from the one before with .3, else it is
    any.
    """

    def __init__(self, n_items: int = 10, seed: int = 0) -> None:
        self.n_items = n_items
        self.generator = torch.Generator().manual_seed(seed)
        self.after_last, self.after_before = (torch.randperm(n_items, generator=self.generator) for _ in "12")

    def batch(self, n_rows: int, n_steps: int = 12):
        """Return histories, their next movies [B, T] and the mean log loss of who knows the chances."""
        items = torch.randint(self.n_items, (n_rows, 2), generator=self.generator)
        losses = []
        for _ in range(n_steps):
            chances = torch.full((n_rows, self.n_items), 0.1 / self.n_items)
            for share, follows, back in ((0.6, self.after_last, 1), (0.3, self.after_before, 2)):
                chances[torch.arange(n_rows), follows[items[:, -back]]] += share
            drawn = torch.multinomial(chances, 1, generator=self.generator)
            losses.append(-chances.gather(1, drawn).log())
            items = torch.cat([items, drawn], dim=1)
        histories = to_histories((items[:, :-1] + 1).tolist())
        return histories, items[:, 1:] + 1, float(torch.cat(losses).mean())


@pytest.mark.soak
@each_network
def test_comes_within_5_percent_of_the_known_optimum(name):
    world = TwoBack()
    network = make(
        name, embedding_dim=16, hidden_dim=48, n_layers=2, n_items=10, dropout=0.0, embedding_dropout=0.0
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    n_steps = 300

    def loss_and_optimum(n_rows: int):
        histories, targets, optimum = world.batch(n_rows)
        # The first two movies are any: the rule begins with the second target.
        queries = network.encode(histories)[:, 1:].flatten(0, 1)
        vectors, bias = network.item_vectors(), network.item_bias()
        return full_softmax_loss(queries, vectors, bias, targets[:, 1:].flatten()), optimum

    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 - step / n_steps)
        optimizer.zero_grad()
        loss_and_optimum(32)[0].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    with torch.inference_mode():
        loss, optimum = loss_and_optimum(2000)
    assert loss.item() < 1.05 * optimum


@each_network
@each_depth
def test_windows_equal_the_whole_sequence_where_the_state_is_carried(name, n_layers):
    """Scores and gradients of a history read in two windows are those of one pass."""
    network = make(name, n_layers=n_layers, dropout=0.0, embedding_dropout=0.0)
    if as_recurrent(network) is None:
        pytest.skip("it carries no state")
    histories = some_histories(lengths=(9, 9))
    parts = [Histories(histories.items[:, span], torch.tensor([span.stop - span.start] * 2))
             for span in (slice(0, 4), slice(4, 9))]  # fmt: skip
    whole, _ = network.advance(histories)
    first, memory = network.advance(parts[0])
    second, _ = network.advance(parts[1], memory)
    halves = torch.cat([first, second], dim=1)
    torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-6)
    weights = torch.randn_like(whole)
    body = [p for n, p in network.named_parameters() if not n.startswith("head.")]
    of_whole = torch.autograd.grad((whole * weights).sum(), body)
    of_halves = torch.autograd.grad((halves * weights).sum(), body)
    for one, other in zip(of_whole, of_halves, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@each_network
@pytest.mark.parametrize("n_layers", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_reaches_its_floor_and_comes_back_from_a_file(name, n_layers, tiny_data, tmp_path):
    config = TrialConfig(
        model=MODELS[name].config_class(
            embedding_dim=32, hidden_dim=48, n_layers=n_layers, embedding_dropout=0.2, dropout=0.2
        ),
        # The world is so small that there are 150 steps: a slow start and little decay.
        training=TrainingConfig(
            batch_size=16,
            max_epochs=15,
            learning_rate=0.01,
            history_length=32,
            weight_decay=0.01,
            warmup_fraction=0.3,
        ),
    )
    result = run_trial(config, tiny_data, lambda _: None, directory=tmp_path, seed=1)
    popularity = fit_baseline("popularity", tiny_data.train, tiny_data.n_items)
    popular = ranking_metrics(rank_queries(popularity, tiny_data.validation))["ndcg@10"]
    assert result.metrics["ndcg@10"] > 1.8 * popular
    assert result.metrics["ndcg@10"] > 0.65 * TINY_OPTIMUM["ndcg@10"]
    network = load_network(tmp_path / "best.ckpt")
    assert not network.training
    assert ranking_metrics(rank_queries(network, tiny_data.validation)) == result.metrics
