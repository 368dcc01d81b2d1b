"""The public face is what ``reeltune.__all__`` names: pinned here, on one page of the docs."""

from pathlib import Path

import pytest

import reeltune

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "Recommender",
    "SequenceDataModule",
    "__version__",
    "evaluate_study",
    "export_study",
    "load_experiment",
    "make_leaderboard",
    "resume",
    "train",
    "tune",
}


def test_the_public_names_are_pinned():
    assert set(reeltune.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_loads_and_is_documented(name):
    found = getattr(reeltune, name)
    assert name in dir(reeltune)
    if name != "__version__":
        assert found.__doc__
        assert f"`reeltune.{name}" in (ROOT / "docs/python-api.md").read_text(encoding="utf-8")
