"""Reads search spaces: one line a parameter, checked against the config classes.

A space names a model, or several, and gives each searched field of its configuration a closed range
or a list of choices. Every key, bound and choice is checked against the class that owns the field; a
message gives file and line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reeltune.config import Config, Document, parse
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.registry import MODELS, is_network
from reeltune.tuning.space.constraints import parse_constraint
from reeltune.tuning.space.parameters import KINDS, Choice, Parameter
from reeltune.tuning.space.search_space import MODEL_NAME, Space, flatten, unflatten

KEYS = ("model", "space", "constraints")


def model_configs(names: Sequence[str], fixed: Document) -> list[Any]:
    """Return the configuration of each model that one space searches, with the fixed fields put in.

    Of several models, each takes the fixed fields that it has.

    Raises:
        ConfigError: A fixed field belongs to no model, or its value is wrong.
    """
    classes = [MODELS[name].config_class for name in names]
    if len(names) == 1:
        return [parse(classes[0], fixed)]
    for name in names:
        if not is_network(name):
            raise ConfigError(f"{fixed.at()}: the baseline {name} has no training to share; search it alone")
    known = {field for cls in classes for field in cls.model_fields} - {"name"}
    for key in fixed.value:
        if key == "name":
            raise ConfigError(
                f"{fixed.at(key)}: model.name is fixed here and searched in the space; drop one"
            )
        if key not in known:
            raise ConfigError(f"{fixed.at(key)}: {unknown_name('key', key, known)}")
    configs = []
    for cls in classes:
        own = {key: value for key, value in fixed.value.items() if key in cls.model_fields}
        configs.append(parse(cls, Document(own, fixed.lines, fixed.source)))
    return configs


def parse_space(
    document: Document, sections: Mapping[str, Config], model: str, others: Sequence[Config] = ()
) -> Space:
    """Return the space in ``document``, checked against the config classes.

    Args:
        document: Keys ``model``, ``space`` and, optionally, ``constraints``.
        sections: The base configuration by section, such as ``{"model": ..., "training": ...}``; its
            classes own the fields.
        model: Name of the network of ``sections``; the document's ``model`` names it (first).
        others: Base configurations of the other models that the document names.

    Raises:
        ConfigError: A key is unknown, a bound is wrong, or a value is outside its field's own range;
            the message gives file and line.
    """
    unknown = sorted(set(document.value) - set(KEYS))
    if unknown:
        raise ConfigError(f"{document.at(unknown[0])}: {unknown_name('key', unknown[0], KEYS)}")
    entries = document.value.get("space")
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(
            f"{document.at('space')}: the space is empty; give at least one parameter to search"
        )
    variants = {model: dict(sections)}
    for other in others:
        variants[str(other.plain()["name"])] = {**sections, "model": other}
    parameters: dict[str, Parameter] = {}
    if others:
        parameters[MODEL_NAME] = Choice(values=list(variants))
    for name in entries:
        child = document.child("space").child(name)
        parameter = _parse_parameter(name, child)
        for sections_of_one in _owners(name, parameter, variants, child):
            _check_field(name, parameter, sections_of_one, child)
        parameters[name] = parameter
    fields = set().union(*(_field_names(each) for each in variants.values()))
    _check_conditions(parameters, fields, document)
    return Space(
        model=model,
        space=parameters,
        constraints=_parse_constraints(document, fields),
        models={name: each["model"].plain() for name, each in variants.items()} if others else {},
    )


def _owners(
    name: str, parameter: Parameter, variants: Mapping[str, Mapping[str, Config]], document: Document
) -> list[Mapping[str, Config]]:
    """Return the configurations that the parameter is searched in: of each model, or of those it is for.

    Raises:
        ConfigError: Only some of these models have the field.
    """
    wanted = parameter.when.get(MODEL_NAME, list(variants))
    chosen = wanted if isinstance(wanted, list) else [wanted]
    for model in chosen:
        if model not in variants:
            where = document.at("when", MODEL_NAME)
            raise ConfigError(f"{where}: {name}: when: {unknown_name(MODEL_NAME, str(model), variants)}")
    having = [model for model in chosen if name in _field_names(variants[str(model)])]
    if having and len(having) < len(chosen):
        raise ConfigError(
            f"{document.at()}: {name} is a field of {', '.join(map(str, having))} alone; "
            f"add when: {{{MODEL_NAME}: {having[0] if len(having) == 1 else having}}}"
        )
    return [variants[str(model)] for model in chosen]


def _parse_constraints(document: Document, fields: set[str]) -> list[str]:
    constraints = document.value.get("constraints") or []
    if not isinstance(constraints, list):
        raise ConfigError(f"{document.at('constraints')}: constraints: expected a list of conditions")
    for index, text in enumerate(constraints):
        where = document.at("constraints", index)
        if not isinstance(text, str):
            raise ConfigError(f"{where}: constraints: {text!r} is no text; put the condition into quotes")
        try:
            constraint = parse_constraint(text)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        for name in sorted(constraint.names - fields):
            raise ConfigError(f"{where}: constraint {text!r}: {unknown_name('parameter', name, fields)}")
    return list(constraints)


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


def _check_conditions(parameters: Mapping[str, Parameter], fields: set[str], document: Document) -> None:
    names = list(parameters)
    for position, (name, parameter) in enumerate(parameters.items()):
        for other in parameter.when:
            where = document.at("space", name, "when", other)
            if other not in fields:
                raise ConfigError(f"{where}: {name}: when: {unknown_name('parameter', other, fields)}")
            if other in names[position:]:
                raise ConfigError(f"{where}: {name}: when: {other} must stand above {name}; move it up")
