"""``reeltune tradeoff``: what re-ranking brings and costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from reeltune.cli.options import AS_CSV, AS_JSON, DATA_DIR, STUDIES, STUDY, note, send_to_storage, study_path
from reeltune.cli.tables import Table, print_plain, print_table


def tradeoff(
    study: str = STUDY,
    trial: int | None = typer.Option(None, "--trial", help="Number of the trial. [default: the best]"),
    n_people: int = typer.Option(
        1000, "--users", "--people", help="Most validation queries that are re-ranked."
    ),
    tolerance: float = typer.Option(0.02, "--tolerance", help="Share of NDCG@10 that may be lost, 0 to 1."),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
) -> None:
    """Measure and tune what re-ranking costs on validation.

    Popularity, novelty and calibration are measured, tuned and drawn.
    """
    from reeltune.report.tradeoff import GAINS
    from reeltune.serving.recommend.tradeoff import measure_trade_off

    folder = study_path(study, studies)
    found = measure_trade_off(
        folder, trial=trial, n_people=n_people, tolerance=tolerance, data_dir=data_dir, notify=note
    )
    curves = {**found.curves, "together": found.together}
    rows = [{"name": name} | asdict(point) for name, points in curves.items() for point in points]
    if print_plain(rows, as_json=as_json, as_csv=as_csv):
        send_to_storage(folder)
        return
    table = Table("weight", "value", "NDCG@10", "moves", "to", "coverage")
    for name, points in found.curves.items():
        for point in points:
            mark = " *" if point.weight == found.tuned[name] else ""
            field = GAINS[name][0]
            cells = (f"{point.weight:g}{mark}", f"{point.ndcg:.4f}", field, f"{getattr(point, field):.4g}")
            table.add(name, *cells, f"{point.coverage:.0%}")
    for point in found.together:
        mark = " *" if point == found.joint_point() else ""
        table.add(
            "together", f"x {point.weight:g}{mark}", f"{point.ndcg:.4f}", "", "", f"{point.coverage:.0%}"
        )
    print_table(table)
    print(f"* strongest that keeps {1 - tolerance:.0%} of the NDCG")
    joint = ", ".join(f"{name} {weight:g}" for name, weight in found.joint.items())
    print(f"together: {joint}; reeltune export takes them along for reeltune recommend --tuned")
    print(folder / "tradeoff.svg")
    send_to_storage(folder)
