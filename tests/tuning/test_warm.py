import pytest
from studies_for_tests import SPACE, make_study, spec, write_ended

from reeltune.config import parse_yaml
from reeltune.errors import ConfigError, StudyError
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.search.history import History
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.preflight import check_settings, horizon
from reeltune.tuning.study.warm import PRIOR_FILE, keep_prior, read_prior


def finished_study(directory, *, n=12, **settings):
    study = make_study(directory, **settings)
    for number in range(n):
        params = {
            "training.learning_rate": 10 ** (-3.5 + number / 4),
            "model.hidden_dim": 10 + number,
            "training.batch_size": 16,
        }
        config = study.spec.space.apply(study.spec.trial.plain(), params)
        value = number / 20
        state = TrialState.STOPPED if number % 3 == 0 else TrialState.COMPLETE
        write_ended(study, number, value, state, params, config)
    return study


def test_the_searcher_learns_from_an_earlier_study(tmp_path):
    finished_study(tmp_path / "old")
    study = make_study(tmp_path / "new", warm_start=["old"])
    notes = []
    keep_prior(study, notes.append)
    assert notes == ["warm start: 12 of 12 trials of old taken"]
    prior = read_prior(Study.open(study.directory))
    assert [trial.state.name for trial in prior[:2]] == ["PRUNED", "COMPLETE"]
    settings = study.spec.study
    warm = History(study.spec.space, settings.searcher, settings.seed, ["maximize"], prior)
    base = study.spec.trial.plain()
    rates = [warm.suggest(base, {}).params["training.learning_rate"] for _ in range(5)]
    assert sorted(rates)[2] > 0.02, "the best of the earlier ones were fast"
    assert horizon(study.spec, 6, n_prior=12) == 3, "it learns from the start, so it waits from the start"
    keep_prior(study, notes.append)
    assert len(notes) == 1, "taken once"


def test_only_trials_that_mean_the_same_are_taken(tmp_path):
    finished_study(tmp_path / "old")
    narrow = make_study(tmp_path / "narrow", space=SPACE.replace("high: 64", "high: 15"), warm_start=["old"])
    notes = []
    keep_prior(narrow, notes.append)
    assert notes == ["warm start: 6 of 12 trials of old taken"]
    longer = make_study(tmp_path / "longer", max_epochs=9, warm_start=["old"])
    with pytest.raises(StudyError, match="none of the 12 finished trials of 'old' lies in the space"):
        keep_prior(longer)


def test_an_earlier_study_that_cannot_teach(tmp_path):
    finished_study(tmp_path / "old", objective="hr@10")
    with pytest.raises(StudyError, match="'old' searched for hr@10, this study for ndcg@10"):
        keep_prior(make_study(tmp_path / "new", warm_start=["old"]))
    with pytest.raises(StudyError, match="did you mean 'old'"):
        keep_prior(make_study(tmp_path / "other", warm_start=["odl"]))
    study = make_study(tmp_path / "damaged", warm_start=["old"])
    (study.directory / PRIOR_FILE).write_text("[{}]")
    with pytest.raises(StudyError, match=r"prior\.json is damaged"):
        read_prior(study)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"searcher": "random", "warm_start": ["old"]}, "the searcher random learns from no trial"),
        ({"concurrency": 8}, "study.concurrency is 8, but with study.lag 3 a trial waits"),
        ({"searcher": "grid"}, "has a logarithmic scale, which a grid cannot hold"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    described = spec(**settings)
    with pytest.raises(ConfigError) as error:
        check_settings(described.space, described.study, described.trial, parse_yaml("study: {}", "e.yaml"))
    assert message in str(error.value)
    assert str(error.value).startswith("e.yaml:1: ")
