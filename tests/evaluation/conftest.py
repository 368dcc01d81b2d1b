"""One finished study for all tests of evaluation; a test that writes takes a copy."""

import shutil
from pathlib import Path

import pytest

from finished_study import make_finished_study


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_finished_study(tmp_path_factory.mktemp("studies") / "tiny")


@pytest.fixture
def study_dir(finished_study: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_study, tmp_path / "tiny")
