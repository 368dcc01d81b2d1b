"""One Ray for the tests of a module."""

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def one_ray():
    """Keep one Ray for the tests in this process; drivers in processes of their own start theirs."""
    import ray

    from reeltune.tuning.ray.session import private_environment, start_ray

    patch = pytest.MonkeyPatch()
    # Workers find the cheap trials.
    patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    for key, value in private_environment().items():
        patch.setenv(key, value)
    start_ray(2)
    yield
    ray.shutdown()
    patch.undo()
