"""Record what ``reeltune ratings`` found: its figures as committed JSON, and the tables of docs/ratings.md.

``reeltune ratings experiments/ratings/ml100k.yaml --out ratings_ml100k.json`` makes the figures;
``python experiments/record_ratings.py ratings_ml100k.json`` writes the JSON of that name in
``experiments/results``, with machine and versions, and the tables. Without an argument the tables are
written again from the committed JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from record import RESULTS, ROOT, machine, rendered, rewrite

PAGE = ROOT / "docs" / "ratings.md"
DECISIONS = {"accuracy": "accuracy", "f1": "F1", "mcc": "MCC", "roc_auc": "ROC AUC"}


def record(path: Path) -> None:
    """Copy the figures that the command wrote to ``path``."""
    from reeltune.files import write_json

    found = json.loads(path.read_text(encoding="utf-8"))
    versions = {name: version(name) for name in ("reeltune", "torch", "lightning", "scikit-surprise")}
    write_json(RESULTS / path.name, found | {"machine": machine(), "versions": versions})


def table(found: dict[str, Any]) -> str:
    """Return the Markdown table of a recorded experiment and the sentence below it."""
    lines = [
        _row(["", "RMSE", "MAE", *DECISIONS.values()]),
        "|---" * (3 + len(DECISIONS)) + "|",
    ]
    for name, model in sorted(found["models"].items(), key=lambda item: float(item[1]["rmse"]["mean"])):
        errors = (f"{model[kind]['mean']:.4f} (sd {model[kind]['sd']:.4f})" for kind in ("rmse", "mae"))
        lines.append(_row([name, *errors, *(_figure(model["decisions"][kind]) for kind in DECISIONS)]))
    majority = next(iter(found["models"].values()))["decisions"]["majority"]
    lines.append(_row(["majority class", "", "", *(_figure(majority.get(kind)) for kind in DECISIONS)]))
    return "\n".join([*lines, "", _protocol(found)]) + "\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _protocol(found: dict[str, Any]) -> str:
    data, folds = found["data"], found["folds"]
    lowest = {min(fold["errors"], key=lambda name: float(fold["errors"][name]["rmse"])) for fold in folds}
    best = f"{lowest.pop()} has the smallest RMSE on every fold. " if len(lowest) == 1 else ""
    dealt = "the publisher's" if found["spec"]["folds"]["name"] == "official-fold" else "dealt at random"
    return (
        f"{data['dataset']}: {sum(fold['n_test'] for fold in folds):,} test ratings in {len(folds)} folds, "
        f"{dealt}; mean and standard deviation over the folds. {best}Liked means "
        f"{found['spec']['threshold']:g} stars or more, as it is and as it is predicted. The network took "
        f"{sum(fold['network_seconds'] for fold in folds) / 60:.0f} minutes on one thread "
        f"({found['machine']['processor']})."
    )


def render(text: str) -> str:
    """Return the page ``text`` with its tables made anew from the committed JSON."""
    return rendered(text, "ratings", "ratings_{}.json", table)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        record(Path(argument))
    rewrite(PAGE, render)
