"""Predictors of stars without a network: means, biases, matrix factorization.

Shapes: M questions, U users, V catalogue, D factors.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reeltune.config import Config
from reeltune.data.ratings import Ratings

__all__ = [
    "Biases",
    "BiasesConfig",
    "GlobalMean",
    "GlobalMeanConfig",
    "MatrixFactorization",
    "RatingBaseline",
    "RatingBaselineConfig",
    "SVDConfig",
    "SVDPlusPlus",
    "SVDPlusPlusConfig",
]

Stars = NDArray[np.float32]


class RatingBaselineConfig(Config):
    """Base of the rating baselines' configs; each has the field ``name``."""

    name: str
    """Name in the registry of models."""


class RatingBaseline(abc.ABC):
    """Predicts the stars of a person and a movie, whatever came before."""

    @classmethod
    @abc.abstractmethod
    def fit(cls, config: Any, train: Ratings, n_items: int, seed: int) -> RatingBaseline:
        """Return the predictor fitted to ``train``."""

    @abc.abstractmethod
    def predict(self, ratings: Ratings) -> Stars:
        """Return the predicted stars of each question, not cut to any scale, float32 [M]."""


class GlobalMeanConfig(RatingBaselineConfig):
    """Configuration of :class:`GlobalMean`: there is nothing to choose."""

    name: Literal["global-mean"] = "global-mean"
    """Chooses this predictor."""


class GlobalMean(RatingBaseline):
    """Predicts the mean of all training ratings."""

    def __init__(self, mean: float) -> None:
        self.mean = mean

    @classmethod
    def fit(cls, config: GlobalMeanConfig, train: Ratings, n_items: int, seed: int) -> GlobalMean:
        """Return the mean of ``train``."""
        return cls(float(train.stars.mean(dtype=np.float64)))

    def predict(self, ratings: Ratings) -> Stars:
        """Return the mean for every question, [M]."""
        return np.full(ratings.n_ratings, self.mean, dtype=np.float32)


class BiasesConfig(RatingBaselineConfig):
    """Configuration of :class:`Biases`; the defaults are those of Koren, 2010, and Surprise."""

    name: Literal["biases"] = "biases"
    """Chooses this predictor."""
    user_regularization: float = Field(default=15.0, ge=0.0, le=1e5)
    """Ratings of bias 0 added to each person's, 0 to 1e5."""
    item_regularization: float = Field(default=10.0, ge=0.0, le=1e5)
    """Ratings of bias 0 added to each movie's, 0 to 1e5."""
    max_epochs: int = Field(default=10, ge=1, le=1000)
    """Rounds of alternating least squares, 1 to 1000."""


class Biases(RatingBaseline):
    """Predicts ``mean + b[u] + b[i]``, the biases by alternating regularised least squares.

    Koren, 2010, https://doi.org/10.1145/1644873.1644874, section 2.1.
    """

    def __init__(self, mean: float, of_user: NDArray[np.float64], of_item: NDArray[np.float64]) -> None:
        """Take the biases of users [U] and items [V+1]."""
        self.mean, self.of_user, self.of_item = mean, of_user, of_item

    @classmethod
    def fit(cls, config: BiasesConfig, train: Ratings, n_items: int, seed: int) -> Biases:
        """Return the biases of ``train``."""
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
        return cls(mean, user, item)

    def predict(self, ratings: Ratings) -> Stars:
        """Return the predicted stars of each question, [M]."""
        return (self.mean + self.of_user[ratings.user] + self.of_item[ratings.item]).astype(np.float32)


class SVDConfig(RatingBaselineConfig):
    """Configuration of :class:`MatrixFactorization`; the defaults are those of Surprise."""

    name: Literal["svd"] = "svd"
    """Chooses this predictor."""
    embedding_dim: int = Field(default=100, ge=1, le=4096)
    """Factors of people and movies, 1 to 4096."""
    learning_rate: float = Field(default=0.005, gt=0.0, le=1.0)
    """Step of stochastic gradient descent, above 0 to 1."""
    regularization: float = Field(default=0.02, ge=0.0, le=10.0)
    """Penalty on squared biases and factors, 0 to 10."""
    max_epochs: int = Field(default=20, ge=1, le=1000)
    """Passes over the ratings, 1 to 1000."""


class MatrixFactorization(RatingBaseline):
    """Predicts ``mean + b[u] + b[i] + p[u] . q[i]``, learned by the package scikit-surprise.

    Koren, Bell and Volinsky, 2009, https://doi.org/10.1109/MC.2009.263.
    """

    ALGORITHM: ClassVar[str] = "SVD"

    def __init__(
        self,
        mean: float,
        biases: tuple[NDArray[np.float64], NDArray[np.float64]],
        factors: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> None:
        """Take biases [U] and [V+1], and factors [U, D] and [V+1, D]."""
        self.mean, self.biases, self.factors = mean, biases, factors

    @classmethod
    def fit(cls, config: SVDConfig, train: Ratings, n_items: int, seed: int) -> MatrixFactorization:
        """Return the factors of ``train``."""
        import surprise

        algorithm: Any = getattr(surprise, cls.ALGORITHM)(
            n_factors=config.embedding_dim,
            n_epochs=config.max_epochs,
            lr_all=config.learning_rate,
            reg_all=config.regularization,
            random_state=seed % 2**31,
        )
        algorithm.fit(_trainset(train, n_items))
        mean = float(train.stars.mean(dtype=np.float64))
        return cls(mean, (algorithm.bu, algorithm.bi), (cls._people(algorithm, train), algorithm.qi))

    @classmethod
    def _people(cls, algorithm: Any, train: Ratings) -> NDArray[np.float64]:
        people: NDArray[np.float64] = algorithm.pu
        return people

    def predict(self, ratings: Ratings) -> Stars:
        """Return the predicted stars of each question, [M]."""
        (of_user, of_item), (people, movies) = self.biases, self.factors
        products = np.einsum("md,md->m", people[ratings.user], movies[ratings.item])
        stars = self.mean + of_user[ratings.user] + of_item[ratings.item] + products
        return np.asarray(stars, dtype=np.float32)


class SVDPlusPlusConfig(SVDConfig):
    """Configuration of :class:`SVDPlusPlus`; the defaults are those of Surprise."""

    name: Literal["svd++"] = "svd++"  # type: ignore[assignment]
    """Chooses this predictor."""
    embedding_dim: int = Field(default=20, ge=1, le=4096)
    """Factors of people and movies, 1 to 4096."""
    learning_rate: float = Field(default=0.007, gt=0.0, le=1.0)
    """Step of stochastic gradient descent, above 0 to 1."""


class SVDPlusPlus(MatrixFactorization):
    """Adds to the factors of a person those of the movies that the person rated at all.

    ``p[u] + n(u) ** -.5 * sum over rated j of y[j]``. Koren, 2008, https://doi.org/10.1145/1401890.1401944.
    """

    ALGORITHM = "SVDpp"

    @classmethod
    def _people(cls, algorithm: Any, train: Ratings) -> NDArray[np.float64]:
        people: NDArray[np.float64] = algorithm.pu.copy()
        sums = np.zeros_like(people)
        np.add.at(sums, train.user, algorithm.yj[train.item])
        n_rated = np.maximum(np.bincount(train.user, minlength=len(people)), 1)
        return people + sums / np.sqrt(n_rated)[:, None]


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
