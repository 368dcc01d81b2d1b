"""Weights of re-ranking: chosen by a caller, or tuned on validation and kept in a bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from reeltune.errors import UserError


@dataclass(frozen=True)
class Reranking:
    """How much beside the score counts; all 0 keeps the order of the scores."""

    popularity: float = 0.0
    """Weight of popularity, -1 (away from it) to 1."""
    novelty: float = 0.0
    """Weight of the distance from what the user saw, 0 to 1."""
    calibration: float = 0.0
    """Weight of genres in the user's proportions against all else, 0 to 1."""
    n_candidates: int = 200
    """Best movies by score that may enter the list, 1 to 10,000."""
    popularity_among: Literal["candidates", "catalogue"] = "candidates"
    """What popularity is brought to 0..1 in: the candidates, or the catalogue as in older bundles, where a
    weight moves less."""

    def __post_init__(self) -> None:
        if self.popularity_among not in {"candidates", "catalogue"}:
            raise UserError(f"popularity_among is {self.popularity_among!r}; it is candidates or catalogue")
        for name, low, high in (
            ("popularity", -1.0, 1.0),
            ("novelty", 0.0, 1.0),
            ("calibration", 0.0, 1.0),
            ("n_candidates", 1, 10_000),
        ):
            if not low <= (value := getattr(self, name)) <= high:
                raise UserError(f"{name} is {value:g}; it goes from {low:g} to {high:g}")

    def changed(self, **weights: float | None) -> Reranking:
        """Return these weights with those that are given (not None) in the place of their own.

        >>> Reranking(popularity=-0.2, novelty=0.3).changed(novelty=0.0, popularity=None).popularity
        -0.2
        """
        given = {name: weight for name, weight in weights.items() if weight is not None}
        return replace(self, **given)  # type: ignore[arg-type]

    @property
    def is_off(self) -> bool:
        """Whether the order of the scores stays."""
        return not (self.popularity or self.novelty or self.calibration)


AS_SCORED = Reranking()
