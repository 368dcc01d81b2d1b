"""The simplest of equals, and what is said where a study could not search."""

import numpy as np
import pytest
from studies_for_tests import make_study, spec

from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.search.results import search_warnings, simplest
from reeltune.tuning.study.spec import StudySettings

N_USERS = 400


def test_the_smallest_network_that_cannot_be_told_from_the_best_wins():
    rng = np.random.default_rng(0)
    best = rng.random(N_USERS)
    values = {
        4: best,
        7: best + rng.normal(0.0, 0.1, N_USERS),  # the same but for noise
        2: best - 0.02 + rng.normal(0.0, 0.1, N_USERS),  # four standard errors worse
        9: best.copy(),
    }
    values[7] -= values[7].mean() - best.mean()
    assert simplest({4: 900, 7: 300, 2: 100, 9: 300}, values) == 7
    assert simplest({4: 900, 9: 900}, values) == 4, "of equal sizes the better"
    assert simplest({4: 900, 2: 100}, values) == 4
    assert simplest({4: 900, 2: 100}, {4: best[:1], 2: best[:1] - 0.1}) == 4, "one user has no spread"


def test_what_both_get_wrong_does_not_count():
    hard = np.random.default_rng(0).choice([0.0, 1.0], N_USERS)  # spread far above the difference
    assert simplest({1: 20, 2: 10}, {1: hard, 2: hard - 0.001}) == 1


def row(number, n_epochs, state=TrialState.STOPPED):
    return TrialRow(number, state, "", {}, {}, 0, n_epochs=n_epochs)


def said(rows=(), **settings):
    study = StudySettings(**settings)
    return search_warnings(
        rows, n_trials=study.trials, searcher=study.searcher, scheduler=study.scheduler, lag=study.lag
    )


def test_a_study_too_short_for_its_searcher_is_told():
    (line,) = said(trials=5)
    assert line.startswith(
        "tpe would choose by results from trial 11 on (n_initial and lag), but the study ends"
    )
    assert "with trial 4: raise study.trials above 11, or use qmc" in line
    assert said(trials=12) == []
    assert said(trials=9, lag=None) == []
    assert said(trials=5, searcher="qmc") == []
    assert said(trials=5, searcher={"name": "tpe", "n_initial": 1}) == []


def test_trials_that_ended_at_the_first_rung_are_told():
    early = [row(0, 8, TrialState.COMPLETE), *(row(number, 1) for number in range(1, 5))]
    (line,) = said(early, trials=32, scheduler={"name": "asha", "grace_epochs": 1})
    assert line.startswith("asha stopped 4 of 5 trials by epoch 1, its first rung")
    assert "raise grace_epochs" in line
    assert said(early[:3], trials=32, scheduler={"name": "asha", "grace_epochs": 1}) == [], "too few to say"
    later = [row(number, 3 if number % 2 else 1) for number in range(4)]
    assert said(later, trials=32, scheduler={"name": "asha", "grace_epochs": 1}) == []
    (line,) = said(early, trials=32, scheduler="hyperband")
    assert "raise min_epochs" in line
    assert said(early, trials=32, scheduler="none") == []


def test_a_study_says_it_of_itself(tmp_path):
    assert len(make_study(tmp_path / "short", trials=3).warnings()) == 1
    assert make_study(tmp_path / "warm", trials=3, warm_start=["old"]).warnings() == []
    population = {"name": "pbt", "population": 2}
    assert make_study(tmp_path / "pbt", trials=4, scheduler=population).warnings() == []


def test_the_simplest_of_several_objectives_is_refused():
    with pytest.raises(ValueError, match="simplest knows one objective; name the size as a constraint"):
        spec(objectives=["ndcg@10", "coverage@10"], repeats={"seeds": 2, "winner": "simplest"})
