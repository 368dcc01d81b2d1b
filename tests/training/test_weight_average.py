import torch
from torch import nn

from reeltune.training.base import WeightAverage


def test_the_average_follows_its_formula():
    network = nn.Linear(2, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    average = WeightAverage(network, decay=0.5)
    expected = 0.0
    for step, value in enumerate([1.0, 3.0, -2.0, 4.0, 4.0, 0.0, 1.0, 2.0, 9.0]):
        nn.init.constant_(network.weight, value)
        average.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        torch.testing.assert_close(average.weights[0], torch.full((1, 2), expected))


def test_a_second_swap_takes_the_first_back():
    network = nn.Linear(3, 2)
    average = WeightAverage(network, decay=0.9)
    nn.init.ones_(network.weight)
    averaged, own = average.weights[0].clone(), network.weight.detach().clone()
    average.swap(network)
    assert torch.equal(network.weight, averaged)
    average.swap(network)
    assert torch.equal(network.weight, own)
    assert torch.equal(average.weights[0], averaged)


def test_the_state_comes_back():
    network = nn.Linear(3, 2)
    average, other = WeightAverage(network, decay=0.9), WeightAverage(nn.Linear(3, 2), decay=0.9)
    average.update(network)
    other.load_state_dict(average.state_dict())
    assert other.n_updates == 1
    assert all(torch.equal(a, b) for a, b in zip(average.weights, other.weights, strict=True))
