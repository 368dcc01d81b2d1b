import numpy as np
import pytest
import torch

from reeltune.data.sequences import query_batches
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.ranks import target_ranks
from reeltune.models.networks.gru import GRUConfig, GRUNetwork


class ByCode:
    """Scores a movie by its code: ranks can be counted by hand."""

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    def scores(self, histories):
        return -torch.arange(self.n_items + 1.0).repeat(len(histories.items), 1)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_ranks_come_back_in_the_order_of_the_queries(tiny_data, batch_size):
    queries = tiny_data.validation
    expected = [
        queries.target[m] - len({i for i in queries.history(m).tolist() if i < queries.target[m]})
        for m in range(queries.n_queries)
    ]
    ranks = rank_queries(ByCode(tiny_data.n_items), queries, batch_size=batch_size)
    assert ranks.dtype == np.int32
    assert ranks.tolist() == expected


def test_a_network_is_ranked_without_dropout_and_left_in_training(tiny_data):
    network = GRUNetwork(GRUConfig(embedding_dim=8, hidden_dim=8, dropout=0.9), tiny_data.n_items).train()
    first, second = (rank_queries(network, tiny_data.validation) for _ in range(2))
    assert network.training
    assert np.array_equal(first, second)
    network.eval()
    with torch.no_grad():
        batch = next(query_batches(tiny_data.validation, batch_size=16))
        ranks = target_ranks(network.scores(batch.histories), batch.targets, batch.histories.items)
    assert np.array_equal(first[batch.index.numpy()], ranks.numpy())
