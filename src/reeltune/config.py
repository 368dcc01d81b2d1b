"""Strict YAML to frozen config classes.

A component declares a subclass of :class:`Config` beside it. Defaults, types, ranges
and docstrings live in that class only; a YAML file holds differences. Every error names
the file, the line, the value, and the nearest known key.
"""

from __future__ import annotations

import difflib
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from reeltune.errors import ConfigError

KeyPath = tuple[str | int, ...]
C = TypeVar("C", bound="Config")

MAX_DEPTH = 50
"""Levels that a file may nest; an alias of itself would have no end."""

MAX_VALUES = 100_000
"""Values that a file may hold, its aliases written out."""

PLAIN_TAGS: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.MappingNode: ("map",),
    yaml.SequenceNode: ("seq",),
    yaml.ScalarNode: ("bool", "float", "int", "null", "str"),
}
"""What a file may hold, by YAML's own names."""

UNION_TAGS = ("bool", "int", "float", "str", "dict[str,any]")
"""What pydantic appends to the place of an error, one line a type, where several types are allowed."""


class Config(BaseModel):
    """Base of all config classes: frozen, unknown keys refused, types not coerced.

    Fields carry an attribute docstring with unit and range.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    """New names of keys of the release before; the old ones are read with a warning for one release."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        ser_json_inf_nan="strings",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_renamed(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not cls.renamed.keys() & value.keys():
            return value
        found = dict(value)
        for old, new in cls.renamed.items():
            if old in found:
                given = found.pop(old)
                if given is not None:  # recorded configs name every field, also those that are not set
                    warnings.warn(
                        f"the key {old} is now called {new}; rename it", FutureWarning, stacklevel=2
                    )
                    if found.get(new) is not None:
                        raise ValueError(f"{old} and {new} are one key; keep {new}")
                    found[new] = given
        return found

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain Python values that JSON and checkpoints can hold."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: plain values plus the line of each key."""

    value: Any
    lines: Mapping[KeyPath, int]
    source: str
    text: str = ""
    """What was parsed; empty where values were changed since."""

    def to_yaml(self) -> str:
        """Return YAML that parses to the value: what was parsed, with its comments, or the values alone."""
        return self.text or str(yaml.safe_dump(self.value, sort_keys=False, allow_unicode=True))

    def at(self, *path: str | int) -> str:
        """Return ``file:line`` of the key at ``path``, or of its nearest known parent."""
        keys: KeyPath = path
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.source}:{self.lines.get(keys, 1)}"

    def child(self, key: str) -> Document:
        """Return the part of the document under ``key``."""
        lines = {path[1:]: line for path, line in self.lines.items() if path[:1] == (key,)}
        return Document(self.value[key], lines, self.source)

    def part(self, key: str) -> Document:
        """Return the part of the document under ``key``, an empty one where nothing is there."""
        return self.child(key) if self.value.get(key) else Document({}, {}, self.source)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 numbers: ``1e-4`` is a number, ``yes`` is text, dates stay text.

    ``010`` is text, so that no field takes it for the 8 that it was in YAML 1.1.
    """


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in resolvers if not pair[0].endswith((":float", ":bool", ":timestamp", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))


def _construct(
    node: yaml.Node, loader: _Loader, source: str, path: KeyPath, lines: dict[KeyPath, int]
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > MAX_DEPTH or len(lines) > MAX_VALUES:
        raise ConfigError(
            f"{source}:{node.start_mark.line + 1}: more than {MAX_DEPTH} levels or {MAX_VALUES} values, "
            "aliases (*name) written out; write a flatter, shorter file"
        )
    _check_tag(node, source)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, loader, source)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError(f"{source}:{line}: the key {key!r} is not text; put it in quotes")
            if key in mapping:
                raise ConfigError(f"{source}:{line}: the key {key!r} stands twice; keep one")
            lines[(*path, key)] = line
            mapping[key] = _construct(value_node, loader, source, (*path, key), lines)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, loader, source, (*path, i), lines) for i, child in enumerate(node.value)]
    value = _scalar(node, loader, source)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{source}:{node.start_mark.line + 1}: {node.value} is not a finite number")
    return value


def _check_tag(node: yaml.Node, source: str) -> None:
    """Refuse what a plain file has no use for: objects, sets, merged keys, texts that no file can hold."""
    line, tag = node.start_mark.line + 1, node.tag.removeprefix("tag:yaml.org,2002:")
    if tag not in PLAIN_TAGS[type(node)]:
        raise ConfigError(f"{source}:{line}: {tag!r} is not understood here; write plain keys and values")
    if isinstance(node, yaml.ScalarNode) and not node.value.isascii():
        try:
            node.value.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"{source}:{line}: half a character in {node.value!r}; remove it") from error


def _scalar(node: yaml.Node, loader: _Loader, source: str) -> Any:
    _check_tag(node, source)
    try:
        return loader.construct_object(node)
    except (ValueError, AttributeError, KeyError) as error:
        # A tag that the text does not fit (PyYAML looks into a match that is not there), or 5000 digits.
        line, tag = node.start_mark.line + 1, node.tag.rpartition(":")[2]
        raise ConfigError(f"{source}:{line}: the value cannot be read as {tag}; write a plain one") from error


def parse_yaml(text: str, source: str) -> Document:
    """Return the document in ``text``; ``source`` is the name used in messages.

    Raises:
        ConfigError: The text is not YAML, holds a duplicate or non-text key, or its top is no mapping.
    """
    lines: dict[KeyPath, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = {} if node is None else _construct(node, loader, source, (), lines)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = f"U+{ord(text[error.position]):04X}"
        raise ConfigError(f"{source}:{line}: the character {code} cannot stand in YAML; remove it") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: more than {MAX_DEPTH} levels; write a flatter file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{source}:{line}: not valid YAML: {problem}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{source}:1: expected keys and values at the top, found {type(value).__name__}")
    return Document(value, lines, source, text)


def load_yaml(path: Path) -> Document:
    """Return the document in the YAML file ``path``.

    Raises:
        ConfigError: The file cannot be read or is not valid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    return parse_yaml(text, str(path))


def with_change(document: Document, change: str) -> Document:
    """Return the document with one field put over its own, ``dotted.name=value`` as after ``--set``.

    Raises:
        ConfigError: The change has another form, or goes into a value that has no fields.
    """
    name, equals, text = change.partition("=")
    if not equals or not name or not all(name.split(".")):
        raise ConfigError(f"--set {change!r} is not of the form name=value, such as training.max_epochs=3")
    value = parse_yaml(f"value: {text}", f"--set {change}").value["value"]
    *parents, last = name.split(".")
    root = dict(document.value)
    level = root
    for key in parents:
        inner = level.get(key)
        if inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"--set {change!r}: {key} is {inner!r} in the file, it has no fields")
        level[key] = dict(inner or {})
        level = level[key]
    level[last] = value
    return Document(root, document.lines, document.source)


def parse(cls: type[C], document: Document) -> C:
    """Return ``document`` as an instance of ``cls``.

    Raises:
        ConfigError: One line a problem: file, line, value, limit and the nearest known key.
    """
    try:
        return cls.model_validate(document.value)
    except ValidationError as error:
        items = _one_a_place(error.errors())
        raise ConfigError("\n".join(_explain(cls, document, item) for item in items)) from error


def _one_a_place(items: Sequence[Any]) -> list[Any]:
    """Return the errors with those of the types of one union joined into one."""
    found: dict[KeyPath, Any] = {}
    for item in items:
        path: KeyPath = tuple(item["loc"])
        if len(path) < 2 or path[-1] not in UNION_TAGS:
            found[path] = item
        elif path[:-1] in found:
            wanted = item["msg"].removeprefix("Input should be ")
            found[path[:-1]]["msg"] += f" or {wanted}"
        else:
            found[path[:-1]] = {**item, "loc": path[:-1]}
    return list(found.values())


def _explain(cls: type[BaseModel], document: Document, item: Any) -> str:
    path, owner = _place(cls, item["loc"])
    name = ".".join(str(key) for key in path)
    where = document.at(*path)
    if item["type"] == "extra_forbidden":
        known = sorted(owner.model_fields)
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{where}: unknown key {name!r}: {hint}Known: {', '.join(known)}"
    if item["type"] == "missing":
        return f"{where}: the key {name!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = "" if isinstance(given, dict | list) else f" (given: {given!r})"
    return f"{where}: {name}: {message}{shown}" if name else f"{where}: {message}"


def _place(cls: type[BaseModel], location: Sequence[str | int]) -> tuple[KeyPath, type[BaseModel]]:
    """Return the keys of the document that lead to an error, and the class that owns the last one."""
    path: KeyPath = ()
    owner, options = cls, [cls]
    for key in location:
        tagged = [option for option in options if key in _tags(option)] if len(options) > 1 else []
        if tagged:  # a union puts the name of the chosen class into the place; the file has no such key
            options = tagged
            continue
        path, owner = (*path, key), options[0]
        field = owner.model_fields.get(str(key))
        options = (_nested_models(field) if field is not None else []) or options
    return path, owner


def _tags(cls: type[BaseModel]) -> set[Any]:
    literals = (f.annotation for f in cls.model_fields.values() if get_origin(f.annotation) is Literal)
    return {tag for literal in literals for tag in get_args(literal)}


def _nested_models(field: FieldInfo) -> list[type[BaseModel]]:
    candidates = [field.annotation, *get_args(field.annotation)]
    return [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
