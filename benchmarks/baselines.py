"""Test figures of every baseline on MovieLens, leave-one-out, beside the figures they are to reach.

``python benchmarks/baselines.py movielens-1m --data-dir DIR --out benchmarks/results/baselines_ml1m.json``

Each is fitted to all that precedes the test movies, as the published figures are. The table also tells the
figures under the other rule for ties (a tie counts for the target): the two differ only where scores are
coarse, and a figure that moves between them says more about rounding than about the model. Rows of other
baselines on the same data stay in the file; ``docs/baselines.md`` shows the committed files.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reeltune.data.config import DataConfig
from reeltune.data.prepared import PAD, Queries
from reeltune.data.sequences import query_batches
from reeltune.data.store import open_held_out, open_tuning, prepare
from reeltune.metrics.evaluate import rank_queries
from reeltune.metrics.registry import ranking_metrics
from reeltune.models.base import Scorer
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.registry import MODELS, models_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "baselines.md"
MARK = re.compile(r"(<!-- baselines: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

TARGETS = {
    "movielens-1m": {
        "popularity": (0.036, 0.018),
        "item-knn": (0.072, 0.037),
        "item-knn-recency": (0.183, 0.102),
        "ease": (0.110, 0.054),
        "markov": (0.222, 0.130),
        "windowed-markov": (0.274, 0.161),
    },
    "movielens-100k": {
        "popularity": (0.087, 0.045),
        "item-knn-recency": (0.181, 0.103),
        "ease": (0.151, 0.075),
        "windowed-markov": (0.205, 0.112),
    },
}
"""HR@10 and NDCG@10 that were counted elsewhere under the same protocol."""


def optimistic_ranks(scorer: Scorer, queries: Queries) -> np.ndarray:
    """Return the rank of each target with ties counted for it, [M]."""
    ranks = np.zeros(queries.n_queries, dtype=np.int32)
    for batch in query_batches(queries, batch_size=256):
        scores = scorer.scores(batch.histories)  # [B, V+1]
        at_target = scores.gather(1, batch.targets[:, None])
        is_candidate = torch.ones_like(scores, dtype=torch.bool)
        is_candidate[:, PAD] = False
        is_candidate.scatter_(1, batch.histories.items, value=False)
        ranks[batch.index.numpy()] = (1 + (is_candidate & (scores > at_target)).sum(dim=1)).numpy()
    return ranks


def measure(dataset: str, names: list[str], data_dir: Path | None) -> dict[str, Any]:
    """Return the figures of the baselines ``names`` as plain values."""
    prepared = prepare(DataConfig(dataset=dataset), data_dir=data_dir, notify=print)
    data, test = open_tuning(prepared), open_held_out(prepared).test
    known, rows = test.known(), {}
    for name in names:
        start = time.perf_counter()
        model = fit_to_data(name, data, known, seed=17)
        fitted = time.perf_counter()
        metrics = ranking_metrics(rank_queries(model, test))
        rows[name] = {
            "label": MODELS[name].label,
            "config": model.config.plain(),
            "test": metrics,
            "ties_for_the_target": ranking_metrics(optimistic_ranks(model, test)),
            "target": TARGETS.get(dataset, {}).get(name),
            "fit_seconds": round(fitted - start, 2),
        }
        print(f"{name:18} HR@10 {metrics['hr@10']:.4f}  NDCG@10 {metrics['ndcg@10']:.4f}", flush=True)
    return {"data": data.ledger.plain(), "cores": os.cpu_count(), "baselines": rows}


def table(found: dict[str, Any]) -> str:
    """Return the Markdown table of a committed file."""
    lines = ["| baseline | HR@10 | NDCG@10 | to reach | ties for the target |", "|---|---|---|---|---|"]
    for row in found["baselines"].values():
        other, target = row["ties_for_the_target"], row["target"]
        cells = [
            row["label"],
            *(f"{row['test'][metric]:.4f}" for metric in ("hr@10", "ndcg@10")),
            "-" if target is None else f"{target[0]:.3f} / {target[1]:.3f}",
            f"{other['hr@10']:.4f} / {other['ndcg@10']:.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    data = found["data"]
    people = f"{data['n_users']:,} people, {data['n_items']:,} movies, fingerprint {data['fingerprint'][:12]}"
    return "\n".join([*lines, "", f"{data['dataset']}, {data['split']}: {people}."]) + "\n"


def render(text: str) -> str:
    """Return the page ``text`` with every marked table made anew from its committed JSON."""

    def block(match: re.Match[str]) -> str:
        found = json.loads((RESULTS / f"baselines_{match['name']}.json").read_text(encoding="utf-8"))
        return match[1] + table(found) + match[3]

    return MARK.sub(block, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=sorted(TARGETS))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument(
        "--baselines", nargs="+", choices=list(models_of("baseline")), default=list(models_of("baseline"))
    )
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = measure(options.dataset, options.baselines, options.data_dir)
    if options.out.exists():
        before = json.loads(options.out.read_text(encoding="utf-8"))
        if before["data"] == found["data"]:
            rows = before["baselines"] | found["baselines"]
            found["baselines"] = {name: rows[name] for name in models_of("baseline") if name in rows}
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
