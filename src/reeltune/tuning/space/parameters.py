"""The kinds of searched parameters: closed ranges of numbers, and choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from reeltune.config import Config

__all__ = ["KINDS", "Choice", "FloatRange", "IntRange", "Parameter", "Scalar", "is_active"]

Scalar = bool | int | float | str


class _Conditional(Config):
    when: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Searched only where the named fields have this value or one of these; else left at its default."""


class _Range(_Conditional):
    log: bool = False
    """Whether values are drawn evenly on a logarithmic scale, for rates and sizes."""

    @model_validator(mode="after")
    def _check(self) -> _Range:
        low, high, step = getattr(self, "low"), getattr(self, "high"), getattr(self, "step")  # noqa: B009
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
        return self

    def place(self, value: float) -> float:
        """Return where ``value`` lies between the ends, 0 to 1, on the scale that is searched."""
        low, high = float(getattr(self, "low")), float(getattr(self, "high"))  # noqa: B009
        if self.log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)


class FloatRange(_Range):
    """Real numbers from ``low`` to ``high``, both included."""

    kind: Literal["float"] = "float"
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    step: float | None = Field(default=None, gt=0)
    """Distance of neighbouring values, above 0; None for all values."""

    def nearest(self, value: Scalar) -> float:
        """Return the value of the range that is nearest to ``value``."""
        clipped = min(max(float(value), self.low), self.high)
        if self.step is None:
            return clipped
        n_steps = min(round((clipped - self.low) / self.step), math.floor((self.high - self.low) / self.step))
        return self.low + n_steps * self.step

    def ends(self) -> list[Scalar]:
        """Return the extreme values."""
        return [self.low, self.high]


class IntRange(_Range):
    """Whole numbers from ``low`` to ``high``, both included."""

    kind: Literal["int"] = "int"
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    step: int | None = Field(default=None, gt=0)
    """Distance of neighbouring values, above 0; None for 1."""

    def nearest(self, value: Scalar) -> int:
        """Return the value of the range that is nearest to ``value``."""
        step = self.step or 1
        clipped = min(max(float(value), self.low), self.high)
        n_steps = min(round((clipped - self.low) / step), (self.high - self.low) // step)
        return self.low + n_steps * step

    def ends(self) -> list[Scalar]:
        """Return the extreme values."""
        return [self.low, self.high]


class Choice(_Conditional):
    """One of some values."""

    kind: Literal["choice"] = "choice"
    values: list[Scalar]
    """The values, at least two, each once."""

    @model_validator(mode="after")
    def _check(self) -> Choice:
        if len(self.values) < 2:
            raise ValueError(f"{len(self.values)} values are no choice; give at least 2")
        keys = [(type(value), value) for value in self.values]
        twice = [value for (_, value), key in zip(keys, keys, strict=True) if keys.count(key) > 1]
        if twice:
            raise ValueError(f"the value {twice[0]!r} stands twice; keep one")
        return self

    def nearest(self, value: Scalar) -> Scalar:
        """Return ``value`` if it is a choice, else the numerically nearest one, else the first."""
        if value in self.values:
            return value
        numbers = [v for v in self.values if isinstance(v, int | float) and not isinstance(v, bool)]
        if isinstance(value, int | float) and not isinstance(value, bool) and numbers:
            return min(numbers, key=lambda v: abs(v - value))
        return self.values[0]

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
