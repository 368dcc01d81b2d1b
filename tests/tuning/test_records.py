"""Records are believed only when they agree; a study of an earlier version opens and is resumed."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from engine_parts import run
from studies_for_tests import make_study

from reeltune.errors import StudyError
from reeltune.evaluation.final import evaluate_study
from reeltune.experiment import resume
from reeltune.report.study import write_report
from reeltune.training.checkpoint import load_network, read_ranks
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome

SCHEMA_1 = Path(__file__).parent / "schema_1"
"""Made by version 0.1.0: three trials ended, the fourth was killed after its first epoch; no study.db."""


@pytest.fixture
def old(tmp_path):
    shutil.copytree(SCHEMA_1, tmp_path / "schema_1")
    return Study.open(tmp_path / "schema_1")


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_study_of_schema_1_opens(old):
    rows = old.rows()
    assert [str(row.state) for row in rows] == ["complete"] * 3 + ["running"]
    assert old.best(1)[0].number == 2
    assert old.best(1)[0].value == pytest.approx(0.08863, abs=1e-5)
    assert len(old.epochs(3)) == 1
    load_network(old.trial_directory(2) / "best.ckpt")
    assert read_ranks(old.trial_directory(2) / "validation_ranks.npy").shape == (400,)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_study_of_schema_1_is_resumed_evaluated_and_reported(old):
    ended = old.rows()[:3]
    assert resume(old.directory).outcome is Outcome.FINISHED
    rows = old.rows()
    assert rows[:3] == ended
    assert rows[3].state is TrialState.COMPLETE
    assert rows[3].value == pytest.approx(0.035527, abs=1e-3), "as the version that made it resumed it"
    assert [epoch.epoch for epoch in old.epochs(3)] == [1, 2, 3, 4]
    assert evaluate_study(old.directory).trial == 2
    assert write_report(old.directory).exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": 9.9}, r"trial\.json is damaged \(value: 9\.9, but its epochs say 0\.0886"),
        ({"value": "0.08"}, "value: Input should be a valid number, not '0.08'"),
        ({"value": True}, "value: Input should be a valid number, not True"),
        ({"value": None}, "value: None, but its epochs say 0.0886"),
        ({"metrics": {}}, "metrics: {}, but its epochs say"),
        ({"n_epochs": 3}, "n_epochs: 3, but its epochs say 4"),
        ({"best_epoch": 1}, "best_epoch: 1, but its epochs say 4"),
        ({"seconds": 1e6}, "seconds: 1000000.0, but its epochs say"),
        ({"state": "running"}, "n_epochs: 4, but its epochs say 0"),
        ({"state": "won"}, "state: Input should be 'running', 'complete'"),
        ({"number": 1}, "number: 1, but its folder is 00002"),
        ({"params": {"model.hidden_dim": 4}}, "params: model.hidden_dim is 4, but its config says 7"),
        ({"parent": 2}, "parent: 2, which is no trial before it"),
        ({"start_epoch": 1}, "it begins with epoch 1, not 2"),
        ({"verdict": "good"}, "verdict: Unexpected keyword argument, not 'good'"),
    ],
)
def test_a_row_that_disagrees_is_named(old, fields, message):
    change(old.trial_directory(2) / "trial.json", **fields)
    with pytest.raises(StudyError, match=message) as error:
        old.rows()
    assert str(old.trial_directory(2)) in str(error.value)
    assert str(error.value).endswith("restore it from a copy or remove the study")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["trial.json", "epochs.jsonl"])
def test_a_number_that_is_not_finite_is_named(old, name):
    path = old.trial_directory(1) / name
    number = str(old.rows()[1].metrics["ndcg@10"])
    for word in ("NaN", "Infinity", "1e999"):
        text = path.read_text()
        path.write_text(text.replace(number, word))
        with pytest.raises(StudyError, match=f"{name} is damaged"):
            old.rows()
        path.write_text(text)


def test_only_a_torn_last_line_of_epochs_is_forgiven(old):
    path = old.trial_directory(2) / "epochs.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "[" + lines[1][1:] + "".join(lines[2:]))
    with pytest.raises(StudyError, match=r"epochs\.jsonl is damaged \(ValueError: line 2: "):
        old.rows()
    path.write_text("".join(lines[:1] + lines[2:]))
    with pytest.raises(StudyError, match="line 2: epoch 3 follows epoch 1"):
        old.rows()
    path.write_text("".join(lines) + lines[-1])
    with pytest.raises(StudyError, match="line 5: epoch 4 follows epoch 4"):
        old.rows()
    path.write_text("".join(lines[:3]) + lines[3][:20])
    with pytest.raises(StudyError, match="n_epochs: 4, but its epochs say 3"):
        old.rows()
    running = old.trial_directory(3) / "epochs.jsonl"
    path.write_text("".join(lines))
    running.write_text(running.read_text() + '{"epoch": 2, "me')
    assert len(old.rows()) == 4


def test_a_missing_row_is_named(old):
    (old.trial_directory(1) / "trial.json").unlink()
    with pytest.raises(StudyError, match=r"00001/trial\.json is missing, but a later trial is there"):
        old.rows()


def flips(data):
    """Return copies of ``data`` with one bit changed each, all over it."""
    for place in range(0, len(data), max(len(data) // 40, 1)):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        yield bytes(changed)


def test_a_flipped_bit_in_weights_is_never_read_in_silence(old):
    path = old.trial_directory(2) / "best.ckpt"
    data = path.read_bytes()
    weights = load_network(path).state_dict()
    n_refused = 0
    for changed in flips(data):
        path.write_bytes(changed)
        with suppress(StudyError):
            same = load_network(path).state_dict()
            assert all(weights[name].equal(same[name]) for name in weights), "of an archive's padding"
            n_refused -= 1
        n_refused += 1
    assert n_refused > 10


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_rows_agree_with_the_storage_and_a_removed_folder_blocks_nothing(tmp_path):
    study = make_study(tmp_path / "s", trials=3, scheduler="none")
    assert run(study, "run") is Outcome.FINISHED
    rows = study.rows()
    row, epochs = (study.trial_directory(1) / name for name in ("trial.json", "epochs.jsonl"))
    texts = row.read_text(), epochs.read_text()
    change(row, state="stopped")
    with pytest.raises(StudyError, match=r"state: stopped, but study\.db says complete"):
        study.rows()
    lines = [json.loads(line) for line in texts[1].splitlines()]
    for line in lines:
        line["best"] = line["metrics"]["ndcg@10"] = line["metrics"]["ndcg@10"] + 0.25
    epochs.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    last = lines[-1]["metrics"]
    change(row, state="complete", value=last["ndcg@10"], metrics=last)
    with pytest.raises(StudyError, match=r"its values differ from those in study\.db"):
        study.rows()
    row.unlink()
    with pytest.raises(StudyError, match=r"trial\.json is missing, but study\.db knows trial 1 as complete"):
        study.rows()
    row.write_text(texts[0])
    epochs.write_text(texts[1])
    assert study.rows() == rows
