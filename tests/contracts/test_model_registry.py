"""The registry is the one place that lists models: nothing else in the package knows a name or a class."""

import ast
from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.models.registry import MODELS, Package, check_packages, is_network, model_entry, models_of

SOURCE = Path(__file__).parents[2] / "src" / "reeltune"
OTHER_MEANING = {"popularity", "biases"}
"""Names that are words too: of an aspect of re-ranking, of what a model learned."""
KNOWN = [top for entry in MODELS.values() for top in (entry.model, entry.config_class)]
CLASSES = {cls.__name__ for top in KNOWN if isinstance(top, type) for cls in top.__mro__}
CLASSES -= {"object", "Module", "ABC", "BaseModel", "Config"}
each_model = pytest.mark.parametrize("name", MODELS)


@each_model
def test_an_entry_fits_its_config(name):
    entry = MODELS[name]
    assert entry.default().name == name
    assert entry.label
    assert entry.is_seeded or entry.kind != "network", "a network's weights are drawn"


def test_kinds_part_the_models():
    parts = [models_of(kind) for kind in ("network", "baseline", "rating baseline")]
    assert sum(map(len, parts)) == len(MODELS)
    assert is_network("sasrec")
    assert not is_network("ease")
    assert not is_network("no such model")


def test_an_unknown_name_lists_those_of_its_kind():
    with pytest.raises(ConfigError, match=r"unknown baseline 'eese': did you mean 'ease'\?"):
        model_entry("eese", "baseline")
    with pytest.raises(ConfigError, match="unknown network 'ease'"):
        model_entry("ease", "network")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(Package, "is_installed", False)
    check_packages(["gru", "ease"])
    with pytest.raises(ConfigError, match=r'baseline ials needs .* pip install "reeltune\[baselines\]"'):
        check_packages(["gru", "ials"])


def test_nothing_else_asks_for_a_model_by_name_or_class():
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if place.parts[0] == "models":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in MODELS.keys() - OTHER_MEANING:
                wrong.append(f"{place}:{node.lineno} names {node.value!r}")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                asked = {inner.id for inner in ast.walk(node.args[1]) if isinstance(inner, ast.Name)}
                wrong += [f"{place}:{node.lineno} asks for the class {name}" for name in asked & CLASSES]
    assert not wrong, "ask the registry"
