"""What a network reads at each step: the embedding of the movie just seen.

Shapes: B batch, T steps, D embedding, V catalogue.
"""

from __future__ import annotations

from torch import Tensor, nn

from reeltune.data.prepared import PAD

__all__ = ["ItemEmbedding"]


class ItemEmbedding(nn.Module):
    """Looks up the embedding of each movie and drops parts of it while training.

    Rows are drawn with a standard deviation of ``embedding_dim ** -.5``, so that a normalised
    query has scores of about unit variance at the start. The row of padding is zero and stays so.
    """

    def __init__(self, n_items: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(n_items + 1, embedding_dim, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.table.weight, std=embedding_dim**-0.5)
        nn.init.zeros_(self.table.weight[PAD].detach())

    def forward(self, items: Tensor) -> Tensor:
        """Return the embeddings of ``items`` [B, T], shape [B, T, D]."""
        embedded: Tensor = self.dropout(self.table(items))
        return embedded
