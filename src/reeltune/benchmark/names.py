"""Names that a benchmark gives to models, splits and groups."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable


def slug_of(name: str) -> str:
    """Return ``name`` as a folder's name.

    >>> slug_of("SVD++"), slug_of("tuned GRU")
    ('svd-plus-plus', 'tuned-gru')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("+", " plus ")).strip("-") or "model"


def check_folders(names: Iterable[str]) -> None:
    """Refuse names that would share a folder.

    Raises:
        ValueError: Two names differ only in what a folder's name leaves out.
    """
    known: dict[str, str] = {}
    for name in names:
        slug = slug_of(name)
        if slug in known:
            raise ValueError(f"{known[slug]!r} and {name!r} would share the folder {slug!r}; rename one")
        known[slug] = name


def check_claim(claim: str | None, groups: Collection[str]) -> None:
    """Refuse a claim that compares nothing.

    Raises:
        ValueError: No model is of the claimed group, or all are.
    """
    n_claimed = sum(group == claim for group in groups)
    if claim is not None and n_claimed in (0, len(groups)):
        raise ValueError(
            f"{n_claimed} of {len(groups)} models are of the claimed group {claim!r}; at least one has to be "
            f"and one not (groups: {', '.join(sorted({*groups}))})"
        )
