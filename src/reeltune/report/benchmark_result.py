"""The result of a benchmark as its pages read it; results recorded under older names are read too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reeltune.evaluation.compare import Interval

SCHEMA = 3
"""Version of ``result.json``."""

_RENAMED = {
    "contestants": "models",
    "champion": "winner",
    "role": "group",
    "roles": "groups",
    "also": "splits",
    "variants": "ablations",
    "people": "users",
    "n_people": "n_users",
    "min_people": "min_users",
    "share of people": "share of users",
    "movies of each person": "movies of each user",
}
"""Keys of schema 2 and their present names."""

_KEPT = ("config", "params", "ledger", "versions")
"""Keys below which names are the data's or the model's own."""


def read_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``result`` under the present names."""
    if result["schema"] >= SCHEMA:
        return dict(result)
    whole = dict(result)
    whole["user_groups"] = whole.pop("groups")
    renamed: dict[str, Any] = _renamed(whole)
    return renamed | {"schema": SCHEMA}


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_RENAMED.get(key, key): item if key in _KEPT else _renamed(item) for key, item in value.items()}


def interval(value: Mapping[str, float] | None) -> Interval | None:
    """Return a figure of the result, None where nothing is known."""
    return None if value is None else Interval(value["value"], value["low"], value["high"])


def winner_row(part: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the row of the model ``name`` in the standings of ``part``."""
    found: Mapping[str, Any] = next(row for row in part["standings"] if row["name"] == name)
    return found
