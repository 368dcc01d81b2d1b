"""Imports point one way; heavy libraries are imported in one place each."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "reeltune"

LAYERS = [
    {"errors", "version", "seeding", "files", "config", "shipped", "object_storage", ""},
    {"data"},
    {"models"},
    {"metrics"},
    {"training"},
    {"tuning"},
    {"evaluation"},
    {"report"},
    {"serving"},
    {"experiment"},
    {"benchmark"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

ROOMS = {"serving": ["bundle", "recommend", "http"]}
"""Rooms of a package in the order of their imports: each may import those before it."""

HOMES = {
    "ray": {"tuning/ray/"},
    "lightning": {"training/", "data/datamodule.py"},
    "wandb": {"training/loggers.py"},
    "optuna_dashboard": {"serving/http"},
    "rich": {"cli/"},
    "fastapi": {"serving/http"},
    "starlette": {"serving/http"},
    "uvicorn": {"serving/http"},
    "prometheus_client": {"serving/http"},
}
"""Where each heavy library may be imported: path prefixes below the package."""


def modules():
    return sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    name = relative.parts[0].removesuffix(".py")
    return {"__init__": "", "__main__": "cli"}.get(name, name)


def imported(path: Path, *, is_run: bool = False):
    """Yield the name of each module imported; ``is_run`` leaves out imports for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if is_run and id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the module in full"
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_up_the_house(path):
    part = part_of(path)
    assert part in RANK, f"{part} is in no layer: add it to LAYERS and to docs/architecture.md"
    # The package's own face names parts for the type checker; what it runs, it loads on demand.
    for name in imported(path, is_run=path == SOURCE / "__init__.py"):
        if name.split(".")[0] == "reeltune":
            _, _, rest = name.partition(".")
            other = rest.split(".")[0]
            assert RANK[other] <= RANK[part], f"{path.name} in {part!r} imports {name}"


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_rooms_import_those_before_them_and_files_form_no_circle(package):
    imports = {}
    for path in sorted((SOURCE / package).rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        imports[name] = {other for other in imported(path) if other.startswith(f"reeltune.{package}.")}
        room = path.relative_to(SOURCE / package).parts[0]
        for other in imports[name] if room in ROOMS[package] else ():
            assert ROOMS[package].index(other.split(".")[2]) <= ROOMS[package].index(room), f"{name}: {other}"
    TopologicalSorter(imports).prepare()  # raises a CycleError that names the circle


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_heavy_libraries_have_one_home(path):
    place = str(path.relative_to(SOURCE))
    for name in imported(path, is_run=True):
        homes = HOMES.get(name.split(".")[0])
        if homes:
            assert any(place.startswith(home) for home in homes), f"{place} imports {name}; its home: {homes}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_held_out_data_have_one_opener_a_task(path):
    place = str(path.relative_to(SOURCE))
    # Folds have test rows each of their own: evaluation/ratings.py opens one when its fold is decided.
    if place in {"evaluation/final.py", "evaluation/ratings.py", "data/store.py"}:
        return
    assert "open_held_out" not in path.read_text(encoding="utf-8"), f"{place} touches the test set"


def test_models_import_torch_only():
    allowed = {"torch", "reeltune", "__future__", "numpy", "scipy", "pydantic"}
    trainers = {"factors.py": {"implicit", "threadpoolctl"}, "baselines.py": {"surprise"}}
    for path in modules():
        if part_of(path) == "models":
            for name in imported(path):
                root = name.split(".")[0]
                own = allowed | trainers.get(path.name, set())
                assert root in own or root in sys.stdlib_module_names, f"{path.name} imports {name}"
