"""Imports point one way; heavy libraries are imported in one place each."""

import ast
import functools
import sys
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "reeltune"

LAYERS = [
    {"errors", "version", "seeding", "locks", "files", "config", "shipped", "object_storage", ""},
    {"data"},
    {"models"},
    {"metrics"},
    {"training"},
    {"tuning"},
    {"evaluation"},
    {"report"},
    {"serving"},
    {"benchmark"},
    {"experiment"},
    {"reference", "check"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

ROOMS: dict[str, list[str]] = {
    "data": [],
    "serving": ["bundle", "recommend", "http"],
    "tuning": ["space", "records", "trial", "search", "study", "mirror", "ray"],
}
"""Rooms of a package in the order of their imports: each may import those before it."""

HOMES = {
    "ray": {"tuning/ray/"},
    "optuna": {"tuning/search/", "tuning/study/"},
    "sqlalchemy": {"tuning/study/storage.py"},
    "sqlite3": {"tuning/records/reader.py", "tuning/study/storage.py"},
    "pyarrow": {"data/", "object_storage.py", "serving/recommend/"},
    "sklearn": {"data/features/", "evaluation/"},
    "onnx": {"serving/bundle/"},
    "onnxruntime": {"serving/bundle/"},
    "onnxscript": {"serving/bundle/"},
    "http": {"data/", "serving/http"},
    "requests": set(),
    "matplotlib": set(),
    "plotly": set(),
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


@functools.cache
def modules():
    return sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    name = relative.parts[0].removesuffix(".py")
    return {"__init__": "", "__main__": "cli"}.get(name, name)


@functools.cache
def imported(path: Path, *, is_run: bool = False) -> list[str]:
    """Return the name of each module imported; ``is_run`` leaves out imports for the type checker alone."""
    names, todo = [], [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the module in full"
            names.append(node.module or "")
        elif is_run and isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            todo += node.orelse
        elif not isinstance(node, ast.expr):  # which holds no statement
            todo += ast.iter_child_nodes(node)
    return names


def test_imports_point_up_the_house():
    unknown = {part_of(path) for path in modules()} - set(RANK)
    assert not unknown, "add each to LAYERS and to docs/architecture.md"
    wrong = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in modules()
        # The package's own face names parts for the type checker; what it runs, it loads on demand.
        for name in imported(path, is_run=path == SOURCE / "__init__.py")
        if name.split(".")[0] == "reeltune"
        and RANK[name.partition(".")[2].split(".")[0]] > RANK[part_of(path)]
    ]
    assert not wrong


def test_no_room_is_crowded():
    rooms = Counter(path.parent for path in modules() if path.name != "__init__.py")
    assert max(rooms.values()) <= 15, rooms.most_common(3)


def test_heavy_libraries_have_one_home():
    wrong = []
    for path in modules():
        place = path.relative_to(SOURCE).as_posix()
        for name in imported(path, is_run=True):
            homes = HOMES.get(name.split(".")[0])
            if homes is not None and not any(place.startswith(home) for home in homes):
                wrong.append(f"{place} imports {name}; its home: {homes}")
    assert not wrong


def test_the_held_out_data_have_one_opener_a_task():
    # Folds have test rows each of their own: evaluation/ratings.py opens one when its fold is decided.
    openers = {"evaluation/final.py", "evaluation/ratings.py", "data/store.py"}
    places = {
        path.relative_to(SOURCE).as_posix()
        for path in modules()
        if "open_held_out" in path.read_text(encoding="utf-8")
    }
    assert places <= openers, "a file touches the test set"


@functools.cache
def file_imports():
    """Return the files that each file imports when it runs, by their names below the package."""
    names = {}
    for path in modules():
        parts = path.relative_to(SOURCE).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    found = {}
    for name, path in names.items():
        asked = {other.partition(".")[2] for other in imported(path, is_run=True) if other.startswith("reel")}
        found[name] = {other for other in asked if other in names and other not in ("", name)}
    return found


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_rooms_import_those_before_them(package):
    def rank(name):
        parts = name.split(".")
        is_inside = len(parts) > 2 and parts[0] == package and parts[1] in ROOMS[package]
        return ROOMS[package].index(parts[1]) if is_inside else -1

    arrows = file_imports()
    upward = {(a, b) for a, others in arrows.items() for b in others if rank(b) > rank(a) >= 0}
    assert not upward, f"rooms stand in the order {ROOMS[package]}"


def test_no_circle_of_files():
    arrows = file_imports()
    reached = {}
    for start in arrows:
        seen, todo = set(), [start]
        while todo:
            new = arrows[todo.pop()] - seen
            seen |= new
            todo += new
        reached[start] = seen
    circles = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in reached
        if name in reached[name]
    }
    assert not circles, "files import each other"


def test_models_import_torch_only():
    allowed = {"torch", "reeltune", "__future__", "numpy", "scipy", "pydantic"}
    trainers = {"factors.py": {"implicit", "threadpoolctl"}, "baselines.py": {"surprise"}}
    for path in modules():
        if part_of(path) == "models":
            for name in imported(path):
                root = name.split(".")[0]
                own = allowed | trainers.get(path.name, set())
                assert root in own or root in sys.stdlib_module_names, f"{path.name} imports {name}"
