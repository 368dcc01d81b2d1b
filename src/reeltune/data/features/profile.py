"""What people tell of themselves, as codes: age group, gender, occupation.

Shapes: U users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltune.data.interactions import Users

__all__ = ["AGE_STARTS", "ProfileCodes", "profile_codes"]

AGE_STARTS = (1, 18, 25, 35, 45, 50, 56)
"""Lowest years of the age groups, those of MovieLens 1M."""


@dataclass(frozen=True)
class ProfileCodes:
    """The values that are known, and each user's."""

    names: tuple[str, ...]  # the name of code c is names[c - 1], such as "age: 25"
    codes: NDArray[np.int64]  # [U, 3] age group, gender, occupation; 0 unknown


def profile_codes(users: Users) -> ProfileCodes:
    """Return age group, gender and occupation of each user as codes of one vocabulary."""
    n_users = len(users.ids)
    ages = [_age_group(age) for age in users.ages] or [""] * n_users
    columns = {
        "age": ages,
        "gender": list(users.genders) or [""] * n_users,
        "occupation": list(users.occupations) or [""] * n_users,
    }
    told = {key: [f"{key}: {value}" if value else "" for value in values] for key, values in columns.items()}
    names = tuple(sorted({text for values in told.values() for text in values if text}))
    code = {name: i for i, name in enumerate(names, start=1)} | {"": 0}
    rows = [[code[text] for text in values] for values in told.values()]
    return ProfileCodes(names, np.array(rows, dtype=np.int64).T.copy())


def _age_group(age: int) -> str:
    starts = [start for start in AGE_STARTS if start <= age]
    return str(starts[-1]) if starts else ""
