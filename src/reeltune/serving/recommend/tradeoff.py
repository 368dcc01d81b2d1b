"""Measures on validation what each weight of re-ranking brings and costs, and tunes it.

Shapes: B batch, K listed, M users, V catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reeltune.data.features.assemble import query_features
from reeltune.data.prepared import TuningData
from reeltune.data.sequences import query_batches
from reeltune.errors import StudyError, UserError
from reeltune.evaluation.studies import Notify, open_study_data, selected_trial, silent
from reeltune.files import write_json, write_text
from reeltune.metrics.registry import parse_metric
from reeltune.models.base import SequenceNetwork
from reeltune.report.tradeoff import Point, TradeOff, draw_trade_off
from reeltune.seeding import derive
from reeltune.serving.bundle.reranking import Reranking
from reeltune.serving.recommend.rerank import Reranker, directions_of
from reeltune.training.checkpoint import load_network
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.study.folder import Study

WEIGHTS: dict[str, tuple[float, ...]] = {
    "popularity": (-1.0, -0.75, -0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.25, 0.5),
    "novelty": (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0),
    "calibration": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.35, 0.5, 0.75, 1.0),
}
"""The weights that are tried, one name at a time."""

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What the tuned weights are multiplied by when they are tried together."""

K = 10
"""Length of the lists."""


def measure_trade_off(
    study_dir: Path,
    *,
    trial: int | None = None,
    n_people: int = 1000,
    tolerance: float = 0.02,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> TradeOff:
    """Return the trade-off of the study's best trial, or of ``trial``; write tradeoff.json and tradeoff.svg.

    ``tolerance`` is the share of NDCG@10 that the tuned weights may lose, 0 to 1.
    """
    if n_people < 1 or not 0.0 <= tolerance <= 1.0:
        raise UserError(f"{n_people} users and a tolerance of {tolerance:g}: at least 1, and from 0 to 1")
    study = Study.open(study_dir)
    row = selected_trial(study, trial)
    checkpoint = study.trial_directory(row.number) / BEST_CHECKPOINT
    if not checkpoint.is_file():
        raise StudyError(f"the weights of trial {row.number} are gone ({checkpoint}); take another --trial")
    _, data = open_study_data(study, data_dir=data_dir, notify=notify)
    network, seed = load_network(checkpoint), study.spec.study.seed
    curves = trade_off_of(network, data, n_people=n_people, seed=seed, notify=notify)
    tuned = {name: _strongest(points, tolerance) for name, points in curves.items()}
    scaled = {scale: {name: round(scale * w, 6) for name, w in tuned.items()} for scale in SCALES}
    choices = {scale: Reranking(**weights) for scale, weights in scaled.items()}  # type: ignore[arg-type]
    points = _points(network, data, choices, n_people=n_people, seed=seed, notify=notify)
    together = tuple(point.at(scale) for scale, point in points.items())
    trade_off = TradeOff(
        study=study.name,
        trial=row.number,
        k=K,
        n_people=min(n_people, data.validation.n_users),
        n_candidates=Reranking().n_candidates,
        tolerance=tolerance,
        curves=curves,
        tuned=tuned,
        together=together,
        joint=scaled[_strongest(together, tolerance)],
        popularity_among="candidates",
    )
    write_json(study_dir / "tradeoff.json", trade_off.plain())
    write_text(study_dir / "tradeoff.svg", draw_trade_off(trade_off))
    return trade_off


def trade_off_of(
    network: SequenceNetwork, data: TuningData, *, n_people: int, seed: int, notify: Notify = silent
) -> dict[str, tuple[Point, ...]]:
    """Return the curve of each weight for a network on at most ``n_people`` validation queries."""
    choices = {
        (name, weight): Reranking(**{name: weight})  # type: ignore[arg-type]
        for name, weights in WEIGHTS.items()
        for weight in weights
    }
    points = _points(network, data, choices, n_people=n_people, seed=seed, notify=notify)
    return {
        name: tuple(points[name, weight].at(weight) for weight in weights)
        for name, weights in WEIGHTS.items()
    }


def _points(
    network: SequenceNetwork,
    data: TuningData,
    choices: Mapping[Any, Reranking],
    *,
    n_people: int,
    seed: int,
    notify: Notify,
) -> dict[Any, Point]:
    """Return the figures of each of the ``choices``; their weights are not set yet."""
    queries = query_features(network.side.config, data, data.validation.one_a_user("last"))
    if n_people < queries.n_queries:
        rng = np.random.default_rng(derive(seed, "tradeoff"))
        queries = queries.select(np.sort(rng.choice(queries.n_queries, n_people, replace=False)))
    counts = np.bincount(data.train.items, minlength=data.n_items + 1).astype(np.int64)
    reranker = Reranker(data.catalogue, counts, directions_of(network), data.ledger.scale)
    per_query = parse_metric(f"ndcg@{K}").per_query
    sums = {key: np.zeros(4) for key in choices}  # NDCG, events, distance, miscalibration
    is_listed = {key: np.zeros(len(counts), dtype=np.bool_) for key in choices}
    n_done = 0
    for batch in query_batches(queries, batch_size=128):
        with torch.inference_mode():
            scores = network.scores(batch.histories).double().numpy().copy()  # [B, V+1]
        for row, target, index in zip(scores, batch.targets.tolist(), batch.index.tolist(), strict=True):
            seen = queries.history(index)
            start = queries.sequences.offsets[queries.user[index]]
            codes, ratings = seen.tolist(), queries.sequences.ratings[start : queries.end[index]].tolist()
            row[seen[seen != target]] = -np.inf
            wanted = reranker.genre_shares(codes, ratings)
            for key, choice in choices.items():
                listed = reranker.choose(row, K, choice, codes=codes, ratings=ratings)
                place = np.flatnonzero(listed == target) + 1
                ndcg = float(per_query(place)[0]) if len(place) else 0.0
                distance, off = reranker.novelty_of(listed, codes), reranker.miscalibration(listed, wanted)
                sums[key] += (ndcg, counts[listed].mean(), distance, off)
                is_listed[key][listed] = True
        n_done += len(scores)
        notify(f"re-ranked for {n_done:,} of {queries.n_queries:,} users")
    return {
        key: Point(math.nan, *np.append(total / max(n_done, 1), is_listed[key][1:].mean()).tolist())
        for key, total in sums.items()
    }


def _strongest(points: tuple[Point, ...], tolerance: float) -> float:
    """Return the weight farthest from 0, towards the unknown first, that keeps enough of the NDCG."""
    least = (1.0 - tolerance) * next(point.ndcg for point in points if point.weight == 0.0)
    side = [p for p in points if p.weight <= 0.0] if points[0].weight < 0.0 else list(points)
    return max((p.weight for p in side if p.ndcg >= least), key=abs)
