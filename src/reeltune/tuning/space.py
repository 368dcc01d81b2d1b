"""Search spaces: one line a parameter, checked against the config classes.

A space names a model and gives each searched field of its configuration a closed
range or a list of choices. Every key, bound and choice is checked against the class
that owns the field; a message gives file and line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from reeltune.config import Config, Document, parse
from reeltune.errors import ConfigError, unknown_name

__all__ = [
    "Choice",
    "FloatRange",
    "IntRange",
    "Parameter",
    "Space",
    "check_point",
    "is_active",
    "flatten",
    "parse_space",
    "unflatten",
]

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

    def ends(self) -> list[Scalar]:
        """Return all values: each must be legal."""
        return list(self.values)


Parameter = FloatRange | IntRange | Choice
KINDS: dict[str, type[FloatRange] | type[IntRange] | type[Choice]] = {
    "float": FloatRange,
    "int": IntRange,
    "choice": Choice,
}


class Space(Config):
    """The searched fields by dotted name, in the order in which they are drawn."""

    model: str
    """Name in the registry of networks."""
    space: dict[str, Annotated[Parameter, Field(discriminator="kind")]]
    """One parameter a dotted name, such as ``training.learning_rate``."""

    def __iter__(self) -> Iterator[tuple[str, Parameter]]:  # type: ignore[override]
        return iter(self.space.items())

    def default(self, base: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return the point of the space nearest to the configuration ``base`` (nested plain values)."""
        flat = flatten(base)
        point: dict[str, Scalar] = {}
        for name, parameter in self:
            if is_active(parameter, flat | point):
                point[name] = parameter.nearest(flat[name])
        return point

    def apply(self, base: Mapping[str, Any], params: Mapping[str, Scalar]) -> dict[str, Any]:
        """Return the configuration ``base`` with ``params`` put in, as nested plain values."""
        return unflatten(flatten(base) | dict(params))


def is_active(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    """Return whether the conditions of ``parameter`` hold for ``values`` by dotted name."""
    for name, wanted in parameter.when.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if values.get(name) not in allowed:
            return False
    return True


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


def parse_space(document: Document, sections: Mapping[str, Config], model: str) -> Space:
    """Return the space in ``document``, checked against the config classes.

    Args:
        document: Keys ``model`` and ``space``.
        sections: The base configuration by section, such as ``{"model": ..., "training": ...}``; its
            classes own the fields.
        model: Name of the network of ``sections``; the document's ``model`` must be the same.

    Raises:
        ConfigError: A key is unknown, a bound is wrong, or a value is outside its field's own range;
            the message gives file and line.
    """
    unknown = sorted(set(document.value) - {"model", "space"})
    if unknown:
        known = unknown_name("key", unknown[0], ["model", "space"])
        raise ConfigError(f"{document.at(unknown[0])}: {known}")
    entries = document.value.get("space")
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(
            f"{document.at('space')}: the space is empty; give at least one parameter to search"
        )
    parameters: dict[str, Parameter] = {}
    for name in entries:
        child = document.child("space").child(name)
        parameter = _parse_parameter(name, child)
        _check_field(name, parameter, sections, child)
        parameters[name] = parameter
    _check_conditions(parameters, sections, document)
    return Space(model=model, space=parameters)


def _parse_parameter(name: str, document: Document) -> Parameter:
    where = document.at()
    if not isinstance(document.value, dict):
        raise ConfigError(f"{where}: {name}: expected {{kind: ..., ...}}, found {document.value!r}")
    kind = document.value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        given = "the key 'kind' is missing; " if kind is None else f"{unknown_name('kind', kind, KINDS)}; "
        raise ConfigError(f"{where}: {name}: {given}write kind: float, int or choice")
    for key, value in document.value.items():
        if key in ("low", "high", "step") and isinstance(value, str):
            hint = "; write it without quotes" if _is_number(value) else ""
            raise ConfigError(f"{document.at(key)}: {name}: {key} is the text {value!r}, not a number{hint}")
    try:
        return parse(KINDS[kind], document)
    except ConfigError as error:
        lines = [line.replace(": ", f": {name}: ", 1) for line in str(error).splitlines()]
        raise ConfigError("\n".join(lines)) from error


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _check_field(name: str, parameter: Parameter, sections: Mapping[str, Config], document: Document) -> None:
    known = _field_names(sections) - {f"{section}.name" for section in sections}
    if name not in known:
        raise ConfigError(f"{document.at()}: {unknown_name('parameter', name, known)}")
    section, *field = name.split(".")
    config = sections[section]
    key = "values" if isinstance(parameter, Choice) else "low"
    for index, value in enumerate(parameter.ends()):
        path = (key, index) if isinstance(parameter, Choice) else (("low", "high")[index],)
        try:
            type(config).model_validate(unflatten(flatten(config.plain()) | {".".join(field): value}))
        except ValidationError as error:
            messages = [item["msg"] for item in error.errors() if list(item["loc"])[: len(field)] == field]
            if messages:
                hint = "; write it without quotes" if isinstance(value, str) and _is_number(value) else ""
                raise ConfigError(f"{document.at(*path)}: {name}: {value!r}: {messages[0]}{hint}") from error


def _field_names(sections: Mapping[str, Config]) -> set[str]:
    """Return the dotted names of all fields, those of nested config classes included."""
    return set(flatten({section: config.plain() for section, config in sections.items()}))


def _check_conditions(
    parameters: Mapping[str, Parameter], sections: Mapping[str, Config], document: Document
) -> None:
    fields = _field_names(sections)
    names = list(parameters)
    for position, (name, parameter) in enumerate(parameters.items()):
        for other in parameter.when:
            where = document.at("space", name, "when", other)
            if other not in fields:
                raise ConfigError(f"{where}: {name}: when: {unknown_name('parameter', other, fields)}")
            if other in names[position:]:
                raise ConfigError(f"{where}: {name}: when: {other} must stand above {name}; move it up")


def check_point(space: Space, point: Mapping[str, Any], where: str) -> None:
    """Check that ``point`` gives every searched field a value inside its range.

    Raises:
        ConfigError: A name is unknown or missing, or a value is outside; starts with ``where``.
    """
    for name, value in point.items():
        if name not in space.space:
            raise ConfigError(f"{where}: {unknown_name('parameter', name, space.space)}")
        if not isinstance(space.space[name], Choice) and isinstance(value, str | bool):
            raise ConfigError(f"{where}: {name}: {value!r} is not a number")
        nearest = space.space[name].nearest(value)
        if isinstance(value, str) != isinstance(nearest, str) or nearest != value:
            raise ConfigError(
                f"{where}: {name}: {value!r} is outside the space; the nearest value is {nearest!r}"
            )
    missing = [name for name, parameter in space if name not in point and is_active(parameter, point)]
    if missing:
        raise ConfigError(
            f"{where}: the point gives no value of {missing[0]}; give one for each searched field"
        )
