"""Amazon product reviews, JSON lines: the releases of 2014, 2018 and 2023.

Sources of the formats: https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html (2014),
https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/ (2018),
https://amazon-reviews-2023.github.io/ (2023). A review's text is its summary or title, a new
line, and its body. Ids are text, spaces around them are cut off.

Shapes: N rows.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reeltune.data.interactions import BadRows, Interactions, Movies, RawDataset
from reeltune.data.readers.delimited import shorten
from reeltune.data.readers.values import UNPRINTABLE, text_ids
from reeltune.data.sources.source import FileSet
from reeltune.data.texts import Texts
from reeltune.errors import DataError

_LINE_LIMIT_BYTES = 1 << 25  # a longer line is damage, and would fill the memory
_LAST_SECOND = 2**33
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class _Release:
    """The fields of a release."""

    user: str
    item: str
    rating: str
    body: str
    heading: str
    time: str
    per_second: int


_RELEASES = (
    _Release("reviewerID", "asin", "overall", "reviewText", "summary", "unixReviewTime", 1),
    _Release("user_id", "parent_asin", "rating", "text", "title", "timestamp", 1000),
)


def read_amazon(files: FileSet, name: str, metadata: str | None) -> RawDataset:
    """Return the reviews in the JSON lines of ``name``, with titles where ``metadata`` gives them.

    Rows without an id, with a rating outside 1 to 5 or a time before 1970, such as some of 2023, are left
    out and counted in ``bad_rows``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    label = files.label(name)
    release = _release(files, name)
    try:
        table = _read_json(files, name, release)
        table.validate(full=True)  # finds bytes that are not UTF-8
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise _located(files, name, release, str(error).splitlines()[0]) from error
    if not table.num_rows:
        raise DataError(f"{label}: there is no review; the file is empty")
    user, item = (pc.utf8_trim_whitespace(table.column(f)) for f in (release.user, release.item))
    rating, time = table.column(release.rating), table.column(release.time)
    last = _LAST_SECOND * release.per_second
    is_good = {
        release.user: _is_id(user),
        release.item: _is_id(item),
        release.rating: pc.and_(pc.greater_equal(rating, 1), pc.less_equal(rating, 5)),
        release.time: pc.and_(pc.greater_equal(time, 0), pc.less(time, last)),
    }
    masks = {field: pc.fill_null(mask, False).to_numpy() for field, mask in is_good.items()}
    keep = np.logical_and.reduce(list(masks.values()))
    bad_rows = None
    if not keep.all():
        kinds = ", ".join(f"{(~mask).sum():,} of {field}" for field, mask in masks.items() if not mask.all())
        bad_rows = BadRows(int((~keep).sum()), kinds, str(_located(files, name, release, "a value is off")))
        if not keep.any():
            raise DataError(bad_rows.first)
    text = [pc.fill_null(table.column(field), "") for field in (release.heading, release.body)]
    review = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*text, "\n"))
    interactions = Interactions(
        user=text_ids(user.filter(keep).combine_chunks()),
        item=text_ids(item.filter(keep).combine_chunks()),
        rating=rating.filter(keep).cast(pa.float32()).to_numpy(),
        timestamp=time.filter(keep).to_numpy().astype(np.int64) // release.per_second,
        review=Texts.of_arrow(review.filter(keep)),
    )
    movies = None if metadata is None else _movies(files, metadata)
    return RawDataset(interactions, movies, bad_rows=bad_rows)


def _is_id(texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.and_not(pc.not_equal(texts, ""), pc.match_substring_regex(texts, UNPRINTABLE))


def _release(files: FileSet, name: str) -> _Release:
    label = files.label(name)
    first = next(_lines(files, name), None)
    if first is None:
        raise DataError(f"{label}: there is no review; the file is empty")
    number, line = first
    review = _parsed(line, f"{label}:{number}")
    for release in _RELEASES:
        if release.user in review and release.item in review:
            return release
    known = " or ".join(f"{r.user}, {r.item}, {r.rating}, {r.time}" for r in _RELEASES)
    raise DataError(
        f"{label}:{number}: the review has the fields {shorten(', '.join(review))}; needed are {known}"
    )


def _read_json(files: FileSet, name: str, release: _Release) -> Any:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    schema = pa.schema(
        [
            *((f, pa.string()) for f in (release.user, release.item, release.body, release.heading)),
            (release.rating, pa.float64()),
            (release.time, pa.int64()),
        ]
    )
    with files.open(name) as stream:
        return arrow_json.read_json(
            pa.PythonFile(stream, mode="r"),
            read_options=arrow_json.ReadOptions(block_size=_LINE_LIMIT_BYTES),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )


def _located(files: FileSet, name: str, release: _Release, cause: str) -> DataError:
    label = files.label(name)
    for number, line in _lines(files, name):
        review = _parsed(line, f"{label}:{number}")
        fault = _fault(review, release)
        if fault:
            return DataError(f"{label}:{number}: {fault}")
    return DataError(f"{label}: {cause}")


def _fault(review: dict[str, Any], release: _Release) -> str | None:
    for field in (release.user, release.item, release.body, release.heading):
        fault = _text_fault(field, review.get(field), is_id=field in {release.user, release.item})
        if fault:
            return fault
    rating, time = review.get(release.rating), review.get(release.time)
    if not isinstance(rating, int | float) or not 1 <= rating <= 5:
        return f"{release.rating} is {shorten(str(rating))}; it must lie in 1 to 5"
    if not isinstance(time, int) or not 0 <= time < _LAST_SECOND * release.per_second:
        unit = "seconds" if release.per_second == 1 else "milliseconds"
        return f"{release.time} is {shorten(str(time))}; it must be {unit} since 1970"
    return None


def _text_fault(field: str, value: Any, *, is_id: bool) -> str | None:
    if is_id and (not isinstance(value, str) or not value.strip()):
        return f"{field} is {shorten(str(value))}; an id is needed"
    if value is not None and not isinstance(value, str):
        return f"{field} is {shorten(str(value))}; it must be text"
    text = value or ""
    if is_id and re.search(UNPRINTABLE, text.strip()):
        return f"{field} is {shorten(text)}; it must be printable: no line end, tab or zero byte"
    if _HALF_PAIR.search(text):
        return f"{field} holds half a surrogate pair, which is no character"
    return None


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {line[error.start]:#04x} is not UTF-8") from None
    except ValueError:
        raise DataError(
            f"{where}: {shorten(line.decode(errors='replace').rstrip())} is not whole JSON"
        ) from None
    if not isinstance(value, dict):
        raise DataError(f"{where}: {shorten(str(value))} is not a JSON object")
    return value


def _lines(files: FileSet, name: str) -> Iterator[tuple[int, bytes]]:
    label = files.label(name)
    number = 0
    with files.open(name) as stream:
        try:
            while line := stream.readline(_LINE_LIMIT_BYTES):
                number += 1
                if len(line) >= _LINE_LIMIT_BYTES:
                    raise DataError(f"{label}:{number}: the line is longer than {_LINE_LIMIT_BYTES:,} bytes")
                if line.strip():
                    yield number, line
        except (OSError, EOFError) as error:
            raise DataError(f"{label}:{number + 1}: {error}; the file is damaged, get it again") from error


def _movies(files: FileSet, name: str) -> Movies:
    """Return titles and categories; the lines of 2014 are Python literals, the later ones JSON."""
    label = files.label(name)
    rows: dict[str, tuple[str, tuple[str, ...]]] = {}
    for number, line in _lines(files, name):
        where = f"{label}:{number}"
        product = _literal(line, where) if line.startswith(b"{'") else _parsed(line, where)
        item = product.get("parent_asin") or product.get("asin")
        if not isinstance(item, str) or not item.strip():
            raise DataError(f"{where}: the product has neither asin nor parent_asin")
        rows[item.strip()] = (str(product.get("title") or item).strip(), _categories(product))
    if not rows:
        raise DataError(f"{label}: there is no product; the file is empty")
    ids = tuple(sorted(rows))
    return Movies(
        ids=ids,
        titles=tuple(rows[item][0] for item in ids),
        years=(0,) * len(ids),
        genres=tuple(rows[item][1] for item in ids),
    )


def _literal(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = ast.literal_eval(line.decode("utf-8"))
    except (ValueError, SyntaxError, UnicodeDecodeError):
        raise DataError(f"{where}: {shorten(line.decode(errors='replace'))} is not a whole line") from None
    return dict(value)


def _categories(product: dict[str, Any]) -> tuple[str, ...]:
    """Return the categories below the department: ``categories`` of 2014 and 2023, ``category`` of 2018."""
    found = product.get("categories") or product.get("category") or []
    if found and isinstance(found[0], list):
        found = [name for path in found for name in path[1:]]
    else:
        found = found[1:]
    return tuple(dict.fromkeys(str(name) for name in found))
