import pytest

from reeltune.config import parse_yaml
from reeltune.tuning.study.experiment_file import resolve
from reeltune.tuning.study.machine import Machine, this_machine
from reeltune.tuning.study.spec import StudySettings


@pytest.mark.parametrize(
    ("machine", "settings", "n_trials"),
    [
        (Machine(1, 0), {}, 1),
        (Machine(2, 0), {}, 2),
        (Machine(16, 0), {}, 4),
        (Machine(16, 0), {"lag": 15}, 16),
        (Machine(16, 0), {"n_threads": 8}, 2),
        (Machine(16, 0), {"n_threads": 32}, 1),
        (Machine(16, 1), {"gpus_per_trial": 0.5}, 2),
        (Machine(16, 0), {"gpus_per_trial": 1.0}, 1),
        (Machine(16, 0), {"lag": None}, 2),
    ],
)
def test_how_many_trials_a_machine_holds(machine, settings, n_trials):
    assert machine.trials_at_once(StudySettings(**settings)) == n_trials


def test_the_default_follows_the_machine_and_a_number_stays(tmp_path):
    space = "{model: gru, space: {model.hidden_dim: {kind: int, low: 8, high: 16}}}"
    found = []
    for more in ("", ", concurrency: 3"):
        text = f"data: {{dataset: synthetic}}\nstudy: {{trials: 1, space: {space}{more}}}\n"
        found.append(resolve(parse_yaml(text, "e.yaml"), tmp_path / "e.yaml").study_spec().study.concurrency)
    assert found == [this_machine().trials_at_once(StudySettings()), 3]
