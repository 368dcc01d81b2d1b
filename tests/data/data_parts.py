"""Small data for the tests: rows, and files in the forms of the publishers."""

import io
import zipfile
from pathlib import Path

import numpy as np

from reeltune.data.interactions import Interactions


def rows(*values, rank=None):
    """Return interactions from (user, movie, rating, timestamp) tuples in file order."""
    user, item, rating, timestamp = zip(*values, strict=True)
    return Interactions(
        user=np.array(user, dtype=np.int32),
        item=np.array(item, dtype=np.int32),
        rating=np.array(rating, dtype=np.float32),
        timestamp=np.array(timestamp, dtype=np.int64),
        rank=None if rank is None else np.array(rank, dtype=np.int64),
    )


def zip_bytes(members: dict[str, bytes]) -> bytes:
    """Return an archive with ``members``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    """Write an archive with ``members``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(members))
    return path
