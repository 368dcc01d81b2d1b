"""The rating network: what it may see and what it must learn."""

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.features.config import FeatureConfig
from reeltune.data.sequences import to_histories
from reeltune.models.rating.network import RatingHeadConfig, RatingNetwork
from reeltune.models.registry import MODELS, build_network, models_of

N_ITEMS, N_USERS = 11, 4
HISTORIES = to_histories([[3, 9, 1, 4], [5, 2]], ratings=[[1, 5, 2, 4], [3, 3]])
USERS, ROW = torch.tensor([2, 0]), torch.tensor([0, 0, 1, 1])
BEFORE, ITEMS = torch.tensor([0, 3, 2, 1]), torch.tensor([7, 4, 7, 2])


def make(name="gru", **head):
    torch.manual_seed(3)
    config = MODELS[name].config_class(
        embedding_dim=8, hidden_dim=8, inputs=FeatureConfig(rating=True), dropout=0.0, embedding_dropout=0.0
    )
    network = RatingNetwork(
        build_network(config, N_ITEMS), RatingHeadConfig(factors=4, dropout=0.0) if not head
        else RatingHeadConfig(**{"factors": 4, "dropout": 0.0} | head), N_USERS,
    )  # fmt: skip
    for parameter in network.parameters():  # small first weights would hide an effect
        torch.nn.init.normal_(parameter.detach(), std=0.5)
    return network


def stars(network, histories=HISTORIES, users=USERS):
    return network(histories, users, ROW, BEFORE, ITEMS)[0]


@pytest.mark.parametrize("name", models_of("network"))
def test_no_question_sees_what_came_after_it(name):
    network = make(name).eval()
    before = stars(network)
    items, ratings = HISTORIES.items.clone(), HISTORIES.ratings.clone()
    items[0, 3], ratings[0, 3] = 8, 1.0  # asked before 0 and 3 events: neither sees the fourth
    after = stars(network, Histories(items, HISTORIES.lengths, ratings))
    assert torch.equal(before, after)
    ratings[0, 2] = 5.0
    moved = stars(network, Histories(items, HISTORIES.lengths, ratings))
    assert torch.equal(moved[[0, 2, 3]], before[[0, 2, 3]])
    assert moved[1] != before[1]


@pytest.mark.parametrize("name", models_of("network"))
def test_padding_and_the_other_people_have_no_influence(name):
    network = make(name).eval()
    alone = network(to_histories([[5, 2]], ratings=[[3, 3]]), USERS[1:], ROW[2:] - 1, BEFORE[2:], ITEMS[2:])[
        0
    ]
    torch.testing.assert_close(stars(network)[2:], alone)


def test_the_person_counts_unless_unknown_or_switched_off():
    network = make().eval()
    assert not torch.equal(stars(network)[:2], stars(network, users=torch.tensor([1, 0]))[:2])
    unknown = stars(network, users=torch.tensor([-1, -1]))
    network.head.user_bias.weight.data[0] = 0
    network.head.user_factors.weight.data[0] = 0
    known = stars(network)
    assert not torch.equal(unknown, known)
    off = make(people=False).eval()
    assert torch.equal(stars(off), stars(off, users=torch.tensor([1, 3])))


def test_gradients_reach_the_head_and_the_layers_below():
    network = make()
    stars(network).square().sum().backward()
    without = {name for name, p in network.named_parameters() if p.requires_grad and p.grad is None}
    assert without == {"network.head.bias"}  # the bias of the softmax has no part in stars
    assert not network.head.mean.requires_grad


def test_known_movies_count_from_the_start_but_not_their_stars():
    network = make(rated="known").eval()
    before = stars(network)
    items, ratings = HISTORIES.items.clone(), HISTORIES.ratings.clone()
    ratings[0, 3] = 1.0  # the last event: no question of the first person comes after it
    assert torch.equal(stars(network, Histories(items, HISTORIES.lengths, ratings)), before)
    items[0, 3] = 8
    moved = stars(network, Histories(items, HISTORIES.lengths, ratings))
    assert (moved[:2] != before[:2]).all()
    assert torch.equal(moved[2:], before[2:])


@pytest.mark.parametrize("rated", ["before", "known"])
def test_rated_movies_add_the_sum_over_the_root_of_their_number(rated):
    head = make(rated=rated).head
    found = head.of_rated(HISTORIES.items, ROW, BEFORE)
    movies = [[], [3, 9, 1], [5, 2], [5]] if rated == "before" else [[3, 9, 1, 4]] * 2 + [[5, 2]] * 2
    for row, known in zip(found, movies, strict=True):
        wanted = head.rated_factors.weight[known].sum(dim=0) / max(1, len(known)) ** 0.5
        torch.testing.assert_close(row, wanted)
    assert make(rated="none").head.of_rated(HISTORIES.items, ROW, BEFORE) is None


def test_what_is_read_more_often_is_held_back_more_often():
    head = make().head
    factors, biases = head.squares(USERS[ROW] + 1, ITEMS, HISTORIES.items)
    movies, people = [7, 4, 7, 2], [3, 3, 1, 1]
    wanted = (
        sum(
            head.item_factors.weight[i].square().sum() + head.user_factors.weight[u].square().sum()
            for i, u in zip(movies, people, strict=True)
        )
        / 4
        + sum(head.rated_factors.weight[j].square().sum() for j in (3, 9, 1, 4, 5, 2)) / 6
    )
    torch.testing.assert_close(factors, wanted)
    wanted = (
        sum(
            head.item_bias.weight[i].square().sum() + head.user_bias.weight[u].square().sum()
            for i, u in zip(movies, people, strict=True)
        )
        / 4
    )
    torch.testing.assert_close(biases, wanted)
