"""What the count prior gives a trained network at each weight, on validation and without training again.

The prior takes no part in the training, so one checkpoint tells of every weight:

    python experiments/prior_weights.py runs/ml1m_gru/best.ckpt --dataset movielens-1m --out prior.json

Each line is a weight with the validation NDCG@10 and its paired difference to weight 0 with a 95 % interval.
The test set stays closed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from reeltune.data.config import DataConfig
from reeltune.data.store import open_tuning, prepare
from reeltune.evaluation.compare import compare_paired, mean_interval
from reeltune.evaluation.count_prior import ranks_by_weight
from reeltune.files import write_json
from reeltune.metrics.registry import per_query
from reeltune.training.checkpoint import load_network

LABEL = "ndcg@10"


def table(ranks: dict[float, np.ndarray], users: np.ndarray) -> list[dict[str, object]]:
    """Return a line a weight."""
    without = per_query(ranks[0.0], LABEL)
    lines = []
    for weight, found in ranks.items():
        values = per_query(found, LABEL)
        comparison = compare_paired(
            values, without, opponent_name="weight 0", metric=LABEL, users=users, seed=17
        )
        lines.append({
            "weight": weight,
            LABEL: mean_interval(values, users=users, seed=17).plain(),
            "difference": comparison.difference.plain(),
            "p_value": comparison.p_value,
        })  # fmt: skip
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data-dir", type=Path, help="where the data set's files are")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    data = open_tuning(prepare(DataConfig(dataset=args.dataset), data_dir=args.data_dir))
    lines = table(ranks_by_weight(load_network(args.checkpoint), data), data.validation.user)
    for line in lines:
        low, high = line["difference"]["low"], line["difference"]["high"]
        print(
            f"weight {line['weight']:<5g} {LABEL} {line[LABEL]['value']:.4f}  "
            f"difference {line['difference']['value']:+.4f} ({low:+.4f} to {high:+.4f})"
        )
    if args.out:
        write_json(args.out, {"dataset": args.dataset, "ledger": data.ledger.plain(), "weights": lines})


if __name__ == "__main__":
    main()
