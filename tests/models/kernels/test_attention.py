import pytest
import torch

from reeltune.models.kernels.attention import causal_attention


def plain(queries, keys, values, bias):
    n_new, n_steps = queries.shape[2], keys.shape[2]
    found = torch.zeros_like(queries)
    for n in range(n_new):
        last = n_steps - n_new + n
        weights = queries[:, :, n, None] @ keys[:, :, : last + 1].transpose(-1, -2)
        weights = weights * queries.shape[-1] ** -0.5
        if bias is not None:
            weights = weights + bias[:, n, None, : last + 1]
        found[:, :, n] = (weights.softmax(-1) @ values[:, :, : last + 1])[:, :, 0]
    return found


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("n_new", [1, 3, 7])
def test_each_new_step_sees_itself_and_what_came_before(n_new, has_bias):
    torch.manual_seed(0)
    keys, values = torch.randn(2, 2, 2, 7, 4, dtype=torch.float64)
    queries = torch.randn(2, 2, n_new, 4, dtype=torch.float64)
    bias = torch.randn(2, n_new, 7, dtype=torch.float64) if has_bias else None
    torch.testing.assert_close(
        causal_attention(queries, keys, values, bias), plain(queries, keys, values, bias)
    )
