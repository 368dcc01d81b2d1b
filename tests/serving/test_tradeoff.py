from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from reeltune.errors import StudyError, UserError
from reeltune.evaluation.report import render_report
from reeltune.evaluation.tradeoff import Point, draw_trade_off, read_trade_off
from reeltune.metrics.ranking import per_query
from reeltune.serving.tradeoff import WEIGHTS, _strongest, measure_trade_off


@pytest.mark.slow
def test_the_curves_start_at_the_trial_and_move_what_they_should(study_dir: Path) -> None:
    found = measure_trade_off(study_dir, n_people=10_000)
    ranks = np.load(study_dir / "trials" / "00000" / "validation_ranks.npy")
    expected = per_query(ranks, "ndcg@10").mean()
    for name, points in found.curves.items():
        assert tuple(point.weight for point in points) == WEIGHTS[name]
        assert next(p.ndcg for p in points if p.weight == 0) == pytest.approx(expected, abs=2e-3)
    popularity, novelty, calibration = (found.curves[n] for n in ("popularity", "novelty", "calibration"))
    assert popularity[0].mean_events < popularity[-1].mean_events
    assert novelty[0].distance < novelty[-1].distance
    assert calibration[0].miscalibration > calibration[-1].miscalibration
    assert read_trade_off(study_dir) == found
    root = ElementTree.fromstring((study_dir / "tradeoff.svg").read_text())
    assert len(root.findall("{*}g")) == 3
    assert draw_trade_off(found) in render_report(study_dir)


@pytest.mark.slow
def test_fewer_people_are_drawn_alike_each_time(study_dir: Path) -> None:
    assert measure_trade_off(study_dir, n_people=20) == measure_trade_off(study_dir, n_people=20)


def test_the_strongest_weight_within_the_tolerance_is_taken() -> None:
    def curve(*pairs: tuple[float, float]) -> tuple[Point, ...]:
        return tuple(Point(weight, ndcg, 0, 0, 0, 0) for weight, ndcg in pairs)

    assert _strongest(curve((0, 0.5), (0.2, 0.495), (0.5, 0.4)), 0.02) == 0.2
    assert _strongest(curve((-1, 0.3), (-0.5, 0.49), (0, 0.5), (0.5, 0.6)), 0.02) == -0.5
    assert _strongest(curve((0, 0.5), (1, 0.1)), 0.0) == 0


def test_what_makes_no_sense_is_refused(study_dir: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        measure_trade_off(study_dir, n_people=0)
    with pytest.raises(UserError, match="from 0 to 1"):
        measure_trade_off(study_dir, tolerance=2.0)
    (study_dir / "trials" / "00001" / "best.ckpt").unlink()
    with pytest.raises(StudyError, match="weights of trial 1 are gone"):
        measure_trade_off(study_dir, trial=1)
    (study_dir / "tradeoff.json").write_text("{}")
    with pytest.raises(StudyError, match="run reeltune tradeoff again"):
        read_trade_off(study_dir)
