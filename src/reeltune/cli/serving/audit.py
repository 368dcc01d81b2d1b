"""``reeltune audit``: what an exported bundle gives away about users."""

from __future__ import annotations

from pathlib import Path

import typer


def audit(
    bundle: Path = typer.Argument(metavar="BUNDLE", help="Folder of an exported bundle."),
    n_users: int = typer.Option(
        200, "--users", "--people", min=1, help="Users whose explanations are tested."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object with everything known."),
) -> None:
    """Measure what a bundle reveals about users.

    Also whether its explanations are true.
    """
    from reeltune.serving.bundle.bundle import load_bundle
    from reeltune.serving.recommend.audit import audit_bundle, data_of

    loaded = load_bundle(bundle)
    found = audit_bundle(loaded, data_of(loaded), n_explained=n_users)
    if as_json:
        from reeltune.cli.tables import print_json

        print_json(found)
        return
    print("files: " + ", ".join(f"{name} ({size:,} bytes)" for name, size in found["files"].items()))
    for name, probe in found["probes"].items():
        print(probe["verdict"] if probe else f"{name}: too few users of two kinds to probe")
    print(found["membership"]["verdict"])
    if found["explanations"]:
        print(found["explanations"]["verdict"])
