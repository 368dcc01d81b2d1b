"""Folds for rating prediction: some rows are hidden, whatever their time.

The queries ask for the rating of a known pair of user and movie: ``target_rating`` is the
truth, ``user`` the row of the user's training events. A query's history ends at ``end``,
before the target in time, so that a sequence model sees the past only; a model that knows
no time may use all training events of the user, as the published figures do.

Shapes: N events, M queries.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from reeltune.data.prepare.preparation import Prepared
from reeltune.data.prepare.splits import Parts, SplitConfig, queries_at
from reeltune.data.prepared import Sequences
from reeltune.errors import DataError
from reeltune.seeding import derive

_VALIDATION_SHARE = 0.1  # of the rows that are not test
_OFFICIAL_SEED = 17  # the publisher's folds have no validation rows: these are drawn from the training rows


class KFold(SplitConfig):
    """Rows are dealt into folds at random; one fold is test, a tenth of the rest validation."""

    in_words: ClassVar[str] = (
        "rows are dealt into folds at random: one fold is test, a tenth of the others validation"
    )
    name: Literal["k-fold"] = "k-fold"
    n_folds: int = Field(default=5, ge=2, le=100)
    """Number of folds, 2 to 100."""
    fold: int = Field(default=1, ge=1)
    """The fold that is test, counted from 1."""
    seed: int = Field(default=17, ge=0)
    """Seed of the dealing."""

    @model_validator(mode="after")
    def _fold_exists(self) -> KFold:
        if self.fold > self.n_folds:
            raise ValueError(f"fold {self.fold} does not exist; there are {self.n_folds}")
        return self

    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""
        rng = np.random.default_rng(derive(self.seed, "folds", self.n_folds))
        fold = rng.permutation(prepared.sequences.n_events) % self.n_folds + 1
        return _parts(prepared.sequences, fold == self.fold, derive(self.seed, "validation", self.fold))


class OfficialFold(SplitConfig):
    """The publisher's folds: ``u1.test`` to ``u5.test`` of MovieLens 100K."""

    in_words: ClassVar[str] = (
        "a fold of the data's publisher is test, a tenth of the other rows, at random, validation"
    )
    name: Literal["official-fold"] = "official-fold"
    fold: int = Field(default=1, ge=1, le=5)
    """The fold that is test, 1 to 5."""

    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""
        if prepared.fold is None:
            raise DataError(
                "this source has no official folds; they come with the publisher's files of movielens-100k "
                "(u1.test to u5.test). Choose the split k-fold, or give that archive with --data-dir"
            )
        is_test = prepared.fold == self.fold
        return _parts(prepared.sequences, is_test, derive(_OFFICIAL_SEED, "validation", self.fold))


def _parts(full: Sequences, is_test: NDArray[np.bool_], seed: int) -> Parts:
    rng = np.random.default_rng(seed)
    rest = np.flatnonzero(~is_test)
    n_validation = int(len(rest) * _VALIDATION_SHARE)
    if not is_test.any() or not n_validation:
        raise DataError(
            f"{full.n_events} rows are too few for folds: a fold or its validation rows are empty"
        )
    is_validation = np.zeros(full.n_events, dtype=bool)
    is_validation[rng.permutation(rest)[:n_validation]] = True
    validation = queries_at(full, ~is_test & ~is_validation, np.flatnonzero(is_validation))
    return Parts(
        train=validation.sequences,
        validation=validation,
        test=queries_at(full, ~is_test, np.flatnonzero(is_test)),
    )
