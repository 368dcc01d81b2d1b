from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reeltune.evaluation import compare
from reeltune.evaluation.statistics import (
    Finding,
    compare_family,
    holm,
    wilcoxon,
)


def test_wilcoxon_without_ties_and_zeros_agrees_with_the_exact_test() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1.0, size=40)
    exact = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon(differences) == pytest.approx(exact, rel=0.05)


def test_wilcoxon_is_uniform_where_nothing_differs_though_most_are_zero() -> None:
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(400):
        sizes = rng.choice([0.0, 0.0, 0.0, 0.3, 0.5, 1.0], size=120)
        p_values.append(wilcoxon(sizes * rng.choice([-1, 1], size=120)))
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09


def test_wilcoxon_takes_people_not_queries() -> None:
    differences = np.array([0.1, 0.3, -0.2, 0.4, 0.5, 0.1])
    users = np.array([0, 0, 1, 2, 3, 4])
    assert wilcoxon(differences, users=users) == wilcoxon([0.2, -0.2, 0.4, 0.5, 0.1])
    assert wilcoxon(np.zeros(9)) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_its_definition(values: list[float]) -> None:
    names = {str(i): p for i, p in enumerate(values)}
    ordered, n = sorted(values), len(values)
    for name, adjusted in holm(names).items():
        before = [min(1.0, (n - j) * p) for j, p in enumerate(ordered) if p <= names[name]]
        # Of equal values the first has the largest factor, so all share its result.
        assert adjusted == pytest.approx(max(before))
        assert adjusted >= names[name]


def test_holm_holds_the_error_of_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_FLIPS", 999)
    monkeypatch.setattr(compare, "N_BOOTSTRAP", 10)
    rng, n_wrong = np.random.default_rng(5), 0
    for i in range(100):
        values = rng.normal(size=(5, 60))
        found = compare_family(values[0], {str(j): values[j] for j in range(1, 5)}, metric="x@1", seed=i)
        n_wrong += any(f.is_better or f.is_worse for f in found.values())
    assert n_wrong <= 11


def test_a_verdict_tells_size_interval_effect_and_chance() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(300).round(1)
    opponents = {"worse": base - rng.normal(0.2, 0.4, 300), "same": base + rng.normal(0, 0.4, 300),
                 "better": base + rng.normal(0.3, 0.4, 300)}  # fmt: skip
    opponents = {name: values.round(1) for name, values in opponents.items()}
    found = compare_family(base, opponents, metric="ndcg@10")
    assert [f.is_better for f in found.values()] == [True, False, False]
    assert [f.is_worse for f in found.values()] == [False, False, True]
    text = found["worse"].verdict()
    for part in ("beats worse by 0.", "95 % interval +", "better for ", "Holm's correction over 3"):
        assert part in text
    assert found["same"].verdict().startswith("is not shown to differ from same (difference ")
    assert found["better"].verdict().startswith("loses to better by 0.")
    for finding in found.values():
        assert Finding.from_plain(json.loads(json.dumps(finding.plain()))) == finding
        assert finding.adjusted_p >= finding.comparison.p_value
