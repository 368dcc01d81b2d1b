"""The public names of every module are listed in ``__all__`` and pinned in public_names.json.

After a change on purpose: ``python tests/test_public_names.py`` writes the file anew.
"""

import ast
import json
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
PINNED = Path(__file__).with_name("public_names.json")


def public_names():
    names = {}
    for path in sorted((SOURCE / "reeltune").rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith("reeltune.cli.") or module.endswith("__main__"):
            continue
        listed = _listed(ast.parse(path.read_text(encoding="utf-8")))
        if listed is None:
            assert path.name == "__init__.py", f"{module} has no __all__"
            continue
        names[module] = sorted(listed)
    return names


def _listed(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def _defined(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_public_names_are_pinned():
    assert public_names() == json.loads(PINNED.read_text(encoding="utf-8"))


def test_every_public_definition_is_listed():
    for path in sorted((SOURCE / "reeltune").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        listed = _listed(tree)
        if listed is None or "cli" in path.parts:
            continue
        functions = (ast.FunctionDef, ast.ClassDef)
        own = {n.name for n in tree.body if isinstance(n, functions) and not n.name.startswith("_")}
        assert own <= set(listed), f"{path.name}: not in __all__: {sorted(own - set(listed))}"
        assert set(listed) <= set(_defined(tree)) | _imported(tree), (
            f"{path.name}: __all__ names what is not there"
        )


def _imported(tree):
    return {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}


if __name__ == "__main__":
    PINNED.write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")
