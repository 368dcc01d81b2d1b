"""``reeltune export``: a study's best as a bundle."""

from __future__ import annotations

from pathlib import Path

import typer

from reeltune.cli.options import DATA_DIR, STUDIES, STUDY, note, study_path

__all__ = ["export"]


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
    studies: Path | None = STUDIES,
    data_dir: Path | None = DATA_DIR,
) -> None:
    """Export weights, vocabulary, figures and model card: all that recommending needs."""
    from reeltune.files import read_json
    from reeltune.serving.export import export_study

    path = export_study(
        study_path(study, studies),
        out,
        trial=trial,
        force=force,
        with_onnx=with_onnx,
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
    print(f'try: reeltune recommend {path} --liked "TITLE" -k 10')
