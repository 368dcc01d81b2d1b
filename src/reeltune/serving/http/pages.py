"""The two pages of the service, to try the bundle and to read about it; nothing is loaded from elsewhere."""

from __future__ import annotations

import functools
from importlib.resources import files

from fastapi import FastAPI, Response

__all__ = ["PAGES", "add_pages"]

_ASSETS = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}

PAGES = frozenset(_ASSETS)
"""The paths."""


def add_pages(app: FastAPI) -> None:
    """Let ``app`` answer with the pages."""
    for path in _ASSETS:
        app.get(path, include_in_schema=False)(functools.partial(_asset, path))


@functools.cache
def _asset_bytes(path: str) -> bytes:
    return (files("reeltune.serving.http") / _ASSETS[path][0]).read_bytes()


async def _asset(path: str) -> Response:
    headers = {"content-type": _ASSETS[path][1], "cache-control": "no-cache"}
    return Response(_asset_bytes(path), headers=headers)
