"""Seeds derived from a study seed and the names of what they are for."""

from __future__ import annotations

import hashlib
import json


def derive(seed: int, *keys: str | int | float | bool | dict[str, object] | None) -> int:
    """Return a 63-bit seed that depends on ``seed`` and ``keys`` alone.

    The value does not depend on the process, the platform or the order in which
    seeds are asked for, so that the arrival order of trials cannot change them.

    >>> derive(17, "trial", 3) == derive(17, "trial", 3)
    True
    >>> derive(17, "trial", 3) == derive(17, "trial", 4)
    False
    """
    text = json.dumps([seed, *keys], sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
