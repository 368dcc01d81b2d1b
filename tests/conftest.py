"""Fixtures for all tests: an own cache, no network, one thread."""

import os
import shutil
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data beside the checkout; skip where it is absent."""
    root = Path(os.environ.get("REELTUNE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip("the folder of real data is absent")
    return root


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep prepared data of the tests out of the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("REELTUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.delenv("REELTUNE_DATA", raising=False)
    patch.delenv("REELTUNE_STUDIES", raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory):
    """Return prepared synthetic data that a small network learns in about a second."""
    from reeltune.data.store import open_tuning
    from synthetic_parts import synthetic_tuning_data

    folder = tmp_path_factory.mktemp("tiny")
    return open_tuning(synthetic_tuning_data(folder, n_users=150, n_items=40, mean_length=16))


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one finished study for all tests; a test that writes takes ``study_dir``."""
    from finished_study import make_finished_study

    return make_finished_study(tmp_path_factory.mktemp("studies") / "tiny")


@pytest.fixture
def study_dir(finished_study: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished study."""
    return shutil.copytree(finished_study, tmp_path / "studies" / "tiny")


@pytest.fixture
def bundle_dir(tmp_path: Path) -> Path:
    """Return a small exported bundle."""
    from reeltune.serving.bundle.bundle import export_bundle
    from serving_parts import make_parts

    return export_bundle(make_parts(), tmp_path / "bundle")
