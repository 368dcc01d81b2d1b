"""A table of many users' ratings, read in chunks and sorted by user within bounded memory.

The rows may come in any order: they are first dealt into parts on the disk by a hash of the
user, so that each part holds whole users and fits into memory.

Shapes: R rows.
"""

from __future__ import annotations

import functools
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reeltune.data.readers.tabular import Table
from reeltune.data.readers.times import seconds_of
from reeltune.data.readers.values import Rows
from reeltune.data.scale import RatingScale
from reeltune.data.sources.cache import (
    cache_error,
    cache_lock,
    cache_root,
    list_cache,
    prepared_root,
    remove_item,
)
from reeltune.errors import DataError, UserError
from reeltune.serving.recommend.titles import TitleIndex

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_PART = 500_000
"""Rows of a part, some 100 MB in memory with the copies that sorting makes."""

MAX_PARTS = 256
"""Files that are open at once."""

REPORT_SECONDS = 5.0
"""Time between two lines of progress while the table is read."""

BYTES_A_ROW = 16
"""Least size of a row in a CSV; the number of parts follows from it."""


@dataclass
class UserTable:
    """The rows of a table in parts on the disk, each with whole users."""

    parts: list[Path]
    n_rows: int = 0
    n_unknown: int = 0  # rows whose movie the catalogue does not hold
    unknown: list[str] = field(default_factory=list)  # a few of those movies

    def read(self, part: Path) -> pd.DataFrame:
        """Return a part: ``user``, ``code``, ``rating``, ``timestamp``; users together, oldest first.

        A user's events of one second keep the order of the table. Unknown movies have the code 0.
        """
        import pandas as pd
        import pyarrow.ipc

        with pyarrow.memory_map(str(part)) as file:
            frame: pd.DataFrame = pyarrow.ipc.open_stream(file).read_pandas()
        user, _ = pd.factorize(frame["user"])
        return frame.iloc[np.lexsort((frame["timestamp"], user))]


@contextmanager
def deal_rows(
    path: Path, titles: TitleIndex, scale: RatingScale, notify: Callable[[str], None]
) -> Iterator[UserTable]:
    """Yield the table at ``path`` (CSV or Parquet), dealt into parts that are removed afterwards."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.ipc

    schema = pa.schema(
        {"user": pa.string(), "code": pa.int32(), "rating": pa.float32(), "timestamp": pa.int64()}
    )
    with ExitStack() as stack:
        folder = stack.enter_context(_own_folder())
        n_parts = min(MAX_PARTS, 1 + _n_rows_at_most(path) // ROWS_A_PART)
        table = UserTable([folder / f"{part:03d}.arrow" for part in range(n_parts)])

        @functools.cache
        def code_of(movie: str) -> int:
            """Return the code of a movie, 0 where the catalogue holds none or several of that name."""
            try:
                return titles.find(movie)
            except UserError:
                return 0

        reported = time.monotonic()
        with ExitStack() as files:
            writers = [files.enter_context(pa.ipc.new_stream(str(part), schema)) for part in table.parts]
            for chunk in _chunks(path):
                frame = _checked(chunk, table, code_of, scale)
                number = pd.util.hash_array(frame["user"].to_numpy(dtype=object)) % np.uint64(n_parts)
                for part in np.unique(number).tolist():
                    rows = frame[number == part]
                    writers[part].write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))
                if time.monotonic() - reported >= REPORT_SECONDS:
                    reported = time.monotonic()
                    notify(f"read {table.n_rows:,} rows of {path.name}")
        if table.n_unknown == table.n_rows:
            some = ", ".join(map(repr, table.unknown))
            raise DataError(
                f"{path}: none of its {table.n_rows:,} rows is of a movie of the catalogue"
                + (f", e.g. {some}; item holds ids of the data set, title holds titles" if some else "")
            )
        notify(f"read all {table.n_rows:,} rows of {path.name}")
        yield table


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Yield a new folder of the cache, removed afterwards; what a killed process left there goes first."""
    for item in list_cache():
        if item.kind == "leftover" and item.path.name.startswith(".users-"):
            remove_item(item)
    name = f"users-{secrets.token_hex(6)}"
    with cache_lock(name, lambda _: None):
        folder = prepared_root() / f".{name}.part"
        try:
            folder.mkdir(parents=True)
            yield folder
        except OSError as error:
            raise cache_error(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            (cache_root() / "locks" / f"{name}.lock").unlink(missing_ok=True)


def _n_rows_at_most(path: Path) -> int:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            return int(pyarrow.parquet.read_metadata(path).num_rows)
        return path.stat().st_size // BYTES_A_ROW
    except (OSError, ValueError) as error:  # pyarrow's errors are values that are wrong
        raise DataError(
            f"cannot read {path}: {str(error).splitlines()[0]}; give a CSV or Parquet file"
        ) from error


def _chunks(path: Path) -> Iterator[Rows]:
    """Yield ``user``, ``item`` (the data set's id) or ``title``, and any ``rating`` and ``timestamp``."""
    table = Table(str(path), lambda: path.open("rb"))
    movie = next((name for name in ("item", "title") if name in table.header), None)
    if "user" not in table.header or movie is None:
        raise DataError(
            f"{path} has the columns {', '.join(table.header)}; it needs user, and item (the id) or title, "
            "and may have rating and timestamp"
        )
    others = [name for name in ("rating", "timestamp") if name in table.header]
    return table.chunks({name: name for name in ("user", movie, *others)})


def _checked(rows: Rows, table: UserTable, code_of: Callable[[str], int], scale: RatingScale) -> pd.DataFrame:
    """Return some rows with the columns that parts hold; counts them in ``table``."""
    import pandas as pd

    is_id = "item" in rows.strings
    number, names = pd.factorize(rows.ids("item" if is_id else "title"))
    found = np.array([code_of(f"id:{name}" if is_id else name) for name in names], dtype=np.int32)
    code = found[number]
    rating = np.full(rows.n_rows, np.nan, dtype=np.float32)
    if "rating" in rows.strings:
        rating = rows.ratings("rating", scale.lowest, scale.highest, "the scale is that of the bundle")
    timestamp = np.full(rows.n_rows, -1, dtype=np.int64)
    if "timestamp" in rows.strings:
        timestamp = seconds_of(rows, "timestamp", "seconds", may_be_absent=True, remedy="give it in seconds")
    table.n_rows += rows.n_rows
    table.n_unknown += int((code == 0).sum())
    table.unknown.extend(names[found == 0][: max(0, 5 - len(table.unknown))].tolist())
    return pd.DataFrame({"user": rows.ids("user"), "code": code, "rating": rating, "timestamp": timestamp})
