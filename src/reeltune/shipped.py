"""The search spaces and experiments that come with the package.

A checkout keeps them in its top folders ``search_spaces/`` and ``experiments/``; a wheel carries them
inside the package, where ``setup.py`` puts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from reeltune.errors import ConfigError, unknown_name

Kind = Literal["experiments", "search_spaces"]

PACKAGE = Path(__file__).parent


def shipped_folder(kind: Kind) -> Path:
    """Return the folder of the files that come with the package."""
    inside = PACKAGE / kind
    return inside if inside.is_dir() else PACKAGE.parents[1] / kind


def shipped_names(kind: Kind) -> list[str]:
    """Return the names by which the files that come with the package are known, sorted."""
    return sorted(path.stem for path in shipped_folder(kind).glob("*.yaml"))


def find_yaml(given: str | Path, kind: Kind, folders: Sequence[Path] = (Path(),), where: str = "") -> Path:
    """Return the file that ``given`` names: a path in one of ``folders``, or the name of a shipped file.

    Args:
        given: A path, absolute or relative to one of ``folders``; or a name, such as ``gru``.
        kind: What is looked for.
        folders: Where a relative path begins, the first one first.
        where: What an error begins with, such as file and line.

    Raises:
        ConfigError: There is no such file, and no shipped one of that name.
    """
    path = Path(given)
    is_name = len(path.parts) == 1 and path.suffix not in {".yaml", ".yml"}
    below = path.relative_to(kind) if path.is_relative_to(kind) else path
    shipped = shipped_folder(kind) / (f"{path}.yaml" if is_name else below)
    for candidate in (*(folder / path for folder in folders), shipped):
        if candidate.is_file():
            return candidate
    what = kind.removesuffix("s").replace("_", " ")
    if is_name:
        raise ConfigError(
            f"{where}{unknown_name(what, path, shipped_names(kind))}; or give the path of a file"
        )
    looked = " or ".join(str(folder) for folder in dict.fromkeys(map(str, folders)))
    raise ConfigError(
        f"{where}there is no file {path} (looked in {looked}); "
        f"give a path, or a name: {', '.join(shipped_names(kind))}"
    )
