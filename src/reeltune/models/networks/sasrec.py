"""Self-attention over the movies seen: the yardstick beside the recurrent networks.

Shapes: B batch, T steps, D embedding, H feed-forward width, K heads, W width of a head.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from reeltune.data.batch import Histories
from reeltune.models.kernels.attention import causal_attention
from reeltune.models.kernels.dropout import Dropout
from reeltune.models.networks.catalogue import CatalogueNetwork, NetworkConfig

_N_EXACT = 16
"""Steps back that have a bucket each; further ones share buckets that grow with the logarithm."""
_N_BUCKETS = 32
_FARTHEST = 1024
"""Steps back from which all share the last bucket."""


class SASRecConfig(NetworkConfig):
    """Configuration of :class:`SASRecNetwork`."""

    name: Literal["sasrec"] = "sasrec"
    """Chooses this network."""
    hidden_dim: int = Field(default=128, ge=1, le=8192)
    """Width of each block's feed-forward layer, 1 to 8192."""
    n_layers: int = Field(default=2, ge=1, le=16)
    """Attention blocks, 1 to 16."""
    n_heads: int = Field(default=2, ge=1, le=64)
    """Heads of each attention, 1 to 64; each is ``embedding_dim / n_heads`` wide, rounded up."""


class _Block(nn.Module):
    """Attention and feed-forward layer, each with normalisation before it and a residual around it."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        width = config.embedding_dim
        self.n_heads = config.n_heads
        inner = self.n_heads * -(-width // self.n_heads)
        self.attention_norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * inner)
        self.outputs = nn.Linear(inner, width)
        self.distances = nn.Embedding(_N_BUCKETS, self.n_heads)  # added to each head's weights
        nn.init.zeros_(self.distances.weight)
        self.forward_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, config.hidden_dim)
        self.outer = nn.Linear(config.hidden_dim, width)
        self.dropout = Dropout(config.dropout)

    def forward(self, states: Tensor, buckets: Tensor) -> Tensor:
        """Return the new states [B, T, D] given ``buckets`` [T, T] of the distances."""
        joint = self.inputs(self.attention_norm(states))
        parts = joint.view(joint.shape[0], joint.shape[1], 3, self.n_heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # [B, K, T, W] each
        bias = self.distances(buckets).permute(2, 0, 1)  # [K, T, T]
        found = causal_attention(queries, keys, values, bias).transpose(1, 2).flatten(2)
        states = states + self.dropout(self.outputs(found))
        inner = self.dropout(nn.functional.gelu(self.inner(self.forward_norm(states))))
        changed: Tensor = states + self.dropout(self.outer(inner))
        return changed


class SASRecNetwork(CatalogueNetwork):
    """SASRec (Kang and McAuley, 2018, https://arxiv.org/abs/1808.09781) over a history.

    It differs in the loss, which is that of the training config, in normalisation before each part rather
    than after, and in places: an attention weight has a learned bias for how many steps back it looks
    (buckets as in T5, Raffel et al., 2020, https://arxiv.org/abs/1910.10683), and there are no
    absolute places, because training windows start anywhere in a history and may be shorter than it.
    """

    def build_body(self, config: NetworkConfig) -> int:
        """Make the blocks."""
        assert isinstance(config, SASRecConfig)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.embedding_dim)
        return config.embedding_dim

    def states(self, histories: Histories) -> Tensor:
        """Return the state after each position, shape [B, T, D]."""
        states = self.embedded(histories)
        buckets = _buckets(histories.items)
        for block in self.blocks:
            states = block(states, buckets)
        normalised: Tensor = self.norm(states)
        return normalised


def _buckets(items: Tensor) -> Tensor:
    """Return the bucket of each step's distance to each other step of ``items`` [B, T], int64 [T, T]."""
    places = torch.arange(items.shape[1], device=items.device)
    back = (places[:, None] - places).clamp(min=0)
    share = torch.log(back.clamp(min=_N_EXACT).float() / _N_EXACT) / math.log(_FARTHEST / _N_EXACT)
    far = _N_EXACT + (share * (_N_BUCKETS - _N_EXACT)).long()
    return torch.where(back < _N_EXACT, back, far.clamp(max=_N_BUCKETS - 1))
