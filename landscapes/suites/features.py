"""What a landscape is like, in a few numbers that no optimiser has a say in.

All are of the surrogate over the unit cube, with scores from 0 to 1 between the lowest and the highest of a fixed
Sobol' sample, but for noise and roughness, which are of the recording.
"""

from dataclasses import asdict, astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from landscapes.landscape import Landscape
from surrogates.loocv import exact_loocv

Array = NDArray[np.float64]

SAMPLE_BITS = 12
STEP = 0.01
"""Of a difference, as a share of each side."""
HIGH = 0.9
"""Scores from here on are as good as the optimum for whoever wants nine tenths of what there is to gain."""
TOP = 0.05
"""Where less of the box is that high, so much of it tells ridges from hills."""
PLATEAU = 0.3
"""A bowl in two dimensions, from its centre to its corners, has half as much of the box above `HIGH`."""
CLIFF = 5.0
"""Half the range within a tenth of a side; a plane has 1, a bowl at most 3."""
RIDGE = 1 / 3
"""Three times as long as wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a landscape is like.

    Attributes:
        dimensions: Number of hyperparameters.
        noise: Median standard error of one evaluation, as a fraction of the range of recorded scores; NaN if unknown.
        roughness: Leave-one-out error over all recorded settings, as a fraction of that range.
        plateau: Share of the box with at least 0.9 of the range.
        slope: How steep its steepest hundredth is, in ranges a side.
        roundness: Extent of where the score is that high (of a twentieth of the box at least) along its shortest
            direction over that along its longest: 1 for a hill, near 0 for a ridge; 1 in one dimension.
        edge: Distance of the best setting of the sample from the nearest face, at most 0.5.
        median: Median score: near 1 where most of the box is good.
    """

    dimensions: int
    noise: float
    roughness: float
    plateau: float
    slope: float
    roundness: float
    edge: float
    median: float

    @property
    def shape(self) -> tuple[str, ...]:
        """Plateau, ridge and cliff, as far as it has them; a hill if it has none."""
        found = (("plateau", self.plateau > PLATEAU), ("ridge", self.roundness < RIDGE), ("cliff", self.slope > CLIFF))
        return tuple(name for name, is_so in found if is_so) or ("hill",)


NAMES = tuple(field.name for field in fields(Features))
LOGARITHMIC = ("noise", "roughness", "slope")
"""Twice as much is as far, wherever it begins."""


def features(landscape: Landscape) -> Features:
    """Look at a landscape; the same for the same recording.

    Args:
        landscape: Which one.
    """
    return Features(**landscape.kept("features", lambda: asdict(_measured(landscape))))


def _measured(landscape: Landscape) -> Features:
    dim, grid = landscape.space.dim, landscape.grid
    u = qmc.Sobol(dim, rng=np.random.default_rng(0)).random_base2(SAMPLE_BITS)
    scores = _scores(landscape, u)
    low, spread = float(scores.min()), float(np.ptp(scores))
    level = (scores - low) / spread
    best = u[level >= min(HIGH, float(np.quantile(level, 1 - TOP)))]
    widths = np.sqrt(np.linalg.eigvalsh(np.cov(best.T).reshape(dim, dim)))
    top = u[int(level.argmax())]
    return Features(
        dimensions=dim,
        noise=float(np.median(grid.standard_errors)) / grid.range,
        roughness=exact_loocv(landscape.surrogate, landscape.space.to_unit(grid.X), grid.scores, only_interior=False)
        / 100,
        plateau=float(np.mean(level >= HIGH)),
        slope=float(np.quantile(_slopes(landscape, u), 0.99)) / spread,
        roundness=float(widths.min() / widths.max()),
        edge=float(np.minimum(top, 1 - top).min()),
        median=float(np.median(level)),
    )


def standardised(found: list[Features]) -> Array:
    """Features as coordinates, of shape (n, k): mean 0 and deviation 1 over those given, unknown ones at the median.

    What is the same everywhere is 0.
    """
    values = np.array([astuple(one) for one in found], dtype=np.float64)
    for name in LOGARITHMIC:
        column = NAMES.index(name)
        values[:, column] = np.log(np.maximum(values[:, column], 1e-6))
    known = np.isfinite(values)
    middle = [np.median(column[there]) if there.any() else 0.0 for column, there in zip(values.T, known.T, strict=True)]
    values = np.where(known, values, np.array(middle))
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def _scores(landscape: Landscape, u: Array) -> Array:
    return landscape.score(landscape.space.from_unit(u))


def _slopes(landscape: Landscape, u: Array) -> Array:
    """Length of the surrogate's gradient at points of the cube, of shape (n,), in score units a side.

    Of the surrogate itself, also between whole values: moved to these, two points a step apart are the same or one
    whole value apart, whatever the step is.
    """
    squares = np.zeros(len(u))
    for axis in range(u.shape[1]):
        ahead, behind = u.copy(), u.copy()
        ahead[:, axis] = np.minimum(u[:, axis] + STEP, 1.0)
        behind[:, axis] = np.maximum(u[:, axis] - STEP, 0.0)
        step = ahead[:, axis] - behind[:, axis]
        squares += ((landscape.surrogate.predict(ahead) - landscape.surrogate.predict(behind)) / step) ** 2
    return np.sqrt(squares)
