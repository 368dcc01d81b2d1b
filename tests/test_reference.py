"""The schemas and the reference page are those of the config classes, and every YAML file fits its schema."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from reeltune.config import load_yaml
from reeltune.reference import KINDS, json_schema, reference_page

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("search_spaces", "experiments", "experiments/fixed")
    for path in (ROOT / folder).glob("*.yaml")
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_current(kind):
    committed = json.loads((ROOT / "schemas" / f"{kind}.json").read_text(encoding="utf-8"))
    assert committed == json_schema(kind), "run `make reference`"
    jsonschema.Draft202012Validator.check_schema(committed)


def test_the_reference_page_is_current_and_gives_each_key_its_sentence():
    page = (ROOT / "docs" / "yaml-reference.md").read_text(encoding="utf-8")
    assert page == reference_page(), "run `make reference`"
    cells = (re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in page.splitlines() if line.startswith("| `"))
    rows = list(cells)
    assert len(rows) > 200
    assert [row for row in rows if len(row) != 5 or not row[4].strip()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_names_the_schema_that_it_fits(path):
    named = re.match(r"# yaml-language-server: \$schema=(.+)\n", path.read_text(encoding="utf-8"))
    assert named, "its first line names its schema"
    schema = json.loads((path.parent / named[1]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(load_yaml(path).value)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"study": {"space": "gru", "trails": 3}}, "trails"),
        ({"training": {"learning_rat": 0.1}}, "learning_rat"),
        ({"data": {"dataset": "synthetic", "split": "leave-one-in"}}, "leave-one-in"),
        ({"study": {"space": "gru", "searcher": "tpee"}}, "tpee"),
        ({"study": {"space": "gru", "trials": 0}}, "trials"),
    ],
)
def test_a_mistake_is_seen_by_the_schema(change, key):
    value = {"data": {"dataset": "synthetic"}} | change
    errors = list(jsonschema.Draft202012Validator(json_schema("experiment")).iter_errors(value))
    assert errors
    assert key in str(errors)


def test_short_forms_fit():
    value = {
        "data": {"dataset": "synthetic", "split": "leave-one-out"},
        "model": {"n_layers": 2},
        "study": {"space": "gru", "searcher": "random", "scheduler": "none", "repeats": 2, "trials": 1},
    }
    jsonschema.Draft202012Validator(json_schema("experiment")).validate(value)
