"""Radial kernels and the polynomial tails they need."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from surrogates.errors import UnknownKernelError
from surrogates.nearest import did_you_mean

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A radial basis function, named and signed as in `scipy.interpolate.RBFInterpolator`.

    Attributes:
        name: What the user types.
        degree: Degree of the polynomial tail: the least that makes the interpolant unique (Fasshauer 2007, chapter 8),
            and a constant where none is needed, so that far from all points the surrogate returns to a level and not
            to 0.
        shaped: Whether it has a shape parameter; the others are merely rescaled by one.
        of_distance: The function, of an array of distances.
    """

    name: str
    degree: int
    shaped: bool
    of_distance: Callable[[Array], Array]


def _thin_plate_spline(r: Array) -> Array:
    return xlogy(r * r, r)


def _cubic(r: Array) -> Array:
    return r**3


def _gaussian(r: Array) -> Array:
    return np.exp(-r * r)


def _multiquadric(r: Array) -> Array:
    return -np.sqrt(1 + r * r)


# Named functions and no lambdas, so that a fitted surrogate can be sent to another process.
KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("thin_plate_spline", 1, False, _thin_plate_spline),
        Kernel("cubic", 1, False, _cubic),
        Kernel("linear", 0, False, np.negative),
        Kernel("gaussian", 0, True, _gaussian),
        Kernel("multiquadric", 0, True, _multiquadric),
    )
}


def find(name: str) -> Kernel:
    """The kernel of that name.

    Raises:
        UnknownKernelError: If there is none; the message suggests the nearest.
    """
    if name in KERNELS:
        return KERNELS[name]
    hint = did_you_mean(name, KERNELS)
    raise UnknownKernelError(f"no kernel is called {name!r}; {hint}there are {', '.join(KERNELS)}")


def count_monomials(dim: int, degree: int) -> int:
    """How many monomials of at most that degree there are in `dim` variables."""
    return comb(dim + degree, degree)


def monomials(X: Array, degree: int) -> Array:
    """All monomials of at most that degree at points of shape (n, d), as columns: (n, `count_monomials`)."""
    dim = X.shape[1]
    # Centred on the cube, which keeps the columns of a system nearly orthogonal.
    centred = X - 0.5
    powers = [p for k in range(degree + 1) for p in combinations_with_replacement(range(dim), k)]
    return np.stack([centred[:, list(p)].prod(axis=1) for p in powers], axis=1)
