"""Studies side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import StudyError
from reeltune.evaluation.across import compare_studies
from reeltune.evaluation.compare import compare_paired
from reeltune.files import read_json, write_json
from reeltune.metrics.registry import per_query


@pytest.fixture
def two(study_dir: Path) -> list[Path]:
    """Return two studies; every rank of the other one is worse by 3."""
    other = shutil.copytree(study_dir, study_dir.parent / "other")
    for path in other.glob("trials/*/validation_ranks.npy"):
        np.save(path, np.load(path) + 3)
    return [other, study_dir]


def change_ledger(study: Path, **fields: object) -> None:
    record = read_json(study / "study.json")
    record["ledger"] |= fields
    write_json(study / "study.json", record)


def test_the_better_study_comes_first_with_a_paired_test(two: list[Path]) -> None:
    found = compare_studies(two)
    assert [line.study for line in found.lines] == ["tiny", "other"]
    assert found.differences == ()
    assert found.lines[0].against_best is None
    ranks = [np.load(path / "trials" / "00000" / "validation_ranks.npy") for path in (two[1], two[0])]
    values = [per_query(of, "ndcg@10") for of in ranks]
    expected = compare_paired(*values, opponent_name="other", metric="ndcg@10")
    assert found.lines[1].against_best is not None
    assert found.lines[1].against_best.difference.value == pytest.approx(expected.difference.value)
    assert found.lines[1].against_best.is_better
    assert json.loads(json.dumps(found.plain()))["lines"][0]["study"] == "tiny"


def test_other_data_are_refused_by_the_name_of_the_field(two: list[Path]) -> None:
    change_ledger(two[1], k_core=9)
    with pytest.raises(StudyError, match=r"ledgers differ: k_core is 5 in other, 9 in tiny; with --anyway"):
        compare_studies(two)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_one_study_is_no_comparison(two: list[Path], n: int) -> None:
    with pytest.raises(StudyError, match="at least two different"):
        compare_studies([two[0]] * n) if n else compare_studies(two[:1])


def test_the_verb_prints_figures_verdict_and_warning(
    two: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_STUDIES", str(two[0].parent))
    result = CliRunner().invoke(app, ["compare", "tiny", "other"])
    assert result.exit_code == 0, result.output
    assert "tiny beats other by 0." in result.output
    assert result.output.index("tiny ") < result.output.index("other ")
    assert CliRunner().invoke(app, ["compare", "tiny", "other", "--json"]).stdout.startswith("{")


def test_anyway_shows_figures_without_a_test(two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from reeltune.evaluation import across

    monkeypatch.setenv("REELTUNE_STUDIES", str(two[0].parent))
    original = across.open_study_data
    change_ledger(two[1], k_core=9)

    def open_as_it_was(study, **options):
        change_ledger(study.directory, k_core=5)
        return original(type(study).open(study.directory), **options)

    monkeypatch.setattr(across, "open_study_data", open_as_it_was)
    result = CliRunner().invoke(app, ["compare", "tiny", "other", "--anyway"])
    assert result.exit_code == 0, result.output
    assert "warning: not comparable: k_core is 9 in tiny, 5 in other" in result.output
    assert "beats" not in result.output
