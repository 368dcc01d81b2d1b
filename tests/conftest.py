"""Fixtures for all tests: an own cache, no network, one thread; how many examples a property is tried on."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and no limit on time: no test may depend on chance or load.
EVERY = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("few", max_examples=30, **EVERY)
settings.register_profile("thorough", max_examples=500, **EVERY)
settings.load_profile("few")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data beside the checkout; skip where it is absent."""
    root = Path(os.environ.get("REELTUNE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip("the folder of real data is absent")
    return root


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Let torch use one core: the tests share the machine."""
    import torch  # not above: the process that only hands out the tests needs none

    torch.set_num_threads(1)


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
