from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from reeltune.errors import BundleError
from reeltune.evaluation import compare
from reeltune.serving.bundle.bundle import load_bundle
from reeltune.serving.bundle.export import export_study
from reeltune.serving.recommend.audit import age_bracket, audit_bundle, data_of


@pytest.fixture
def exported(finished_study, tmp_path):
    return load_bundle(export_study(finished_study, tmp_path / "bundle"))


def test_an_audit_tells_of_membership_explanations_and_files(exported, monkeypatch) -> None:
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 300)
    monkeypatch.setattr(compare, "N_FLIPS", 999)
    found = audit_bundle(exported, data_of(exported), n_explained=15)
    assert found["probes"] == {}  # generated film-goers have no gender
    assert 0.3 < found["membership"]["auc"]["value"] < 0.7
    assert found["explanations"]["n_people"] == 15
    assert "weights.safetensors" in found["files"]
    json.dumps(found, allow_nan=False)


def test_data_that_are_not_prepared_are_told(exported, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "empty"))
    with pytest.raises(BundleError, match="reeltune data prepare synthetic"):
        data_of(exported)


@pytest.mark.slow
def test_the_verb_prints_the_verdicts(exported) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reeltune", "audit", str(exported.directory), "--people", "5"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert "AUC" in done.stdout
    assert "explanations are" in done.stdout


def test_ages_fall_into_brackets() -> None:
    assert [age_bracket(age) for age in (-1, 1, 25, 49, 56)] == [
        "", "under 25", "25 to 34", "35 to 49", "50 and over"
    ]  # fmt: skip
