"""The 24 noiseless functions of BBOB, by COCO's own code."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscapes.errors import UnknownLandscapeError

Array = NDArray[np.float64]

FUNCTIONS = range(1, 25)
"""Their numbers in BBOB."""


@dataclass(frozen=True, slots=True)
class Bbob:
    """One BBOB function, upside down, its box [-5, 5]^dim as the unit cube.

    Hansen, Finck, Ros & Auger, "Real-parameter black-box optimization benchmarking 2009: noiseless functions
    definitions" (2009); Hansen et al., "COCO: a platform for comparing continuous optimizers in a black-box setting"
    (2021), whose package `coco-experiment` evaluates it.

    Attributes:
        number: Which function, from 1 to 24.
        dim: Number of variables.
        instance: Which of its shifts and rotations, from 1.
    """

    number: int
    dim: int
    instance: int

    def __call__(self, X: Array) -> Array:
        """Values of shape (n,) at points of shape (n, dim) in the unit cube."""
        problem = _problem(self.number, self.dim, self.instance)
        return -np.array([problem(x) for x in 10.0 * X - 5.0])

    @property
    def maximum(self) -> float:
        """The global maximum, which is known by construction."""
        return -float(_problem(self.number, self.dim, self.instance).best_value())


@lru_cache(maxsize=256)
def _problem(number: int, dim: int, instance: int) -> Any:
    try:
        from cocoex import BareProblem  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UnknownLandscapeError(
            "BBOB's functions come with the package coco-experiment, which is not installed: "
            "pip install 'hpo-bench[peers]', or take the merge-like suites alone"
        ) from error
    return BareProblem("bbob", number, dim, instance)
