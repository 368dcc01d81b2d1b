"""``reeltune schema``: JSON Schemas of the YAML files, and their reference page."""

from __future__ import annotations

import json
from enum import StrEnum

import typer


class What(StrEnum):
    """What is printed."""

    EXPERIMENT = "experiment"
    SPACE = "space"
    BENCHMARK = "benchmark"
    REFERENCE = "reference"


def schema(
    what: What = typer.Argument(help="A kind of YAML file, or reference for the page of all keys."),
) -> None:
    """Print the JSON Schema of a kind of YAML file."""
    from reeltune.reference import json_schema, reference_page

    if what is What.REFERENCE:
        print(reference_page(), end="")
    else:
        print(json.dumps(json_schema(what.value), indent=1, ensure_ascii=False))
