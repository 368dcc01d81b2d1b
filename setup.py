"""Puts the shipped search spaces and experiments into a wheel; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("search_spaces", "experiments")


class BuildWithYaml(build_py):
    """Copies the YAML files of the top folders; an editable install reads them where they lie."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        for folder in SHIPPED:
            for path in sorted(Path(folder).rglob("*.yaml")):
                target = Path(self.build_lib) / "reeltune" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": BuildWithYaml})
