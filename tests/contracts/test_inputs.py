"""What every network must do with side information: each switch has an effect, what is missing does no harm.

Shapes: B batch, T steps, V catalogue, D width of the item vectors.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.features.config import FeatureConfig, SideShapes
from reeltune.data.prepared import PAD, Queries, Sequences
from reeltune.data.sequences import query_batches, to_histories
from reeltune.models.kernels.softmax import full_softmax_loss
from reeltune.models.registry import MODELS, build_network, models_of

N_ITEMS = 23
NAN = float("nan")
SHAPES = SideShapes(n_item_features=4, n_people=6, max_people=3, n_taste=4, n_profile_codes=5)
STEP_SWITCHES = {
    "rating": {"rating": True},
    "time_gap": {"time_gap": True},
    "request_time": {"request_time": True},
    "sentiment": {"sentiment": "lexicon"},
    "taste": {"taste": True},
    "profile": {"profile": True},
}
ITEM_SWITCHES = {
    "genres": {"genres": True},
    "year": {"year": True},
    "text": {"text": "tfidf"},
    "people": {"people": True},
}
SWITCHES = STEP_SWITCHES | ITEM_SWITCHES
ALL_ON = {key: value for switch in SWITCHES.values() for key, value in switch.items()}
SETTINGS = {"sentiment_model", "people_min_movies", "text_model", "text_dim", "in_output"}
"""Fields that say how a table is made or used, not whether a step reads something."""

each_network = pytest.mark.parametrize("name", models_of("network"))
each_switch = pytest.mark.parametrize("switch", SWITCHES)


def shapes_of(inputs: dict) -> SideShapes:
    """Return the sizes that the data would give for these switches."""
    config = FeatureConfig(**inputs)
    has_features = config.genres or config.year or config.text != "none" or config.sentiment != "none"
    return SideShapes(
        n_item_features=4 * has_features,
        n_people=6 * config.people,
        max_people=3 * config.people,
        n_taste=4 * config.taste,
        n_profile_codes=5 * config.profile,
    )


def make(name: str, inputs: dict, *, seed: int = 0):
    config = MODELS[name].config_class(embedding_dim=12, hidden_dim=16, inputs=inputs)
    shapes = shapes_of(inputs)
    torch.manual_seed(seed)
    network = build_network(config, N_ITEMS, shapes).eval()
    generator = torch.Generator().manual_seed(9)
    tables = {
        "item_features": torch.rand(N_ITEMS + 1, shapes.n_item_features, generator=generator),
        "people": torch.randint(0, 7, (N_ITEMS + 1, shapes.max_people), generator=generator),
        "taste": torch.rand(N_ITEMS + 1, shapes.n_taste, generator=generator),
    }
    for table in tables.values():
        table[PAD] = 0
    network.side.fill({key: table.numpy() for key, table in tables.items() if table.shape[1]})
    return network


def full_histories(lengths: tuple[int, ...] = (7, 1, 4, 9)) -> Histories:
    """Return histories with every column, and gaps in each."""
    generator = torch.Generator().manual_seed(5)
    rows = [torch.randint(1, N_ITEMS + 1, (n,), generator=generator).tolist() for n in lengths]
    histories = to_histories(
        rows,
        ratings=[[NAN if code % 5 == 0 else code % 5 for code in row] for row in rows],
        timestamps=[[-1 if t == 3 else 900_000_000 + 7**t for t in range(len(row))] for row in rows],
    )
    inside = torch.arange(histories.items.shape[1]) < histories.lengths[:, None]
    sentiment = (torch.rand(histories.items.shape, generator=generator) * 2 - 1).where(inside, NAN)
    sentiment[:, 2] = NAN
    profiles = torch.randint(0, 6, (len(lengths), 3), generator=generator)
    profiles[0] = torch.tensor([1, 2, 3])
    asked = histories.timestamps.roll(-1, dims=1).where(inside, -1)
    asked[torch.arange(len(lengths)), histories.lengths - 1] = 2_000_000_000
    return replace(histories, asked=asked, sentiment=sentiment, profiles=profiles)


def cut(histories: Histories, row: int, n_steps: int) -> Histories:
    names = ("items", "ratings", "timestamps", "asked", "sentiment")
    columns = {name: getattr(histories, name)[row : row + 1, :n_steps] for name in names}
    return Histories(lengths=torch.tensor([n_steps]), profiles=histories.profiles[row : row + 1], **columns)


def test_each_field_is_tested_here():
    assert FeatureConfig.model_fields.keys() == set(ALL_ON) | SETTINGS


@each_network
@each_switch
def test_each_switch_has_an_effect(name, switch):
    histories = full_histories()
    plain, network = make(name, {}), make(name, SWITCHES[switch])
    same = [(a, b) for (a, b) in zip(plain.named_parameters(), network.named_parameters(), strict=False)]
    assert all(torch.equal(a[1], b[1]) for a, b in same if a[0] == b[0]), "an input changes other weights"
    before, after = plain.scores(histories), network.scores(histories)
    assert not torch.allclose(before[0, 1:], after[0, 1:])
    assert torch.isfinite(after[:, 1:]).all()
    assert network.side(histories).shape == (*histories.items.shape, 12)


@each_network
@pytest.mark.parametrize("switch", [*ITEM_SWITCHES, "sentiment"])
def test_features_of_movies_enter_the_output_where_asked(name, switch):
    inner, outer = make(name, SWITCHES[switch]), make(name, SWITCHES[switch] | {"in_output": True})
    assert torch.equal(inner.item_vectors(), make(name, {}).item_vectors())
    assert not torch.allclose(inner.item_vectors(), outer.item_vectors())
    assert not outer.item_vectors()[PAD].any()


@each_network
@pytest.mark.parametrize("switch", ["rating", "time_gap", "request_time", "sentiment", "profile"])
def test_what_is_missing_adds_nothing(name, switch):
    """Without tables, a person about whom nothing is known is read as by a network without the input."""
    network, plain = make(name, SWITCHES[switch]), make(name, {})
    for buffer in network.side.buffers():
        buffer.zero_()
    histories = full_histories()
    absent = [Histories(histories.items, histories.lengths)]
    absent.append(
        Histories(
            histories.items,
            histories.lengths,
            ratings=torch.full(histories.items.shape, NAN),
            timestamps=torch.full(histories.items.shape, -1),
            asked=torch.full(histories.items.shape, -1),
            sentiment=torch.full(histories.items.shape, NAN),
            profiles=torch.zeros(4, 3, dtype=torch.int64),
        )
    )
    for unknown in absent:
        torch.testing.assert_close(network.scores(unknown), plain.scores(unknown))


@each_network
def test_no_position_looks_ahead(name):
    network = make(name, ALL_ON)
    histories = full_histories((9, 9))
    before = network.encode(histories)

    def moved(column, value):
        column = column.clone()
        column[:, 5] = value
        return column

    later = Histories(
        moved(histories.items, 3),
        histories.lengths,
        moved(histories.ratings, 0.5),
        moved(histories.timestamps, 999_000_000),
        moved(histories.asked, 999_000_000),  # what follows the fifth event, not the fourth
        moved(histories.sentiment, -1.0),
        histories.profiles,
    )
    after = network.encode(later)
    torch.testing.assert_close(after[:, :5], before[:, :5], rtol=0, atol=0)
    assert not torch.allclose(after[:, 5:], before[:, 5:])


@each_network
def test_padding_and_batch_order_have_no_influence(name):
    network, histories = make(name, ALL_ON), full_histories()
    alone = torch.cat(
        [network.scores(cut(histories, row, n)) for row, n in enumerate(histories.lengths.tolist())]
    )
    torch.testing.assert_close(network.scores(histories), alone, rtol=1e-4, atol=1e-5)


@each_network
def test_gradients_reach_every_parameter(name):
    network, histories = make(name, ALL_ON | {"in_output": True}), full_histories()
    targets = histories.items.roll(-1, dims=1)
    has_next = torch.arange(targets.shape[1]) < histories.lengths[:, None] - 1
    queries = network.encode(histories)[has_next]
    full_softmax_loss(queries, network.item_vectors(), network.item_bias(), targets[has_next]).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@each_network
def test_the_state_holds_the_tables(name):
    network, other = make(name, ALL_ON), make(name, ALL_ON, seed=4)
    for buffer in other.side.buffers():
        buffer.zero_()
    other.load_state_dict(network.state_dict())
    histories = full_histories()
    torch.testing.assert_close(other.scores(histories), network.scores(histories), rtol=0, atol=0)


@each_network
def test_queries_of_one_user_score_together_as_alone(name):
    network = make(name, ALL_ON)
    histories = full_histories()
    n_users, generator = len(histories.lengths), torch.Generator().manual_seed(4)

    def column(values):
        return values[torch.arange(values.shape[1]) < histories.lengths[:, None]].numpy()

    lengths = histories.lengths.numpy()
    full = Sequences(
        items=column(histories.items).astype(np.int32),
        ratings=column(histories.ratings),
        timestamps=column(histories.timestamps),
        offsets=np.concatenate(([0], np.cumsum(lengths))),
        sentiment=column(histories.sentiment),
        profiles=histories.profiles.numpy(),
    )
    user = np.repeat(np.arange(n_users), np.maximum(lengths - 1, 0)).astype(np.int32)
    end = np.concatenate([full.offsets[u] + np.arange(1, n) for u, n in enumerate(lengths)])
    order = torch.randperm(len(end), generator=generator).numpy()
    user, end = user[order], end[order]
    queries = Queries(full, user, end, full.items[end], full.ratings[end], full.timestamps[end])
    found = torch.zeros(len(end), N_ITEMS + 1)
    for batch in query_batches(queries, batch_size=6):
        assert batch.histories.whole is not None
        assert len(batch.histories.whole.lengths) < len(batch.histories.lengths)
        found[batch.index] = network.scores(batch.histories)
    for m in range(len(end)):
        (alone,) = query_batches(queries.select(np.array([m])), batch_size=1)
        assert alone.histories.whole is None
        torch.testing.assert_close(found[m], network.scores(alone.histories)[0], rtol=1e-4, atol=1e-5)
