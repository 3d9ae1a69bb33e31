"""Which settings of a merge are recorded, and what for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.stats import qmc

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import SPLITS, Split
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import COEFFICIENTS, Hyperparameter
from hpo_bench.merging.setting import MergeSetting
from landscapes.card import FITTED, CardParameter
from landscapes.recording import FOLDERS, SPLIT
from landscapes.suites.boxes import STUDY, WIDE

BOXES = (STUDY, WIDE)
"""The study's box, and that of live tuning: [0, 1.4] for every coefficient."""
GRID, HELD_OUT = "grid", "held-out"
DESIGNS = (GRID, *FOLDERS)
DENSE = tuple(round(0.1 * step, 1) for step in range(15))
"""Coefficients of the dense grid: 0 to 1.4, what live tuning searches by default, the study's box well inside."""
_WIDE = tuple(round(0.2 * step, 1) for step in range(8))
_WIDE_OF_THREE = (0.0, 0.35, 0.7, 1.05, 1.4)
HELD_OUT_POINTS = 200
_HELD_OUT_SEED = 20260519
MASKS = 10


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation to make.

    Attributes:
        setting: What to merge.
        mask_seed: Seed of DARE's masks.
    """

    setting: MergeSetting
    mask_seed: int = 0


@dataclass(frozen=True, slots=True)
class Design:
    """A plan of evaluations.

    Attributes:
        name: What the card calls it: the box of a grid that surrogates are fitted to ("study" or "wide"), or
            "held-out", "dense" or "masks", which they are measured by.
        method: Name of a merge method.
        points: What to evaluate, in order.
        splits: On which examples; the held-out designs on the test split alone.
        parameters: The box that the settings lie in, and its levels where they form a grid.
    """

    name: str
    method: str
    points: tuple[Point, ...]
    splits: tuple[Split, ...]
    parameters: tuple[CardParameter, ...]

    @property
    def folder(self) -> str:
        """Where its recording lies, below the landscape's folder."""
        return FOLDERS.get(self.name, "")

    @property
    def fitted(self) -> bool:
        """Whether surrogates are fitted to it: a landscape itself, not what one is measured by."""
        return self.name in FITTED

    @property
    def may_grow(self) -> bool:
        """Whether more settings may follow those that are recorded."""
        return self.name == HELD_OUT

    @property
    def many_masks(self) -> bool:
        """Whether the same setting is recorded under several mask seeds."""
        return len({point.mask_seed for point in self.points}) > 1


def grid(method: str, *, box: str = STUDY, mask_seed: int = 0) -> Design:
    """The grid that a landscape is made of, on both splits.

    The study's: 25 settings for Task Arithmetic, 100 for DARE and TIES. In the wide box 8 x 8 settings of Task
    Arithmetic, and where a density comes in 5 x 5 coefficients at the study's four densities.

    Raises:
        UsageError: If the method is unknown, or has no hyperparameters.
    """
    known, levels = _levels(method, box)
    return Design(box, method, _points(method, product(*levels), mask_seed), SPLITS, _box(known, levels, gridded=True))


def held_out(
    method: str, *, mask_seed: int = 0, box: Sequence[CardParameter] = (), settings: int = HELD_OUT_POINTS
) -> Design:
    """Further settings spread over a box: a scrambled Sobol sequence (Owen, 1998), the same for every pair.

    Args:
        method: Name of a merge method.
        mask_seed: Seed of DARE's masks; that of the grid which the settings are to check.
        box: That of the grid which they are to check; by default the study's.
        settings: How many. Fewer are the first of more.

    Raises:
        UsageError: If the method is unknown, or has no hyperparameters, or there are to be fewer than two settings.
    """
    if settings < 2:
        raise UsageError(f"{settings} held-out settings cannot be ranked; two at least")
    known = registry.tunable(method).hyperparameters
    levels = [(one.low, one.high) for one in box] or [one.levels for one in known]
    sobol = qmc.Sobol(len(levels), rng=np.random.default_rng(_HELD_OUT_SEED))
    unit = sobol.random_base2(int(np.ceil(np.log2(settings))))[:settings]
    low, high = (np.array([end(level) for level in levels]) for end in (min, max))
    spread = np.round(low + unit * (high - low), 4)
    return Design(HELD_OUT, method, _points(method, spread.tolist(), mask_seed), (SPLIT,), _box(known, levels))


def dense(method: str) -> Design:
    """A 15 x 15 grid of coefficients over [0, 1.4]^2, which shows what lies outside the study's box.

    Raises:
        UsageError: If the method has other hyperparameters than the two coefficients.
    """
    kind = registry.tunable(method)
    if kind.hyperparameters != COEFFICIENTS:
        further = [one.name for one in kind.hyperparameters if one not in COEFFICIENTS]
        has = f"a {further[0]} as well" if further else "not both"
        raise UsageError(f"the dense design is a grid of two coefficients; {kind.label} has {has}")
    levels = [DENSE, DENSE]
    points = _points(method, product(*levels), 0)
    return Design("dense", method, points, (SPLIT,), _box(kind.hyperparameters, levels, gridded=True))


def masks(method: str, ranked: Sequence[MergeSetting], *, box: str = STUDY, mask_seed: int = 0) -> Design:
    """Three settings under ten mask seeds each, so that the noise of masks is known.

    The settings follow a rule: the corner where most is dropped and most is added, the middle of the box, and the best
    of the others that were recorded.

    Args:
        method: One that draws masks at random, as DARE does.
        ranked: The recorded settings, highest validation score first.
        box: In which they were recorded.
        mask_seed: The first of the ten seeds.

    Raises:
        UsageError: If the method draws no masks.
    """
    kind = registry.get(method)
    if not kind.draws_masks:
        raise UsageError(f"the masks design is for methods such as DARE; {kind.label} draws no masks")
    known, levels = _levels(method, box)
    # Without a neutral value it is a coefficient, and adds the more the higher; a density drops the more the lower.
    ends = (max if one.neutral is None else min for one in known)
    corner = MergeSetting(method, *(end(level) for end, level in zip(ends, levels, strict=True)))
    middle = MergeSetting(method, *(round((level[0] + level[-1]) / 2, 4) for level in levels))
    best = next(setting for setting in ranked if setting not in (corner, middle))
    settings = (corner, middle, best)
    points = tuple(Point(setting, mask_seed + i) for i in range(MASKS) for setting in settings)
    return Design("masks", method, points, (SPLIT,), _box(known, levels))


def _levels(method: str, box: str) -> tuple[Sequence[Hyperparameter], list[Sequence[float]]]:
    """The hyperparameters of a method, and the levels of each in a box."""
    known = registry.tunable(method).hyperparameters
    if box == STUDY:
        return known, [one.levels for one in known]
    coefficients = _WIDE if len(known) == len(COEFFICIENTS) else _WIDE_OF_THREE
    return known, [coefficients if one in COEFFICIENTS else one.levels for one in known]


def _points(method: str, settings: Iterable[Sequence[float]], mask_seed: int) -> tuple[Point, ...]:
    return tuple(Point(MergeSetting(method, *setting), mask_seed) for setting in settings)


def _box(
    known: Sequence[Hyperparameter], levels: Sequence[Sequence[float]], *, gridded: bool = False
) -> tuple[CardParameter, ...]:
    return tuple(
        CardParameter(one.name, level[0], level[-1], levels=tuple(level) if gridded else ())
        for one, level in zip(known, levels, strict=True)
    )
