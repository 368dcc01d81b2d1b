"""JSON Schemas of the YAML files and a reference page, made from the config classes alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, create_model

from reeltune.benchmark.spec import BenchmarkSpec
from reeltune.config import Config
from reeltune.models.rating.network import RatingHeadConfig
from reeltune.models.registry import MODELS
from reeltune.training.config import RatingTrainingConfig, TrainingConfig
from reeltune.tuning.space.parameters import Parameter
from reeltune.tuning.study.experiment_file import ExperimentSpec, StudySection

TRAININGS = ("TrainingConfig", "RatingTrainingConfig")
"""The classes of ``training``, one a task."""

PARTS = {"model": "Model", "head": "RatingHeadConfig", "training": "Training", "study": "StudySection"}
"""The classes of what a file gives as a mapping."""

FIELD_PATTERN = r"^(model|head|training)\."


class SpaceFile(Config):
    """A file of ``search_spaces/``: the searched fields, one line each."""

    model: str | list[str]
    """Name of the model; of several models, their names."""
    space: dict[str, Annotated[Parameter, Field(discriminator="kind")]]
    """One parameter a dotted name, such as ``training.learning_rate``."""
    constraints: list[str] = Field(default=[])
    """Conditions between fields that every point meets, such as ``model.hidden_dim >= 64``."""


KINDS: dict[str, type[Config]] = {
    "experiment": ExperimentSpec,
    "space": SpaceFile,
    "benchmark": BenchmarkSpec,
}
"""The kinds of files, each with the class that reads its top level."""


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file.

    What depends on a choice elsewhere, such as which model owns a field, is looser than the reader.
    """
    parts = create_model(
        "Parts",
        top=(KINDS[kind], ...),
        study=(StudySection, ...),
        training=(TrainingConfig, ...),
        rating_training=(RatingTrainingConfig, ...),
        head=(RatingHeadConfig, ...),
        space=(SpaceFile, ...),
        **{f"m{i}": (entry.config_class, ...) for i, entry in enumerate(MODELS.values())},  # type: ignore[call-overload]
    )
    whole = _loosened(parts.model_json_schema(mode="validation"))
    definitions = whole["$defs"]
    models = [each["$ref"] for name, each in whole["properties"].items() if re.fullmatch(r"m\d+", name)]
    definitions["Model"] = {"anyOf": [{"$ref": ref} for ref in models]}
    definitions["Training"] = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in TRAININGS]}
    names = sorted(MODELS)
    definitions["SpaceFile"]["properties"]["model"] |= {
        "anyOf": [{"enum": names}, {"type": "array", "items": {"enum": names}}]
    }
    definitions["SpaceFile"]["properties"]["space"]["propertyNames"] = {"pattern": FIELD_PATTERN}
    study = dict(definitions["StudySection"]["properties"])
    study["space"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SpaceFile"}]} | _words(study["space"])
    definitions["StudySection"]["properties"] = study
    if kind == "benchmark":
        definitions["StudySection"]["required"] = []
    top = definitions[KINDS[kind].__name__]
    for owner in (top, *definitions.values()):
        _name_parts(owner)
    used = _reached(top, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "title": f"reeltune {kind}",
        "$defs": {name: definitions[name] for name in sorted(used)},
    }


def _name_parts(owner: dict[str, Any]) -> None:
    """Put the classes of ``model``, ``training``, ``study`` and ``space`` in place of any mapping."""
    for key, name in PARTS.items():
        found = owner.get("properties", {}).get(key)
        if found is not None and found.get("additionalProperties") is True:
            owner["properties"][key] = {"$ref": f"#/$defs/{name}"} | _words(found)


def _words(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "default") if key in schema}


def _loosened(schema: Any) -> Any:
    """Return the schema with the short forms that the reader takes: a name for a mapping with that name."""
    if isinstance(schema, list):
        return [_loosened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _loosened(value) for key, value in schema.items() if key not in {"title", "discriminator"}}
    tags = schema.get("discriminator", {})
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
        if tags.get("propertyName") == "name":
            found["anyOf"] = [{"enum": sorted(tags["mapping"])}, *found["anyOf"]]
    if schema.get("title") == "RepeatsConfig":
        return {"anyOf": [{"type": "integer"}, found]}
    return found


def _reached(schema: Any, definitions: Mapping[str, Any]) -> set[str]:
    """Return the names of the definitions that ``schema`` refers to, also through others."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        for name in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(waiting.pop())):
            if name not in found:
                found.add(name)
                waiting.append(definitions[name])
    return found


def reference_page() -> str:
    """Return the page of all keys in Markdown: type, default, range and meaning."""
    lines = [
        "# Reference of the YAML files",
        "",
        "Made from the config classes by `reeltune schema reference`; the same facts as JSON Schema are in",
        "[schemas/](../schemas). Each table is one mapping; a key that is left out has its default.",
    ]
    listed: set[str] = set()
    for kind in KINDS:
        schema = json_schema(kind)
        lines += ["", f"## {kind.capitalize()}", "", *_table(schema)]
        for name, part in schema["$defs"].items():
            if name not in listed and "properties" in (part := part.get("anyOf", [part])[-1]):
                listed.add(name)
                lines += ["", f"### {name}", "", *_about(part), *_table(part)]
    names = ", ".join(f"`{name}`" for name in MODELS)
    return "\n".join([*lines, "", f"Models by name: {names}.", ""])


def _about(part: Mapping[str, Any]) -> Iterator[str]:
    if "description" in part:
        yield _first_sentence(part["description"])
        yield ""


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | type | default | range | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    required = schema.get("required", [])
    for key, field in schema["properties"].items():
        default = "required" if key in required else _code(field.get("default"))
        cells = (
            f"`{key}`",
            _type(field),
            default,
            _range(field),
            _first_sentence(field.get("description", "Chooses this kind." if "const" in field else "")),
        )
        yield f"| {' | '.join(cells)} |"


def _first_sentence(text: str) -> str:
    whole = re.sub(r":\w+:`", "`", " ".join(text.split())).replace("``", "`").replace("|", "\\|")
    return re.split(r"(?<=\.) (?=[A-Z])", whole)[0]


def _code(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        return f"`{value['name']}`"
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= 40 else "see its table"


def _type(field: Mapping[str, Any]) -> str:
    """Return the type in words, with a link to the table of a nested mapping."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "a model's fields" if name == "Model" else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(option) for option in field["anyOf"]))
    if "const" in field or "enum" in field:
        values = (str(value).replace("|", "\\|") for value in field.get("enum", [field.get("const")]))
        return ", ".join(f"`{value}`" for value in values)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, dict) and inner else "mapping"
    kind = str(field.get("type", "any value"))
    return {"null": "none", "string": "text", "boolean": "true or false"}.get(kind, kind)


def _range(field: Mapping[str, Any]) -> str:
    """Return the range of a number in words."""
    options = [field, *field.get("anyOf", ())]
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    found = (f"{word} {option[key]:g}" for option in options for key, word in words.items() if key in option)
    return " ".join(found)
