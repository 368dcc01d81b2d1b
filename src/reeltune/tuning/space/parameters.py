"""The kinds of searched parameters: closed ranges of numbers, and choices.

A parameter owns the set of values that it may take. Samplers, checks, grids, warm starts and
perturbation all ask it, so that they agree to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from reeltune.config import Config

Scalar = bool | int | float | str

MAX_STEPS = 10**9
"""Values that a stepped range may have."""


def is_number(value: Any) -> bool:
    """Return whether ``value`` is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Conditional(Config):
    when: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Searched only where the named fields have this value or one of these; else left at its default."""


class _Range(_Conditional):
    if TYPE_CHECKING:  # fields of the two kinds below
        low: float
        high: float
        step: float | None

    log: bool = False
    """Whether values are drawn evenly on a logarithmic scale, for rates and sizes."""

    @model_validator(mode="after")
    def _check(self) -> _Range:
        low, high, step = self.low, self.high, self.step
        if low > high:
            raise ValueError(f"low {low} is above high {high}; swap them")
        if low == high:
            raise ValueError(f"low and high are both {low}; fix the value in the experiment instead")
        if self.log and low <= 0:
            raise ValueError(f"a logarithmic scale starts above 0, low is {low}; raise low or drop log")
        if self.log and step is not None:
            raise ValueError("a range has a step or a logarithmic scale, not both; drop one")
        if step is not None and step > high - low:
            raise ValueError(f"step {step} is wider than the range {low} to {high}; use a smaller step")
        if step is not None and (high - low) / step > MAX_STEPS:
            raise ValueError(f"step {step} makes more than {MAX_STEPS} values; use a wider step or drop it")
        return self

    def place(self, value: float) -> float:
        """Return where ``value`` lies between the ends, 0 to 1, on the scale that is searched."""
        low, high = float(self.low), float(self.high)
        if self.log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)

    def ends(self) -> list[Scalar]:
        """Return the extreme values."""
        return [self.low, self.high]


class FloatRange(_Range):
    """Real numbers from ``low`` to ``high``, both included."""

    kind: Literal["float"] = "float"
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    step: float | None = Field(default=None, gt=0)
    """Distance of neighbouring values, above 0; None for all values."""

    @property
    def n_values(self) -> int | None:
        """How many values there are, None without end."""
        return None if self.step is None else self._n_steps + 1

    def grid(self) -> list[Scalar]:
        """Return all values of a stepped range."""
        return [self._step(i) for i in range(self._n_steps + 1)]

    def at(self, unit: float) -> float:
        """Return the value at ``unit``, from 0 to below 1, on the scale that is searched.

        >>> FloatRange(low=1e-4, high=1e-2, log=True).at(0.5)
        0.001
        """
        if self.step is not None:
            return self._step(int(unit * (self._n_steps + 1)))
        if self.log:
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
            return min(max(float(f"{value:.12g}"), self.low), self.high)
        return self.low + unit * (self.high - self.low)

    def nearest(self, value: Scalar) -> float:
        """Return the value of the range that is nearest to ``value``.

        >>> FloatRange(low=0.0, high=0.6, step=0.1).nearest(0.2 + 0.1)
        0.3
        """
        clipped = min(max(float(value), self.low), self.high)
        return clipped if self.step is None else self._step(round((clipped - self.low) / self.step))

    @property
    def _n_steps(self) -> int:
        return int((Decimal(repr(self.high)) - Decimal(repr(self.low))) // Decimal(repr(self.step)))

    def _step(self, index: int) -> float:
        """Return the value that many steps above the lowest, as one writes it: .3, not .30000000000000004."""
        return float(Decimal(repr(self.low)) + min(index, self._n_steps) * Decimal(repr(self.step)))


class IntRange(_Range):
    """Whole numbers from ``low`` to ``high``, both included."""

    kind: Literal["int"] = "int"
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    step: int | None = Field(default=None, gt=0)
    """Distance of neighbouring values, above 0; None for 1."""

    @property
    def n_values(self) -> int:
        """How many values there are."""
        return self._n_steps + 1

    def grid(self) -> list[Scalar]:
        """Return all values."""
        return list(range(self.low, self.high + 1, self.step or 1))

    def at(self, unit: float) -> int:
        """Return the value at ``unit``, from 0 to below 1, on the scale that is searched."""
        if self.log:
            # Each whole number owns the stretch from a half below it to a half above it.
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + unit * (high - low))), self.low), self.high)
        return self._step(int(unit * (self._n_steps + 1)))

    def nearest(self, value: Scalar) -> int:
        """Return the value of the range that is nearest to ``value``."""
        clipped = min(max(float(value), self.low), self.high)
        return self._step(round((clipped - self.low) / (self.step or 1)))

    @property
    def _n_steps(self) -> int:
        return (self.high - self.low) // (self.step or 1)

    def _step(self, index: int) -> int:
        return self.low + min(index, self._n_steps) * (self.step or 1)


class Choice(_Conditional):
    """One of some values."""

    kind: Literal["choice"] = "choice"
    values: list[Scalar]
    """The values, at least two; equal numbers, such as 0 and 0.0, are one."""

    @model_validator(mode="before")
    @classmethod
    def _join_equals(cls, plain: Any) -> Any:
        values = plain.get("values") if isinstance(plain, dict) else None
        if not isinstance(values, list):
            return plain
        kept: list[Any] = []
        for value in values:
            twins = [other for other in kept if is_number(other) and is_number(value) and other == value]
            if not any(type(twin) is not type(value) for twin in twins):
                kept.append(value)
        return {**plain, "values": kept}

    @model_validator(mode="after")
    def _check(self) -> Choice:
        keys = [(type(value), value) for value in self.values]
        twice = [value for (_, value), key in zip(keys, keys, strict=True) if keys.count(key) > 1]
        if twice:
            raise ValueError(f"the value {twice[0]!r} stands twice; keep one")
        if len(self.values) < 2:
            raise ValueError(f"{len(self.values)} values are no choice; give at least 2")
        return self

    @property
    def n_values(self) -> int:
        """How many values there are."""
        return len(self.values)

    def grid(self) -> list[Scalar]:
        """Return all values."""
        return list(self.values)

    def at(self, unit: float) -> Scalar:
        """Return the value at ``unit``, from 0 to below 1, all values owning equal parts.

        >>> Choice(values=[16, 32, 64]).at(0.99)
        64
        """
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def nearest(self, value: Scalar) -> Scalar:
        """Return the choice that equals ``value``, else the numerically nearest one, else the first."""
        if is_number(value):
            numbers = [v for v in self.values if is_number(v)]
            return min(numbers, key=lambda v: abs(v - value)) if numbers else self.values[0]  # type: ignore[operator]
        return next((v for v in self.values if type(v) is type(value) and v == value), self.values[0])

    def place(self, value: Scalar) -> float:
        """Return the middle of the part of 0 to 1 that belongs to ``value``, all parts alike."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def ends(self) -> list[Scalar]:
        """Return all values: each must be legal."""
        return list(self.values)


Parameter = FloatRange | IntRange | Choice
KINDS: dict[str, type[FloatRange] | type[IntRange] | type[Choice]] = {
    "float": FloatRange,
    "int": IntRange,
    "choice": Choice,
}


def is_active(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    """Return whether the conditions of ``parameter`` hold for ``values`` by dotted name."""
    for name, wanted in parameter.when.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if values.get(name) not in allowed:
            return False
    return True
