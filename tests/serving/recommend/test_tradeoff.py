from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from starlette.testclient import TestClient

from reeltune.errors import BundleError, StudyError, UserError
from reeltune.files import read_json
from reeltune.metrics.registry import per_query
from reeltune.report.study import render_report
from reeltune.report.tradeoff import Point, draw_trade_off, read_trade_off
from reeltune.serving.bundle.bundle import export_bundle, load_bundle
from reeltune.serving.bundle.export import export_study
from reeltune.serving.http.app import guarded
from reeltune.serving.http.service import Service
from reeltune.serving.recommend.recommender import Recommender
from reeltune.serving.recommend.rerank import Reranking
from reeltune.serving.recommend.tradeoff import WEIGHTS, _strongest, measure_trade_off
from serving_parts import make_parts


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
    assert [point.weight for point in found.together] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert found.plain_point().ndcg == pytest.approx(expected, abs=2e-3)
    assert found.joint_point().ndcg >= 0.98 * found.plain_point().ndcg
    scale = found.joint_point().weight
    assert found.joint == {name: pytest.approx(scale * w) for name, w in found.tuned.items()}
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


@pytest.mark.slow
def test_the_tuned_weights_travel_with_the_bundle_and_are_used_when_asked_for(
    study_dir: Path, tmp_path: Path
) -> None:
    found = measure_trade_off(study_dir, n_people=60, tolerance=0.5)
    out = export_study(study_dir, tmp_path / "b", with_onnx=False)
    recommender = Recommender.load(out)
    assert recommender.tuned == Reranking(**found.joint)
    assert not recommender.tuned.is_off
    told = read_json(out / "reranking.json")
    assert told["as_scored"]["ndcg"] == found.plain_point().ndcg
    assert "## Re-ranking" in (out / "README.md").read_text()
    history = {"history": [{"movie": "id:3"}, {"movie": "id:9"}]}
    expected = recommender.recommend(["id:3", "id:9"], rerank=recommender.tuned)
    with TestClient(guarded(Service(out))) as client:
        assert client.get("/health").json()["has_tuned"]
        lines = client.post("/recommend", json=history | {"tuned": True}).json()["movies"]
        assert [line["code"] for line in lines] == [line.code for line in expected]
        off = {"tuned": True, "popularity": 0.0, "novelty": 0.0, "calibration": 0.0}
        plain = client.post("/recommend", json=history | off).json()["movies"]
        assert [m["code"] for m in plain] == [m.code for m in recommender.recommend(["id:3", "id:9"])]

    other = export_study(study_dir, tmp_path / "c", trial=1 - found.trial, with_onnx=False)
    assert load_bundle(other).tuned is None  # measured for another trial
    with pytest.raises(UserError, match="run reeltune tradeoff STUDY"):
        _ = Recommender.load(other).tuned


def test_weights_of_a_bundle_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for number, weights in enumerate(({"popularity": 3.0}, {"salt": 1.0}, 7)):
        out = export_bundle(make_parts(reranking={"weights": weights}), tmp_path / str(number))
        with pytest.raises(BundleError, match=r"reranking\.json holds no weights"):
            load_bundle(out)
