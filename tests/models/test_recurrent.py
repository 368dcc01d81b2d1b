import torch
from torch import nn

from reeltune.data.sequences import to_histories
from reeltune.models.networks.gru import GRUConfig, GRUNetwork
from reeltune.models.networks.lstm import LSTMConfig, LSTMNetwork

HISTORIES = to_histories([[1, 5, 3], [4, 4]])


def test_one_layer_is_the_plain_recipe():
    network = GRUNetwork(GRUConfig(embedding_dim=6, hidden_dim=8), 9).eval()
    gru = nn.GRU(6, 8, batch_first=True)
    gru.load_state_dict(network.layers[0].state_dict())
    states, _ = gru(nn.functional.embedding(HISTORIES.items, network.item_vectors()))
    projected = states @ network.head.projection.weight.T + network.head.projection.bias
    mean, variance = projected.mean(-1, keepdim=True), projected.var(-1, keepdim=True, unbiased=False)
    torch.testing.assert_close(network.encode(HISTORIES), (projected - mean) / (variance + 1e-5).sqrt())
    n_parameters = sum(p.numel() for p in network.parameters())
    assert n_parameters == 10 * 6 + sum(p.numel() for p in gru.parameters()) + 6 * 8 + 6 + 2 * 6 + 10


def test_deeper_layers_add_to_the_state():
    network = GRUNetwork(GRUConfig(embedding_dim=6, hidden_dim=8, n_layers=3), 9).eval()
    shallow = GRUNetwork(GRUConfig(embedding_dim=6, hidden_dim=8), 9).eval()
    shallow.load_state_dict(network.state_dict(), strict=False)
    with torch.no_grad():
        for layer in network.layers[1:]:
            for parameter in layer.parameters():
                parameter.zero_()  # a GRU of zeros stays at zero
    torch.testing.assert_close(network.encode(HISTORIES), shallow.encode(HISTORIES))


def test_forget_gates_start_open():
    network = LSTMNetwork(LSTMConfig(embedding_dim=6, hidden_dim=8, n_layers=2), 9)
    for layer in network.layers:
        assert (layer.bias_ih_l0 + layer.bias_hh_l0)[8:16].tolist() == [1.0] * 8


def test_fresh_scores_have_about_unit_variance():
    network = GRUNetwork(GRUConfig(), 500).eval()
    assert 0.5 < network.scores(HISTORIES)[:, 1:].std().item() < 2.0
