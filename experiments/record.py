"""Record a finished study: its figures as committed JSON, and the tables of the README made from them.

``python experiments/record.py studies/ml100k_gru`` writes ``experiments/results/ml100k_gru.json`` and the
tables; further words say what else the machine did. Without an argument it writes the tables again from the
committed JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "experiments" / "results"
PAGE = ROOT / "README.md"


def record(directory: Path, beside: str = "") -> None:
    """Write the figures of a study with its spec, versions, machine and protocol."""
    from reeltune.evaluation.final import read_evaluation
    from reeltune.files import write_json
    from reeltune.tuning.study.folder import Study

    study = Study.open(directory)
    evaluation = read_evaluation(directory)
    if evaluation is None:
        raise SystemExit(f"error: no test figures; run `reeltune evaluate {study.name}` first")
    rows = study.rows()
    states = Counter(str(row.state) for row in rows)
    write_json(
        RESULTS / f"{study.name}.json",
        {
            "spec": study.spec.plain(),
            "versions": study.versions,
            "machine": machine(),
            "trials": dict(sorted(states.items())),
            "epochs": sum(row.n_epochs for row in rows),
            "study_seconds": study.elapsed_seconds,
            "beside": beside,
            "evaluation": evaluation.plain(),
        },
    )


def machine() -> dict[str, Any]:
    """Return what the figures were made on."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", path.read_text()) if path.exists() else []
    return names[0] if names else platform.processor()


def table(result: dict[str, Any]) -> str:
    """Return the Markdown table and the sentences below it for a recorded study."""
    evaluation = result["evaluation"]
    labels = list(evaluation["metrics"])
    tuned = f"tuned {result['spec']['trial']['model']['name'].upper()}"
    chosen = evaluation.get("count_prior")
    if weight := chosen["weight"] if chosen else evaluation["params"].get("model.count_prior"):
        tuned += f" with counts, weight {weight:.2g}"
    lines = [
        _row(["on the test set", *(label.upper() for label in labels)]),
        "|---" * (len(labels) + 1) + "|",
    ]
    rows = {tuned: evaluation["metrics"], **evaluation["baselines"]}
    objective = evaluation["objective"]
    for name, metrics in sorted(rows.items(), key=lambda row: row[1][objective]["value"], reverse=True):
        figures = (metrics[label] for label in labels)
        lines.append(
            _row([name, *(f"{f['value']:.4f} ({f['low']:.4f} to {f['high']:.4f})" for f in figures)])
        )
    verdict = in_words(evaluation["comparisons"][0])
    said = f"{verdict[0].upper()}{verdict[1:]}."
    if gain := evaluation.get("gain"):
        d = gain["difference"]
        said += (
            f" Against the default configuration, refitted likewise, tuning changes NDCG@10 by "
            f"{d['value']:+.4f} (95 % interval {d['low']:+.4f} to {d['high']:+.4f}, means over the seeds)."
        )
    if chosen:
        said += (
            f" On validation the counts lift the network from {chosen['values']['0']:.4f} to "
            f"{chosen['cross_fitted']:.4f}, cross-fitted over users."
        )
    return "\n".join([*lines, "", said, "", _protocol(result)]) + "\n"


def in_words(comparison: dict[str, Any]) -> str:
    """Return the verdict of a recorded comparison."""
    from reeltune.evaluation.compare import Comparison

    return Comparison.from_plain(comparison).verdict()


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _protocol(result: dict[str, Any]) -> str:
    ledger = result["evaluation"]["protocol"]["data"]
    states = ", ".join(f"{count} {state}" for state, count in result["trials"].items())
    machine = result["machine"]
    beside = f", beside {result['beside']}" if result.get("beside") else ""
    return (
        f"{ledger['n_users']:,} users, {ledger['n_items']:,} movies; {ledger['split']}, the whole catalogue "
        "ranked, seen movies removed; in brackets 95 % bootstrap intervals over users. "
        f"{sum(result['trials'].values())} trials ({states}), {result['epochs']} epochs, "
        f"{result['study_seconds'] / 60:.1f} minutes on {machine['cores']} cores "
        f"({machine['processor']}){beside}."
        f"{_spread(result['evaluation'])}"
    )


def _spread(evaluation: dict[str, Any]) -> str:
    spread = evaluation["spread"].get("ndcg@10")
    if not spread:
        return ""
    said = (
        f" Trained again from {spread['n']} seeds: NDCG@10 {spread['mean']:.4f} with standard deviation "
        f"{spread['sd']:.4f}; the row above is the "
    )
    trained_on = evaluation.get("trained_on", "the training events")
    if trained_on == "the training events":
        return f"{said}seed with the best validation score."
    return f"{said}first of them. All are trained on {trained_on}; the baselines count the same events."


def render(text: str) -> str:
    """Return the page ``text`` with the tables of its studies made anew from their committed JSON."""
    return rendered(text, "result", "{}.json", table)


def rendered(text: str, kind: str, file: str, tell: Callable[[dict[str, Any]], str]) -> str:
    """Return ``text`` with every block ``<!-- kind: NAME -->`` made anew by ``tell`` from its committed JSON.

    ``file`` names the JSON in ``RESULTS``, with ``{}`` for the block's name.
    """

    def block(match: re.Match[str]) -> str:
        path = RESULTS / file.format(match["name"])
        return match[1] + tell(json.loads(path.read_text(encoding="utf-8"))) + match[3]

    mark = re.compile(rf"(<!-- {kind}: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return mark.sub(block, text)


def rewrite(page: Path, render: Callable[[str], str]) -> None:
    """Write ``page`` again with what ``render`` makes of its text."""
    from reeltune.files import write_text

    write_text(page, render(page.read_text(encoding="utf-8")))


def options_of_runs(description: str | None, kind: str) -> argparse.ArgumentParser:
    """Return the parser of a script that trains what its ``names`` name and keeps it under ``runs/kind``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs") / kind, help="keeps the trainings")
    return parser


if __name__ == "__main__":
    if len(sys.argv) > 1:
        record(Path(sys.argv[1]), " ".join(sys.argv[2:]))
    rewrite(PAGE, render)
