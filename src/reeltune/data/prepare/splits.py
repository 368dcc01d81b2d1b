"""Prepared events to training, validation and test parts by each user's order.

Each split is a config class with a method ``parts``; :data:`reeltune.data.config.SPLITS`
lists them.

Shapes: N events, U users, M queries.
"""

from __future__ import annotations

import abc
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from reeltune.config import Config
from reeltune.data.interactions import Ids
from reeltune.data.prepare.preparation import Prepared, id_texts
from reeltune.data.prepared import Queries, Sequences
from reeltune.errors import DataError


@dataclass(frozen=True)
class Parts:
    """What a split yields. All sequences have the same users in the same rows."""

    train: Sequences
    validation: Queries
    test: Queries
    before: int | None = None
    """Second at which the held-out time begins; None where the split is not by time."""
    n_without_history: int = 0
    """Targets left out because their user has no earlier event."""
    n_train_only_users: int = 0
    """Users with too few events for the split: trained on, never asked."""


class SplitConfig(Config, abc.ABC):
    """Base of the splits' configs."""

    in_words: ClassVar[str]
    """What is validation and what is test, in a sentence without its full stop."""
    name: str
    """Name in the registry of splits."""

    def text(self) -> str:
        """Return name and settings in one line, as the ledger holds them.

        >>> LeaveOneOut().text()
        'leave-one-out'
        """
        settings = {key: value for key, value in self.plain().items() if key != "name"}
        listed = ", ".join(f"{key}={settings[key]}" for key in sorted(settings))
        return f"{self.name}({listed})" if listed else self.name

    @abc.abstractmethod
    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""


class LeaveLast(SplitConfig):
    """Each user's last events are test, those before them validation: successive targets of one user.

    Every query sees all that precedes its target, so a test query the validation events too. Users with too
    few events to keep one for training are trained on whole and never asked.
    """

    in_words: ClassVar[str] = (
        "the last n_test movies of each user are test, the n_validation before them validation"
    )
    name: Literal["leave-last"] = "leave-last"
    n_validation: int = Field(default=5, ge=1, le=1000)
    """Validation targets a user, 1 to 1000."""
    n_test: int = Field(default=5, ge=1, le=1000)
    """Test targets a user, 1 to 1000."""

    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""
        return _last_events(prepared.sequences, self.n_validation, self.n_test)


class LeaveOneOut(SplitConfig):
    """The case of one of :class:`LeaveLast`: the last event is test, the second last validation."""

    in_words: ClassVar[str] = "the last movie of each user is test, the one before it validation"
    name: Literal["leave-one-out"] = "leave-one-out"

    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""
        return _last_events(prepared.sequences, 1, 1)


class GlobalTime(SplitConfig):
    """Training, validation and test follow each other on the calendar, for all users alike."""

    in_words: ClassVar[str] = (
        "what was seen after a first moment is validation and after a second one test, for all users alike"
    )
    name: Literal["global-time"] = "global-time"
    validation_from: float | str = Field(default=0.8)
    """Where validation begins: a quantile of all timestamps, 0 to 1, or a day such as 2019-06-30 (UTC)."""
    test_from: float | str = Field(default=0.9)
    """Where the test begins, likewise; later than ``validation_from``."""
    targets: Literal["last", "successive"] = "last"
    """One target a user, the last of the period, or each event of it with all before as history."""

    @field_validator("validation_from", "test_from")
    @classmethod
    def _is_moment(cls, value: float | str) -> float | str:
        if isinstance(value, str):
            _second_of(value)
        elif not 0 < value < 1:
            raise ValueError("a quantile must lie between 0 and 1, a day looks like 2019-06-30")
        return value

    @model_validator(mode="after")
    def _is_rising(self) -> GlobalTime:
        first, second = self.validation_from, self.test_from
        if type(first) is type(second) and not first < second:  # type: ignore[operator]
            raise ValueError(f"validation_from {first} must come before test_from {second}")
        return self

    def parts(self, prepared: Prepared) -> Parts:
        """Return the parts of ``prepared``."""
        sequences = prepared.sequences
        times = sequences.timestamps
        n_untimed = int((times < 0).sum())
        if n_untimed:
            raise DataError(
                f"the split global-time needs all timestamps; {n_untimed:,} of {len(times):,} rows "
                "have none: choose leave-one-out"
            )
        start, stop = (_moment(times, value) for value in (self.validation_from, self.test_from))
        if start >= stop:
            raise DataError(
                f"validation_from {self.validation_from} is not before test_from {self.test_from} "
                "in these data"
            )
        validation, n_first = self._period(sequences, start, stop)
        test, n_first_test = self._period(sequences, stop, int(times.max()) + 1)
        train = sequences.select(times < start)
        return Parts(train, validation, test, before=start, n_without_history=n_first + n_first_test)

    def _period(self, sequences: Sequences, start: int, stop: int) -> tuple[Queries, int]:
        """Return the queries of a period, and the number of targets without history."""
        times = sequences.timestamps
        inside = np.flatnonzero((times >= start) & (times < stop))
        last = inside[np.flatnonzero(np.diff(_users_of(sequences, inside), append=-1))]
        rows = last if self.targets == "last" else inside
        has_history = ~np.isin(rows, sequences.offsets)
        if not has_history.any():
            raise DataError(
                f"the split global-time finds no target from {_day(start)} to {_day(stop)}; "
                "choose other moments"
            )
        keep = times < stop
        keep[last] = False  # these are in no history
        queries = queries_at(sequences, keep, rows[has_history])
        return replace(queries, is_by_time=True), int((~has_history).sum())


def fingerprint(test: Queries, user_ids: Ids, item_ids: Ids) -> str:
    """Return the SHA-256 of the test users and targets, by the data set's own ids.

    Two preparations with the same digits ask the same questions, whatever their codes.
    """
    pairs = list(zip(id_texts(user_ids[test.user]), id_texts(item_ids[test.target - 1]), strict=True))
    if any("\t" in name or "\n" in name for pair in pairs for name in pair):
        text = json.dumps(pairs)  # such ids have no plain form of their own
    else:
        text = "\n".join(f"{user}\t{item}" for user, item in pairs)
    return hashlib.sha256(text.encode()).hexdigest()


def queries_at(full: Sequences, keep: NDArray[np.bool_], rows: NDArray[np.int64]) -> Queries:
    """Return a query for each event of ``full`` at ``rows`` [M]; ``keep`` [N] says what histories hold."""
    return Queries(
        sequences=full.select(keep),
        user=_users_of(full, rows).astype(np.int32),
        end=np.searchsorted(np.flatnonzero(keep), rows),  # kept events before each
        target=full.items[rows],
        target_rating=full.ratings[rows],
        target_timestamp=full.timestamps[rows],
    )


def _users_of(sequences: Sequences, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    users: NDArray[np.int64] = np.searchsorted(sequences.offsets, rows, side="right") - 1
    return users


def _last_events(sequences: Sequences, n_validation: int, n_test: int) -> Parts:
    n_held_out = n_validation + n_test
    is_asked = sequences.lengths > n_held_out
    ends = sequences.offsets[1:][is_asked, None]  # [A, 1] users with targets
    if not len(ends):
        raise DataError(
            f"{n_validation} validation and {n_test} test targets need users with {n_held_out + 1} events or "
            f"more; the longest history has {sequences.lengths.max()}: ask for fewer targets"
        )
    rows = ends - np.arange(n_held_out, 0, -1)  # [A, n_validation + n_test] in order of time
    validation, test = rows[:, :n_validation], rows[:, n_validation:]
    keep = np.ones(sequences.n_events, dtype=bool)
    keep[test[:, -1]] = False  # in no history
    of_test = queries_at(sequences, keep, test.ravel())
    keep[test] = keep[validation[:, -1]] = False
    of_validation = queries_at(sequences, keep, validation.ravel())
    keep[validation] = False
    return Parts(
        train=of_validation.sequences if n_validation == 1 else sequences.select(keep),
        validation=of_validation,
        test=of_test,
        n_train_only_users=int((~is_asked).sum()),
    )


def _moment(times: NDArray[np.int64], value: float | str) -> int:
    if isinstance(value, str):
        return _second_of(value)
    rank = int(np.ceil(value * (len(times) - 1)))
    return int(np.partition(times, rank)[rank])


def _second_of(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise ValueError(f"{day!r} is not a day such as 2019-06-30") from None


def _day(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
