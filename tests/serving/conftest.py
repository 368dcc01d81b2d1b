"""A small exported bundle."""

from pathlib import Path

import pytest
from serving_parts import make_parts

from reeltune.serving.bundle import export_bundle


@pytest.fixture
def bundle_dir(tmp_path: Path) -> Path:
    return export_bundle(make_parts(), tmp_path / "bundle")
