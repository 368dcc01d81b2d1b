"""Predictors of ratings without a network: means, biases, matrix factorization.

Shapes: M questions, U users, V catalogue, D factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reeltune.config import Config
from reeltune.data.ratings import Ratings

Floats = NDArray[np.float64]


class RatingBaselineConfig(Config):
    """Base of the rating baselines' configs; each has the field ``name``."""

    name: str
    """Name in the registry of models."""


@dataclass(frozen=True)
class RatingBaseline:
    """Predicts ``mean + b[u] + b[i] + p[u] . q[i]``, whatever came before; parts may be absent."""

    bounds: tuple[float, float]  # least and most of the training ratings, to which predictions are cut
    mean: float
    user_bias: Floats | None = None  # [U]
    item_bias: Floats | None = None  # [V+1]
    user_factors: Floats | None = None  # [U, D]
    item_factors: Floats | None = None  # [V+1, D]

    def predict(self, ratings: Ratings) -> NDArray[np.float32]:
        """Return the predicted rating of each question, [M]."""
        found: Any = np.full(ratings.n_ratings, self.mean)
        if self.user_bias is not None and self.item_bias is not None:
            found = self.mean + self.user_bias[ratings.user] + self.item_bias[ratings.item]
        if self.user_factors is not None and self.item_factors is not None:
            found = found + np.einsum(
                "md,md->m", self.user_factors[ratings.user], self.item_factors[ratings.item]
            )
        predicted: NDArray[np.float32] = np.clip(found.astype(np.float32), *self.bounds)
        return predicted

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, as arrays by name; :meth:`from_tables` takes them back."""
        return {name: np.asarray(value) for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_tables(cls, tables: Mapping[str, NDArray[Any]]) -> RatingBaseline:
        """Return the predictor that was fitted before.

        Raises:
            KeyError: A table is missing.
            TypeError: A table is none of its own.
        """
        rest = {name: table for name, table in tables.items() if name not in ("bounds", "mean")}
        low, high = tables["bounds"].tolist()
        return cls((low, high), float(tables["mean"]), **rest)


class GlobalMeanConfig(RatingBaselineConfig):
    """Configuration of :func:`fit_global_mean`: there is nothing to choose."""

    name: Literal["global-mean"] = "global-mean"
    """Chooses this predictor."""


def fit_global_mean(config: GlobalMeanConfig, train: Ratings, n_items: int, seed: int) -> RatingBaseline:
    """Return what predicts the mean of all training ratings."""
    return RatingBaseline(train.bounds, float(train.stars.mean(dtype=np.float64)))


class BiasesConfig(RatingBaselineConfig):
    """Configuration of :func:`fit_biases`; the defaults are those of Koren, 2010, and Surprise."""

    name: Literal["biases"] = "biases"
    """Chooses this predictor."""
    user_regularization: float = Field(default=15.0, ge=0.0, le=1e5)
    """Ratings of bias 0 added to each user's, 0 to 1e5."""
    item_regularization: float = Field(default=10.0, ge=0.0, le=1e5)
    """Ratings of bias 0 added to each movie's, 0 to 1e5."""
    max_epochs: int = Field(default=10, ge=1, le=1000)
    """Rounds of alternating least squares, 1 to 1000."""


def fit_biases(config: BiasesConfig, train: Ratings, n_items: int, seed: int) -> RatingBaseline:
    """Return ``mean + b[u] + b[i]``, the biases by alternating regularised least squares.

    Koren, 2010, https://doi.org/10.1145/1644873.1644874, section 2.1.
    """
    stars = train.stars.astype(np.float64)
    mean, n_users = float(stars.mean()), train.sequences.n_users
    user, item = np.zeros(n_users), np.zeros(n_items + 1)
    n_of_user = np.bincount(train.user, minlength=n_users) + config.user_regularization
    n_of_item = np.bincount(train.item, minlength=n_items + 1) + config.item_regularization
    for _ in range(config.max_epochs):
        rest = np.bincount(train.item, stars - mean - user[train.user], minlength=n_items + 1)
        item = np.divide(rest, n_of_item, out=np.zeros_like(rest), where=n_of_item > 0)
        rest = np.bincount(train.user, stars - mean - item[train.item], minlength=n_users)
        user = np.divide(rest, n_of_user, out=np.zeros_like(rest), where=n_of_user > 0)
    return RatingBaseline(train.bounds, mean, user, item)


class SVDConfig(RatingBaselineConfig):
    """Configuration of :func:`fit_factors`; the defaults are those of Surprise."""

    algorithm: ClassVar[str] = "SVD"
    name: Literal["svd"] = "svd"
    """Chooses this predictor."""
    embedding_dim: int = Field(default=100, ge=1, le=4096)
    """Factors of users and movies, 1 to 4096."""
    learning_rate: float = Field(default=0.005, gt=0.0, le=1.0)
    """Step of stochastic gradient descent, above 0 to 1."""
    regularization: float = Field(default=0.02, ge=0.0, le=10.0)
    """Penalty on squared biases and factors, 0 to 10."""
    max_epochs: int = Field(default=20, ge=1, le=1000)
    """Passes over the ratings, 1 to 1000."""


class SVDPlusPlusConfig(SVDConfig):
    """Configuration of :func:`fit_factors` with the movies that a user rated; defaults of Surprise."""

    algorithm: ClassVar[str] = "SVDpp"
    name: Literal["svd++"] = "svd++"  # type: ignore[assignment]
    """Chooses this predictor."""
    embedding_dim: int = Field(default=20, ge=1, le=4096)
    """Factors of users and movies, 1 to 4096."""
    learning_rate: float = Field(default=0.007, gt=0.0, le=1.0)
    """Step of stochastic gradient descent, above 0 to 1."""


def fit_factors(config: SVDConfig, train: Ratings, n_items: int, seed: int) -> RatingBaseline:
    """Return ``mean + b[u] + b[i] + p[u] . q[i]``, learned by the package scikit-surprise.

    Koren, Bell and Volinsky, 2009, https://doi.org/10.1109/MC.2009.263. SVD++ adds to the factors of a user
    those of the movies that the user rated at all, ``p[u] + n(u) ** -.5 * sum over rated j of y[j]`` (Koren,
    2008, https://doi.org/10.1145/1401890.1401944).
    """
    import surprise

    algorithm: Any = getattr(surprise, config.algorithm)(
        n_factors=config.embedding_dim,
        n_epochs=config.max_epochs,
        lr_all=config.learning_rate,
        reg_all=config.regularization,
        random_state=seed % 2**31,
    )
    algorithm.fit(_trainset(train, n_items))
    users: Floats = algorithm.pu
    if hasattr(algorithm, "yj"):
        sums = np.zeros_like(users)
        np.add.at(sums, train.user, algorithm.yj[train.item])
        n_rated = np.maximum(np.bincount(train.user, minlength=len(users)), 1)
        users = users + sums / np.sqrt(n_rated)[:, None]
    mean = float(train.stars.mean(dtype=np.float64))
    return RatingBaseline(train.bounds, mean, algorithm.bu, algorithm.bi, users, algorithm.qi)


def _trainset(train: Ratings, n_items: int) -> Any:
    """Return the ratings as Surprise holds them, by row of the user and code of the movie."""
    from collections import defaultdict

    from surprise import Trainset

    of_user: dict[int, list[tuple[int, float]]] = defaultdict(list)
    of_item: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for user, item, stars in zip(train.user.tolist(), train.item.tolist(), train.stars.tolist(), strict=True):
        of_user[user].append((item, stars))
        of_item[item].append((user, stars))
    n_users, n_codes = train.sequences.n_users, n_items + 1
    users, items = {u: u for u in range(n_users)}, {i: i for i in range(n_codes)}
    scale = (float(train.stars.min()), float(train.stars.max()))
    return Trainset(of_user, of_item, n_users, n_codes, train.n_ratings, scale, users, items)
