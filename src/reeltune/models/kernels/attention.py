"""Causal attention of new steps to all steps, in a form for training and one for exporters.

Shapes: B batch, N new steps, T all steps, K heads, D width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def causal_attention(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``softmax(Q K^T / sqrt(D) + bias) V``, shape [B, K, N, D].

    The queries are those of the last N of T steps; each sees its own step and those before it.

    Args:
        queries: [B, K, N, D].
        keys: [B, K, T, D].
        values: [B, K, T, D].
        bias: [K, N, T], or None.
    """
    n_new, n_steps = queries.shape[2], keys.shape[2]
    is_exported = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if bias is None and n_new == n_steps and not is_exported:
        return functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    places = torch.arange(n_steps, device=keys.device)
    is_later = places > places[n_steps - n_new :, None]  # [N, T]
    mask = torch.zeros_like(is_later, dtype=queries.dtype).masked_fill(is_later, float("-inf"))
    if bias is not None:
        mask = mask + bias.to(queries.dtype)
    if not is_exported:
        mask = mask.expand(1, queries.shape[1], -1, -1)
        return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    weights = (queries @ keys.transpose(-1, -2)) * queries.shape[-1] ** -0.5 + mask
    found: Tensor = weights.softmax(dim=-1) @ values
    return found
