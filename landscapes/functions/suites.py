"""Families of functions by name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from landscapes.errors import UnknownLandscapeError
from landscapes.functions.bbob import FUNCTIONS, Bbob
from landscapes.functions.function import Function
from landscapes.functions.merge_like import MergeLike
from surrogates.spelling import did_you_mean, offer

SUITES = ("merge-like-2d", "merge-like-3d", "bbob-2d", "bbob-3d")
"""What there is; the numbers are dimensions. Merge-like surfaces are synthetic, and BBOB needs `coco-experiment`."""

FAMILIES = tuple(sorted({name.rpartition("-")[0] for name in SUITES}))
"""The same in every dimension."""

SUITE_SEED = 2026
"""Draws the functions of a benchmark; not one that any optimiser was chosen on."""

MERGE_LIKE = 24
"""Surfaces in a merge-like suite: as many as BBOB has functions."""


def members(name: str) -> tuple[str, ...]:
    """The suites of a family, or the one of that name alone.

    Raises:
        UnknownLandscapeError: If there is neither; the message suggests the nearest name.
    """
    if name in FAMILIES:
        return tuple(one for one in SUITES if one.rpartition("-")[0] == name)
    if name not in SUITES:
        hint = did_you_mean(name, (*FAMILIES, *SUITES))
        raise UnknownLandscapeError(
            f"there is no suite of functions called {name!r}: {hint}there are {' and '.join(FAMILIES)}, and either in "
            f"one dimension ({', '.join(SUITES)})"
        )
    return (name,)


def suite(name: str, seed: int, *, count: int | None = None) -> list[Function]:
    """The functions of a suite.

    Args:
        name: One of `SUITES`.
        seed: Other seeds draw other merge-like surfaces, and other shifts and rotations of BBOB's functions.
        count: How many; None takes all 24. BBOB's are spread over its five groups.

    Returns:
        Functions, each with its certified maximum and minimum; the same for the same arguments.

    Raises:
        UnknownLandscapeError: If there is no such suite, or `coco-experiment` is missing for BBOB.
    """
    family, _, dimensions = name.rpartition("-")
    if name not in SUITES:
        raise UnknownLandscapeError(f"there is no suite of functions called {name!r}; {offer(name, SUITES)}")
    dim = int(dimensions.removesuffix("d"))
    if family == "bbob":
        chosen = np.unique(np.linspace(0, len(FUNCTIONS) - 1, count or len(FUNCTIONS)).round().astype(int))
        return [_bbob(name, FUNCTIONS[index], dim, seed) for index in chosen.tolist()]
    return [_merge_like(name, index, dim, seed) for index in range(count or MERGE_LIKE)]


def functions(names: Sequence[str], patterns: Sequence[str]) -> list[Function]:
    """The functions of some suites.

    Args:
        names: Suites or families, such as "bbob-2d"; "bbob" means those of every dimension.
        patterns: Which functions of these, with * and ?; none means all.

    Raises:
        UnknownLandscapeError: If a suite is unknown or cannot be had, or a pattern means nothing.
    """
    members_of = (one for name in names for one in members(name))
    chosen = {function.name: function for one in members_of for function in suite(one, SUITE_SEED)}
    if not patterns:
        return [chosen[name] for name in sorted(chosen)]
    found = sorted(name for name in chosen if any(fnmatchcase(name, pattern) for pattern in patterns))
    if not found:
        raise UnknownLandscapeError(f"no function is called {patterns[0]!r}; {offer(patterns[0], chosen)}")
    return [chosen[name] for name in found]


def _bbob(name: str, number: int, dim: int, seed: int) -> Function:
    # Instances count from 1.
    f = Bbob(number, dim, seed + 1)
    return Function.certified(suite=name, name=f"{name}/f{number}-i{f.instance}", dim=dim, f=f, f_max=f.maximum)


def _merge_like(name: str, index: int, dim: int, seed: int) -> Function:
    f = MergeLike.draw(dim, np.random.default_rng([seed, dim, index]))
    return Function.certified(suite=name, name=f"{name}/s{seed}-{index:02d}", dim=dim, f=f)
