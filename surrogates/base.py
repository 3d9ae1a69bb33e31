"""What every surrogate can do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogates.errors import InvalidDataError, NoDeviationError, NotFittedError, TooFewPointsError
from surrogates.scale import Scale

Array = NDArray[np.float64]

SLACK = 1e-9
"""How far outside the unit cube rounding may carry a point."""


class Surrogate(ABC):
    """A cheap function through recorded points, over the unit cube.

    Inputs live in [0, 1]^d because distances must mean the same along every axis: a coefficient that spans 1.4 and a
    density that spans 0.6 would otherwise weigh by their units, and every radial kernel is a function of distance. The
    cube also says where the surrogate may be asked: it never extrapolates.

    A surrogate may be fitted again, and is not fitted where that fails; a shallow copy (`copy.copy`) is an independent
    surrogate with the same options.
    """

    _X: Array | None = None
    _y: Array | None = None
    scale = Scale(0.0, 0)
    """Of the scores it was fitted on: fits see standard scores, so that no tolerance depends on their unit."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, object]:
        """Every option that changes predictions, as plain JSON values."""

    @abstractmethod
    def least_points(self, dim: int) -> int:
        """How many points a fit in `dim` dimensions needs, one of them to spare so that any may be left out."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn the recorded points.

        Args:
            X: Points of shape (n, d) in [0, 1]^d, all different.
            y: Their scores, of shape (n,), finite.

        Returns:
            The surrogate itself.

        Raises:
            InvalidDataError: If shapes do not match, a value is not finite or outside the cube, two points coincide,
                the points do not determine the surrogate, or they name their coordinates.
            TooFewPointsError: If there are fewer points than `least_points`.
        """
        # Should it fail, what an earlier fit left behind must not be asked in the units of this one.
        self._X = self._y = None
        X, y = self._points(X), _numbers("values", y)
        n, dim = X.shape
        if y.shape != (n,):
            raise InvalidDataError(f"{n} points need scores of shape ({n},), not {y.shape}")
        if not np.isfinite(y).all():
            raise InvalidDataError(f"score {np.flatnonzero(~np.isfinite(y))[0]} is not finite")
        # One less than `least_points`, so that leave-one-out may refit the smallest design.
        if n < (least := self.least_points(dim)) - 1:
            raise TooFewPointsError(f"the surrogate needs at least {least} points in {dim} dimensions, not {n}")
        if len(np.unique(X, axis=0)) < n:
            raise InvalidDataError("two points coincide, so that no function goes through both of their scores")
        self.scale = Scale.of(y)
        standard = self.scale.to_standard(y)
        self._fit(X, standard)
        self._X, self._y = X, standard
        return self

    def predict(self, X: ArrayLike) -> Array:
        """The surrogate's scores.

        Args:
            X: Points of shape (m, d) in [0, 1]^d.

        Returns:
            Scores of shape (m,), in the units of the scores it was fitted on.

        Raises:
            InvalidDataError: If a point is outside the cube, names its coordinates, or has too few or many.
            NotFittedError: If `fit` was not called.
        """
        return self.scale.from_standard(self._predict(self._askable(X)))

    def standard(self, X: Array) -> Array:
        """As `predict`, in the standard units of `scale`: for searches, which an offset would blind.

        Args:
            X: Points of shape (m, d) in [0, 1]^d, which are not checked: a search makes thousands, one at a time.
        """
        return self._predict(X)

    def std(self, X: ArrayLike) -> Array:
        """How sure the surrogate is of its scores, as one standard deviation of the function without noise.

        Of those here the Gaussian process alone knows: a radial interpolant is one function, and how far off that is
        between the points depends on what the scores are scores of. `loo_residuals` and `surrogates.loocv` measure it.

        Args:
            X: Points of shape (m, d) in [0, 1]^d.

        Returns:
            Standard deviations of shape (m,), in the units of the scores.

        Raises:
            NoDeviationError: If it has none.
            InvalidDataError: If a point is outside the cube, names its coordinates, or has too few or many.
            NotFittedError: If `fit` was not called.
        """
        return self.scale.difference(self._std(self._askable(X)))

    def loo_residuals(self) -> Array:
        """What every point's score exceeds the prediction by that is made without that point.

        Returns:
            Residuals y_i - f_{-i}(x_i) of shape (n,), in the units of the scores; NaN where the remaining points do not
            determine the surrogate.

        Raises:
            NotFittedError: If `fit` was not called.
        """
        return self.scale.difference(self._loo_residuals(*self._data()))

    def weights(self, X: ArrayLike) -> Array:
        """How predictions are made of the recorded scores: `predict(X)` is `weights(X) @ y`.

        Given the hyperparameters of the fit, every surrogate here is linear in the scores. So whatever was recorded at
        the same points, such as each single example's outcome, is carried to other points by the same weights.

        Args:
            X: Points of shape (m, d) in [0, 1]^d.

        Returns:
            Weights of shape (m, n), each row of which adds up to 1.

        Raises:
            InvalidDataError: If a point is outside the cube, names its coordinates, or has too few or many.
            NotFittedError: If `fit` was not called.
        """
        return self._weights(self._askable(X))

    def _std(self, X: Array) -> Array:
        raise NoDeviationError(
            f"the {self.settings['kernel']} surrogate has no standard deviation; take gp, or measure how far off it is "
            "by surrogates.loocv"
        )

    @abstractmethod
    def _weights(self, X: Array) -> Array: ...

    @abstractmethod
    def _fit(self, X: Array, y: Array) -> None: ...

    @abstractmethod
    def _predict(self, X: Array) -> Array: ...

    @abstractmethod
    def _loo_residuals(self, X: Array, y: Array) -> Array: ...

    def _data(self) -> tuple[Array, Array]:
        if self._X is None or self._y is None:
            raise NotFittedError("fit the surrogate first")
        return self._X, self._y

    def _askable(self, X: ArrayLike) -> Array:
        known, _ = self._data()
        points = self._points(X)
        if points.shape[1] != known.shape[1]:
            raise InvalidDataError(f"points must have {known.shape[1]} coordinates, not {points.shape[1]}")
        return points

    @staticmethod
    def _points(X: ArrayLike) -> Array:
        if isinstance(X, Mapping) or any(hasattr(one, "iloc") for one in (X, *(X if isinstance(X, list) else ()))):
            # A table's columns may stand in any order, and the cube's axes have no names to go by.
            raise InvalidDataError("points of the unit cube have no names; give an array with its axes in order")
        points = _numbers("points", X)
        if points.ndim != 2 or points.shape[1] == 0:
            raise InvalidDataError(f"points must have shape (n, d), not {points.shape}")
        # Written so that NaN fails too.
        if not ((points >= -SLACK) & (points <= 1 + SLACK)).all():
            raise InvalidDataError(
                "a point lies outside the unit cube, where the surrogate knows nothing; scale it first"
            )
        return np.clip(points, 0.0, 1.0)


def _numbers(what: str, values: ArrayLike) -> Array:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidDataError(f"{what} must be numbers ({error})") from error
