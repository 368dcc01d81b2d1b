"""The public face is what ``reeltune.__all__`` names: pinned here, on one page of the docs."""

import ast
from pathlib import Path

import pytest

import reeltune

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "Recommender",
    "SequenceDataModule",
    "__version__",
    "evaluate_study",
    "export_study",
    "load_experiment",
    "make_leaderboard",
    "resume",
    "train",
    "tune",
}


def test_the_public_names_are_pinned():
    assert set(reeltune.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_loads_and_is_documented(name):
    found = getattr(reeltune, name)
    assert name in dir(reeltune)
    if name != "__version__":
        assert found.__doc__
        assert f"`reeltune.{name}" in (ROOT / "docs/python-api.md").read_text(encoding="utf-8")


def test_every_module_lists_its_own_names():
    for path in sorted((ROOT / "src/reeltune").rglob("*.py")):
        if path.name.startswith("__") or "cli" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        listed = set(_listed(tree))
        own = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        public = {name for name in own if not name.startswith("_")}
        assert public <= listed, f"{path.name}: not in __all__: {sorted(public - listed)}"
        assert listed <= set(_defined(tree)), f"{path.name}: __all__ names what is not there"


def _listed(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            return ast.literal_eval(node.value)
    raise AssertionError("no __all__")


def _defined(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.If):
            yield from _defined(node)
