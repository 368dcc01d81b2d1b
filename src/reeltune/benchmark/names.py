"""Folders of contestants and splits, made of the names that an experiment gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["check_folders", "slug_of"]


def slug_of(name: str) -> str:
    """Return ``name`` as a folder's name.

    >>> slug_of("SVD++"), slug_of("tuned GRU")
    ('svd-plus-plus', 'tuned-gru')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("+", " plus ")).strip("-") or "contestant"


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
