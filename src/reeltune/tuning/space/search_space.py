"""A search space: the searched fields of a configuration, and points in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from reeltune.config import Config
from reeltune.errors import ConfigError, unknown_name
from reeltune.tuning.space.constraints import broken_constraint
from reeltune.tuning.space.parameters import Choice, Parameter, Scalar, is_active, is_number

MODEL_NAME = "model.name"
"""The parameter that chooses between several models in one space."""


class Space(Config):
    """The searched fields by dotted name, in the order in which they are drawn."""

    model: str
    """Name in the registry of networks; of several, the first."""
    space: dict[str, Annotated[Parameter, Field(discriminator="kind")]]
    """One parameter a dotted name, such as ``training.learning_rate``."""
    constraints: list[str] = Field(default=[])
    """Conditions between fields that every point meets, such as ``model.hidden_dim >= 64``."""
    models: dict[str, dict[str, Any]] = Field(default={})
    """Where several models are searched: the configuration of each, which the searched fields change."""

    def __iter__(self) -> Iterator[tuple[str, Parameter]]:  # type: ignore[override]
        return iter(self.space.items())

    def values(self, base: Mapping[str, Any], params: Mapping[str, Scalar]) -> dict[str, Any]:
        """Return the configuration ``base`` by dotted name, with ``params`` put in."""
        flat = flatten(base)
        name = params.get(MODEL_NAME)
        if name is not None and name != flat.get(MODEL_NAME):
            flat = {key: value for key, value in flat.items() if not key.startswith("model.")}
            flat |= flatten({"model": self.models[str(name)]})
        return flat | dict(params)

    def apply(self, base: Mapping[str, Any], params: Mapping[str, Scalar]) -> dict[str, Any]:
        """Return the configuration ``base`` with ``params`` put in, as nested plain values."""
        return unflatten(self.values(base, params))

    def default(self, base: Mapping[str, Any], model: str | None = None) -> dict[str, Scalar]:
        """Return the point of the space nearest to the configuration ``base`` (nested plain values).

        Of several models, it is a point of ``model``, by default that of ``base``.
        """

        def value(name: str, point: Mapping[str, Scalar]) -> Scalar:
            if name == MODEL_NAME:
                return model or str(base["model"]["name"])
            return self.space[name].nearest(self.values(base, point)[name])

        return self.point(base, value)

    def point(
        self, base: Mapping[str, Any], value: Callable[[str, Mapping[str, Scalar]], Scalar]
    ) -> dict[str, Scalar]:
        """Return the point that gives each active parameter the value ``value(name, point so far)``.

        A value that is off the parameter's own by rounding, as a sampler's may be, is set right.
        """
        point: dict[str, Scalar] = {}
        for name, parameter in self:
            if not parameter.when or is_active(parameter, self.values(base, point)):
                point[name] = parameter.nearest(value(name, point))
        return point

    def broken(self, base: Mapping[str, Any], params: Mapping[str, Scalar]) -> str | None:
        """Return the first constraint that ``base`` with ``params`` breaks, None if it meets them all."""
        return broken_constraint(self.constraints, self.values(base, params)) if self.constraints else None


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping by dotted name.

    >>> flatten({"model": {"name": "gru", "n_layers": 1}, "objective": "ndcg@10"})
    {'model.name': 'gru', 'model.n_layers': 1, 'objective': 'ndcg@10'}
    """
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat |= flatten(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = item
    return flat


def unflatten(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested mapping that :func:`flatten` made flat."""
    nested: dict[str, Any] = {}
    for name, item in value.items():
        *parents, last = name.split(".")
        level = nested
        for key in parents:
            level = level.setdefault(key, {})
        level[last] = item
    return nested


def is_same(mine: Scalar, other: Any) -> bool:
    """Return whether two values are one: 0 and 0.0 are, and so are numbers that differ by rounding alone."""
    if is_number(mine) and is_number(other):
        return math.isclose(float(mine), float(other), rel_tol=1e-9, abs_tol=1e-300)
    return type(mine) is type(other) and bool(mine == other)


def check_point(space: Space, point: Mapping[str, Any], where: str, base: Mapping[str, Any]) -> None:
    """Check that ``point`` gives every searched field a value inside its range and meets the constraints.

    Raises:
        ConfigError: A name is unknown or missing, or a value is outside; starts with ``where``.
    """
    for name, value in point.items():
        if name not in space.space:
            raise ConfigError(f"{where}: {unknown_name('parameter', name, space.space)}")
        if not isinstance(space.space[name], Choice) and isinstance(value, str | bool):
            raise ConfigError(f"{where}: {name}: {value!r} is not a number")
        nearest = space.space[name].nearest(value)
        if not is_same(nearest, value):
            raise ConfigError(
                f"{where}: {name}: {value!r} is outside the space; the nearest value is {nearest!r}"
            )
    values = space.values(base, point)
    missing = [name for name, parameter in space if name not in point and is_active(parameter, values)]
    if missing:
        raise ConfigError(
            f"{where}: the point gives no value of {missing[0]}; give one for each searched field"
        )
    broken = space.broken(base, point)
    if broken is not None:
        raise ConfigError(f"{where}: the point breaks the constraint {broken!r}")
