"""Record finished benchmarks: their figures as committed JSON, and all that README and docs say of them.

``python experiments/record_paper.py results/paper_ml100k results/paper_ml1m`` writes for each
``experiments/results/NAME.json``, ``docs/evidence/NAME/`` (the page, the model card and the figures) and
the blocks of ``README.md`` and ``docs/evidence.md`` between ``<!-- benchmarks -->`` and ``<!-- end -->``.
Without an argument all of it is written again from the committed JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from record import RESULTS, ROOT, machine

PAGES = {ROOT / "README.md": "docs/evidence", ROOT / "docs" / "evidence.md": "evidence"}
"""The pages with a block, and how they reach the folders of the benchmarks."""
MARK = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end -->)", re.DOTALL)


def record(directory: Path) -> None:
    """Copy the figures of a finished benchmark, with the machine that it ran on."""
    from reeltune.files import write_json

    path = directory / "result.json"
    if not path.exists():
        raise SystemExit(f"error: {path} is not there; run `reeltune benchmark` to its end first")
    result = json.loads(path.read_text(encoding="utf-8"))
    write_json(RESULTS / f"{result['name']}.json", result | {"machine": machine()})


def recorded() -> Iterator[dict[str, Any]]:
    """Yield the recorded benchmarks, by name."""
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if "findings" in result and {"contestants", "models"} & result.keys():
            yield result


def block(result: dict[str, Any], folder: str) -> str:
    """Return what a page tells of a benchmark, with links into ``folder``."""
    from reeltune.report.benchmark_result import read_result
    from reeltune.report.benchmark_tables import standings_table

    place = f"{folder}/{result['name']}"
    parts = [
        f"**{result['question']}** {result['answer']['sentence']}",
        standings_table(read_result(result)).markdown(),
        f"![NDCG@10 of each model with its interval]({place}/figures/standings.svg)",
        f"{_protocol(result)} Verdicts, other splits, likes and dislikes, groups, privacy, impact: "
        f"[the whole result]({place}/README.md); [the winner's model card]({place}/MODEL_CARD.md).",
    ]
    return "\n\n".join(parts) + "\n"


def _protocol(result: dict[str, Any]) -> str:
    ledger, on = result["ledger"], result["machine"]
    hours = sum(result["seconds"].values()) / 3600
    return (
        f"{ledger['dataset']}: {ledger['n_users']:,} users, {ledger['n_items']:,} movies; "
        f"{ledger['split']}, the whole catalogue ranked, seen movies removed; in brackets 95 % intervals for "
        "other users and other seeds. "
        f"{hours:.1f} hours on {on['cores']} cores ({on['processor']})."
    )


def render(text: str, folder: str) -> str:
    """Return the page ``text`` with its block made anew from the committed JSON."""
    told = "\n".join(block(result, folder) for result in recorded())
    return MARK.sub(lambda match: match[1] + told + match[2], text)


def pages(result: dict[str, Any]) -> dict[Path, str]:
    """Return the texts of a benchmark's folder by their paths."""
    from reeltune.report.benchmark import documents

    folder = ROOT / "docs" / "evidence" / result["name"]
    return {folder / name: text for name, text in documents(result).items() if name != "report.html"}


def main() -> None:
    from reeltune.files import write_text

    for directory in sys.argv[1:]:
        record(Path(directory))
    for result in recorded():
        for path, text in pages(result).items():
            write_text(path, text)
    for page, folder in PAGES.items():
        write_text(page, render(page.read_text(encoding="utf-8"), folder))


if __name__ == "__main__":
    main()
