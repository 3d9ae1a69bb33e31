"""Interpolation by radial basis functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist
from scipy.special import xlogy

from surrogates.base import Surrogate
from surrogates.crowding import steep_pairs, typical_spacing
from surrogates.errors import InvalidDataError, UnknownKernelError
from surrogates.spelling import did_you_mean

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RadialKernel:
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
        RadialKernel("thin_plate_spline", 1, False, _thin_plate_spline),
        RadialKernel("cubic", 1, False, _cubic),
        RadialKernel("linear", 0, False, np.negative),
        RadialKernel("gaussian", 0, True, _gaussian),
        RadialKernel("multiquadric", 0, True, _multiquadric),
    )
}


def find(name: str) -> RadialKernel:
    """The kernel of that name.

    Raises:
        UnknownKernelError: If there is none; the message suggests the nearest.
    """
    if name in KERNELS:
        return KERNELS[name]
    hint = did_you_mean(name, KERNELS)
    raise UnknownKernelError(f"no kernel is called {name!r}; {hint}there are {', '.join(KERNELS)}")


def monomials(X: Array, degree: int) -> Array:
    """All monomials of at most that degree at points of shape (n, d), as columns."""
    dim = X.shape[1]
    # Centred on the cube, which keeps the columns of a system nearly orthogonal.
    centred = X - 0.5
    powers = [p for k in range(degree + 1) for p in combinations_with_replacement(range(dim), k)]
    return np.stack([centred[:, list(p)].prod(axis=1) for p in powers], axis=1)


SHAPES = np.geomspace(0.1, 1.5, 16)
"""Shape parameters that are tried, as multiples of 1 / (mean distance to the nearest other point).

Steeper ones would fit noisy scores best, by a Gaussian needle at each point and the mean in between: no landscape."""

WORST_CONDITION = 1e10
"""Systems above this 1-norm condition number are not trusted: fewer than six digits of a prediction would be left."""


SMOOTHING = 0.03
"""Of crowded points, in what the kernel changes by over the typical spacing.

With a tenth of it a pair a twentieth of the spacing apart still throws a cubic up by half the range of all scores."""

LEAST_BREADTH = 1e-2
"""Designs narrower than this in some direction, relative to their length, do not determine a slope across it."""


class RBFSurrogate(Surrogate):
    """The study's surrogate: a sum of radial kernels around the recorded points, plus a polynomial, through all scores.

    Gaussian and multiquadric have a shape parameter epsilon. Unless given, it is the one of `SHAPES` with the least
    exact leave-one-out error (Rippa 1999) among those whose system is conditioned better than `WORST_CONDITION`. Every
    refit chooses it anew, while `loo_residuals` holds it at the value of the full fit.

    Points that no smooth surface should go through together (`surrogates.crowding`) are smoothed, as if their scores
    had an error, by `SMOOTHING`: the surrogate passes between them.

    Args:
        kernel: thin_plate_spline, cubic, linear, gaussian or multiquadric.
        epsilon: Shape parameter, which multiplies distances in the unit cube; only for Gaussian and multiquadric.

    Raises:
        UnknownKernelError: If no kernel has that name.
        InvalidDataError: If epsilon is not positive, or given to a kernel that has none.

    Sources: Hardy (1971) and Duchon (1977) for the kernels; Rippa, "An algorithm for selecting a good value for the
    parameter c in radial basis function interpolation", Adv. Comput. Math. 11 (1999), for leave-one-out and epsilon.
    """

    def __init__(self, kernel: str = "thin_plate_spline", *, epsilon: float | None = None) -> None:
        self.kernel = find(kernel)
        if epsilon is not None and not (self.kernel.shaped and np.isfinite(epsilon) and epsilon > 0):
            raise InvalidDataError(
                f"epsilon must be positive, and only for a kernel with a shape: {kernel}, {epsilon!r}"
            )
        self._given_epsilon = epsilon
        self._crowded = np.zeros(0, dtype=bool)
        self.epsilon = 1.0 if epsilon is None else float(epsilon)

    @property
    def settings(self) -> Mapping[str, object]:
        """Kernel, degree of the tail, the shape parameter if it was given, and the smoothing if there is any."""
        smoothing = {"smoothing": SMOOTHING} if self._crowded.any() else {}
        return {"kernel": self.kernel.name, "degree": self.kernel.degree, "epsilon": self._given_epsilon, **smoothing}

    def least_points(self, dim: int) -> int:
        """One point more than the polynomial tail has monomials."""
        return comb(dim + self.kernel.degree, self.kernel.degree) + 1

    def _fit(self, X: Array, y: Array) -> None:
        tail = monomials(X, self.kernel.degree)
        singular = np.linalg.svd(tail, compute_uv=False)
        if singular[-1] < LEAST_BREADTH * singular[0]:
            raise InvalidDataError(
                "the points lie on a line or plane, or nearly; vary every parameter independently of the others"
            )
        steep = steep_pairs(X, y)
        self._crowded = steep.any(axis=1)
        if self.kernel.shaped and self._given_epsilon is None:
            self.epsilon = self._best_epsilon(X, y, steep)
        try:
            self._interpolator = self._through(X, y)
        except np.linalg.LinAlgError as error:
            raise InvalidDataError(f"the points do not determine an interpolant ({error})") from error
        self._cardinals: RBFInterpolator | None = None

    def _predict(self, X: Array) -> Array:
        return self._interpolator(X)

    def _weights(self, X: Array) -> Array:
        if self._cardinals is None:
            known, _ = self._data()
            # Interpolating the columns of the identity gives each score's part in every prediction.
            self._cardinals = self._through(known, np.eye(len(known)))
        return self._cardinals(X)

    def _loo_residuals(self, X: Array, y: Array) -> Array:
        return self._rippa(self._system(X, self.epsilon)[1], y)

    def _through(self, X: Array, y: Array) -> RBFInterpolator:
        # SciPy takes one value a point as well; what is said of its types does not know.
        return RBFInterpolator(
            X, y, smoothing=self._smoothing(X, self.epsilon),  # pyright: ignore[reportArgumentType]
            kernel=self.kernel.name, epsilon=self.epsilon, degree=self.kernel.degree,
        )  # fmt: skip

    def _smoothing(self, X: Array, epsilon: float) -> Array:
        """What is added to the diagonal of the system, of shape (n,): 0 but for crowded points."""
        ends = self.kernel.of_distance(epsilon * np.array([0.0, typical_spacing(*X.shape)]))
        return np.where(self._crowded, SMOOTHING * abs(ends[1] - ends[0]), 0.0)

    def _best_epsilon(self, X: Array, y: Array, steep: NDArray[np.bool_]) -> float:
        distances = cdist(X, X)
        np.fill_diagonal(distances, np.inf)
        # Points that are smoothed as if they were one have no spacing.
        distances[steep] = np.inf
        spacing = distances.min(axis=1).mean()
        best, least = SHAPES[-1] / spacing, np.inf
        for epsilon in SHAPES[::-1] / spacing:
            try:
                system, inverse = self._system(X, float(epsilon))
            except np.linalg.LinAlgError:
                break
            if np.linalg.norm(system, 1) * np.linalg.norm(inverse, 1) > WORST_CONDITION:
                break  # Flatter kernels are conditioned worse still.
            error = float(np.mean(self._rippa(inverse, y) ** 2))
            if error < least:
                best, least = epsilon, error
        return float(best)

    def _system(self, X: Array, epsilon: float) -> tuple[Array, Array]:
        """The bordered matrix [[K, P], [P', 0]] of the interpolation conditions, and its inverse."""
        tail = monomials(X, self.kernel.degree)
        width = tail.shape[1]
        radial = self.kernel.of_distance(epsilon * np.asarray(cdist(X, X), dtype=np.float64))
        radial[np.diag_indices(len(X))] += self._smoothing(X, epsilon)
        system: Array = np.block([[radial, tail], [tail.T, np.zeros((width, width))]])
        return system, np.asarray(np.linalg.inv(system), dtype=np.float64)

    @staticmethod
    def _rippa(inverse: Array, y: Array) -> Array:
        """Leave-one-out residuals c_i / (A^-1)_ii (Rippa 1999), with A bordered by the polynomial tail.

        Setting c_i = 0 in A c = (y, 0) is the same as leaving point i out, and by the block inverse this moves the
        fitted value at x_i by c_i / (A^-1)_ii.
        """
        n = len(y)
        coefficients, pivots = inverse[:n, :n] @ y, np.diag(inverse)[:n]
        # A pivot of 0 means that without this point the tail is not determined.
        lost = np.abs(pivots) <= 1e-12 * np.abs(pivots).max()
        return np.where(lost, np.nan, coefficients / np.where(lost, 1.0, pivots))
