"""``reeltune export``: a study's best as a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from reeltune.cli.options import DATA_DIR, STUDIES, STUDY, note, study_path


def export(
    study: str = STUDY,
    out: Path = typer.Option(..., "--out", help="Folder to make.", show_default=False),
    trial: int | None = typer.Option(
        None, "--trial", help="Number of the trial. [default: the evaluated one, else the best]"
    ),
    force: bool = typer.Option(False, "--force", help="Replace the folder if it is a bundle."),
    with_onnx: bool | None = typer.Option(
        None, "--onnx/--no-onnx", help="Write model.onnx. [default: where its packages are installed]"
    ),
    is_int8: bool = typer.Option(
        False, "--int8", help="Store matrices in int8, without the checkpoint, and measure what it costs."
    ),
    baseline: str | None = typer.Option(
        None, "--baseline", metavar="NAME", help="Export a baseline instead, e.g. windowed-markov."
    ),
    is_hub: bool = typer.Option(False, "--hub", help="Add what the Hugging Face Hub reads, ready to push."),
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
) -> None:
    """Export the best trial as a bundle that recommends.

    A bundle holds weights, vocabulary, metrics and model card.
    """
    from reeltune.files import read_json
    from reeltune.serving.bundle.export import export_baseline, export_study

    folder = study_path(study, studies)
    if baseline is not None:
        from reeltune.errors import UserError

        if trial is not None or is_int8 or is_hub:
            raise UserError("--baseline has no trial, int8 or hub form; leave those options out")
        path = export_baseline(
            folder, out, baseline, force=force, with_onnx=with_onnx, data_dir=data_dir, notify=note
        )
    else:
        path = export_study(
            folder,
            out,
            trial=trial,
            force=force,
            with_onnx=with_onnx,
            is_int8=is_int8,
            is_hub=is_hub,
            data_dir=data_dir,
            notify=note,
        )
    size = sum(file.stat().st_size for file in path.iterdir())
    print(f"bundle: {path} ({size / 1e6:.1f} MB)")
    if (path / "parity.json").exists():
        parity = read_json(path / "parity.json")
        print(
            f"ONNX Runtime gives PyTorch's scores within {parity['largest_difference']:.1g} on "
            f"{parity['n_histories']} random histories"
        )
    if compression := read_json(path / "manifest.json").get("compression"):
        before, change = compression["float32"]["ndcg@10"], compression["change"]["ndcg@10"]
        print(f"int8 weights: NDCG@10 on validation {before:.4f} {change:+.4f}")
    print(f'try: reeltune recommend {shlex.quote(str(path))} --liked "TITLE" -k 10')
