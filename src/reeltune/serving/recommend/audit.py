"""What an exported bundle gives away about users, and whether its explanations are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reeltune.data.features.assemble import make_features
from reeltune.data.interactions import Users
from reeltune.data.prepared import TuningData
from reeltune.data.store import find_prepared, open_side, open_tuning
from reeltune.errors import BundleError, ConfigError
from reeltune.evaluation.analyses.membership import check_membership
from reeltune.evaluation.analyses.privacy import probe_attribute, user_states
from reeltune.models.base import SequenceNetwork, as_network
from reeltune.serving.bundle.bundle import Bundle
from reeltune.serving.recommend.reasons import check_faithfulness
from reeltune.serving.recommend.recommender import Recommender


def data_of(bundle: Bundle) -> TuningData:
    """Return the prepared data that the bundle was trained on, from the cache."""
    wanted = bundle.ledger
    folder = find_prepared(wanted)
    if folder is not None:
        return open_tuning(folder)
    raise BundleError(
        f"{bundle.directory} was trained on {wanted.dataset} ({wanted.split}, k-core {wanted.k_core}), which "
        f"is not prepared here; run: reeltune data prepare {wanted.dataset}"
    )


def audit_bundle(
    bundle: Bundle, data: TuningData, *, n_explained: int = 200, seed: int = 17
) -> dict[str, Any]:
    """Return what the bundle gives away about users, as plain values with a ``verdict`` each.

    Reads training and validation data only: ``data`` are those of :func:`data_of`.
    """
    found: dict[str, Any] = {"files": _files(bundle.directory), "probes": {}, "explanations": None}
    if (network := as_network(bundle.scorer)) is not None:
        data = make_features(network.side.config, data).data
        found["probes"] = probe_people(network, data, open_side(data.directory).users, seed=seed)
    found["membership"] = check_membership(bundle.scorer, data, seed=seed).plain()
    recommender, queries = Recommender(bundle), data.validation.one_a_user("last")
    rng = np.random.default_rng(seed)
    rows = rng.choice(queries.n_queries, min(n_explained, queries.n_queries), replace=False)
    starts, ratings = queries.sequences.offsets[queries.user], queries.sequences.ratings
    people = [(queries.history(m).tolist(), ratings[starts[m] : queries.end[m]].tolist()) for m in rows]
    try:
        found["explanations"] = check_faithfulness(recommender.scores, people, seed=seed).plain()
    except ConfigError:
        found["explanations"] = None  # histories too short to test
    return found


def probe_people(
    network: SequenceNetwork, data: TuningData, users: Users, *, seed: int
) -> dict[str, dict[str, Any] | None]:
    """Return how well gender, age and occupation are read from the network's state, where they are known."""
    queries = data.validation.one_a_user("last")
    states = user_states(network, queries)
    attributes = {
        "gender": users.genders,
        "age": tuple(age_bracket(age) for age in users.ages),
        "occupation": users.occupations,
    }
    found: dict[str, dict[str, Any] | None] = {}
    for name, labels in attributes.items():
        if labels:
            own = [labels[user] for user in queries.user]
            probe = probe_attribute(states, own, attribute=name, seed=seed)
            found[name] = None if probe is None else probe.plain()
    return found


def age_bracket(age: int) -> str:
    """Return the bracket of an age in years, empty where it is unknown (negative)."""
    if age < 0:
        return ""
    return "under 25" if age < 25 else "25 to 34" if age < 35 else "35 to 49" if age < 50 else "50 and over"


def _files(directory: Path) -> dict[str, int]:
    """Return the files of the bundle with their sizes in bytes: all that leaves the machine."""
    return {
        path.relative_to(directory).as_posix(): path.stat().st_size
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
