"""Which settings of a leg promise most: the time-varying Gaussian process bandit of PB2.

Shapes: N legs that ended, F searched ranges, C candidates.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reeltune.seeding import derive
from reeltune.tuning.records.rows import EpochReport, TrialRow
from reeltune.tuning.search.samplers import distribution, from_unit
from reeltune.tuning.search.schedulers import PopulationConfig
from reeltune.tuning.space.parameters import Choice, Scalar
from reeltune.tuning.study.spec import StudySpec

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

__all__ = ["best_points", "fit_process", "propose"]

N_CANDIDATES = 512
"""Points of the unit cube among which the best is looked for."""
N_LEGS = 400
"""Latest legs that the process is fitted to: its cost grows with their third power."""
C1, C2 = 0.2, 0.4
"""Of the exploration bonus ``beta = c1 + log(c2 N)``, as in the authors' code."""


def propose(
    spec: StudySpec,
    number: int,
    names: Sequence[str],
    rows: Mapping[int, TrialRow],
    epochs: Callable[[int], Sequence[EpochReport]],
) -> list[dict[str, Scalar]]:
    """Return values of the ranges among ``names`` for trial ``number``, what promises most first.

    A Gaussian process over settings and generation is fitted to what each leg added to the objective, scaled
    within its generation; the answers are sorted by their upper confidence bound, given that the legs of the
    generation before ``number`` are under way. Nothing is proposed while two legs have not ended.

    Args:
        spec: The study.
        number: Of the trial that explores.
        names: Searched fields that may change.
        rows: The trials known, by number.
        epochs: Gives the epochs of each.
    """
    population = spec.study.scheduler
    assert isinstance(population, PopulationConfig)
    ranges = [name for name in names if not isinstance(spec.space.space[name], Choice)]
    generation = number // population.population
    known, gains, pending = [], [], []
    for n in sorted(rows):
        if n >= number or any(name not in rows[n].params for name in ranges):
            continue
        settings = [spec.space.space[name].place(rows[n].params[name]) for name in ranges]
        where = [*settings, float(n // population.population)]
        if n // population.population == generation:
            pending.append(where)
        elif epochs(n) and rows[n].state.is_finished:
            known.append(where)
            gains.append(_gain(spec, rows[n], epochs))
    if len(known) < 2 or not ranges:
        return []
    points = np.array(known[-N_LEGS:])  # [N, F+1]
    process = fit_process(points, _scaled(np.array(gains[-N_LEGS:]), points[:, -1]))
    candidates = _candidates(derive(spec.study.seed, "pb2", number), len(ranges))
    order = best_points(
        process, candidates, float(generation), np.array(pending).reshape(-1, len(ranges) + 1)
    )
    distributions = [distribution(spec.space.space[name]) for name in ranges]
    return [
        {name: from_unit(unit, of) for name, unit, of in zip(ranges, units, distributions, strict=True)}
        for units in candidates[order].tolist()
    ]


def _candidates(seed: int, n_fields: int) -> NDArray[np.float64]:
    """Return points that fill the unit cube evenly, [C, F]."""
    from torch.quasirandom import SobolEngine

    engine: Any = SobolEngine(n_fields, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points: NDArray[np.float64] = engine.draw(N_CANDIDATES).double().numpy()
    return points


def _gain(spec: StudySpec, row: TrialRow, epochs: Callable[[int], Sequence[EpochReport]]) -> float:
    """Return what a leg added to the objective, up being better."""
    label = spec.study.objective
    before = epochs(row.parent)[-1].metrics[label] if row.parent is not None else 0.0
    gain = epochs(row.number)[-1].metrics[label] - before
    return gain if spec.study.goal.higher_is_better[0] else -gain


def _scaled(gains: NDArray[np.float64], generations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gains [N] at mean 0 and deviation 1 within each generation: early legs add far more."""
    scaled = np.zeros_like(gains)
    for generation in np.unique(generations):
        own = generations == generation
        deviation = gains[own].std()
        scaled[own] = (gains[own] - gains[own].mean()) / (deviation if deviation > 0 else 1.0)
    return scaled


def fit_process(points: NDArray[np.float64], values: NDArray[np.float64]) -> GaussianProcessRegressor:
    """Return the process fitted to ``values`` [N] at ``points`` [N, F+1]; the last column is the generation.

    The kernel is the paper's: squared exponential in the settings times ``(1 - epsilon)^(|t - t'| / 2)`` in
    time, which is the exponential kernel.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    class OverSettings(RBF):  # type: ignore[misc]
        """Looks at all columns but the last."""

        def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:  # noqa: N803
            return super().__call__(X[:, :-1], None if Y is None else Y[:, :-1], eval_gradient)

    class OverTime(Matern):  # type: ignore[misc]
        """Looks at the last column."""

        def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:  # noqa: N803
            return super().__call__(X[:, -1:], None if Y is None else Y[:, -1:], eval_gradient)

    kernel = ConstantKernel(1.0, (0.1, 10.0)) * OverSettings(
        [0.3] * (points.shape[1] - 1), (0.05, 5.0)
    ) * OverTime(5.0, (0.5, 100.0), nu=0.5) + WhiteKernel(0.1, (1e-3, 1.0))
    process = GaussianProcessRegressor(kernel, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is an answer too
        return process.fit(points, values)


def best_points(
    process: GaussianProcessRegressor,
    candidates: NDArray[np.float64],
    generation: float,
    pending: NDArray[np.float64],
) -> list[int]:
    """Return the places of ``candidates`` [C, F], the highest upper confidence bound first.

    ``pending`` [P, F+1] are legs under way: they lower the deviation near them, whatever they will add.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor

    points = np.column_stack([candidates, np.full(len(candidates), generation)])
    mean = process.predict(points)
    seen = np.concatenate([process.X_train_, pending])
    beside = GaussianProcessRegressor(process.kernel_, optimizer=None).fit(seen, np.zeros(len(seen)))
    _, deviation = beside.predict(points, return_std=True)
    beta = C1 + max(0.0, math.log(C2 * len(process.X_train_)))
    bound = np.round(mean + math.sqrt(beta) * deviation, 9)  # rounding noise must not choose
    return np.argsort(-bound, kind="stable").tolist()  # type: ignore[no-any-return]
