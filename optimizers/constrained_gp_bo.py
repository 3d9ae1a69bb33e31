"""Optimisers where an ability must be kept: they are told the margin of each result, or the feasible first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.special import log_ndtr

from optimizers import Optimizer, Point
from optimizers.gp.acquisition import Acquisition, Draws, LogExpectedImprovement, maximise
from optimizers.gp.model import Model
from optimizers.gp.posterior import Posterior
from optimizers.gp_bo import GpBo

LIKELY = 0.5
"""A setting counts as feasible when it is so with at least this probability."""


@runtime_checkable
class Constrained(Protocol):
    """An optimiser that takes a constraint's margin with each score."""

    def tell_margin(self, x: Point, margin: float, *, standard_error: float | None = None) -> None:
        """Told before the score of the same point: how far above the least allowed it is, feasible from 0 up."""
        ...


def tell(
    optimizer: Optimizer,
    x: Point,
    score: float,
    *,
    margin: float,
    standard_error: float | None = None,
    margin_error: float | None = None,
) -> None:
    """Tell a result under a constraint.

    An optimiser that knows no constraints is told the feasible first: what is feasible keeps its score, which is 0 or
    more, and what is not has minus its violation, so that it ranks below everything feasible and the search is led back
    (Deb, "An efficient constraint handling method for genetic algorithms", 2000, the worst feasible score being 0).

    Args:
        optimizer: Any.
        x: What it asked for.
        score: From 0 to 1; NaN if the evaluation failed.
        margin: How far above the least allowed, feasible from 0 up; NaN if the evaluation failed.
        standard_error: Of the score.
        margin_error: Of the margin.
    """
    if isinstance(optimizer, Constrained):
        if np.isfinite(margin):
            optimizer.tell_margin(x, margin, standard_error=margin_error)
        optimizer.tell(x, score, standard_error=standard_error)
    else:
        feasible = np.isnan(score) or margin >= 0.0
        optimizer.tell(x, score if feasible else margin, standard_error=standard_error if feasible else margin_error)


class ConstrainedGpBo(GpBo):
    """GP-BO by expected improvement times the probability of being feasible.

    The margin has a Gaussian process of its own, independent of the score's (Gardner et al., "Bayesian optimization
    with inequality constraints", 2014); what is to be improved on is the highest posterior mean among the known points
    that are feasible with a probability of at least one half, and as long as there is none the probability alone is
    maximised (Gelbart, Snoek & Adams, "Bayesian optimization with unknown constraints", 2014). Both factors are taken
    as logarithms, whose sum has no plateau where both are tiny (Ament et al., 2023). Whether roughness belongs to a
    point, as in `GpBo`, was not tried here: means are of both processes alike.
    """

    label = "GP-BO, constrained"

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None, initial: int = 4) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start, initial=initial)
        self._margins: dict[bytes, tuple[float, float]] = {}

    def tell_margin(self, x: Point, margin: float, *, standard_error: float | None = None) -> None:
        """Keep a margin; the point's score is told next."""
        self._margins[np.asarray(x).tobytes()] = margin, np.nan if standard_error is None else standard_error

    def recommend(self) -> Point:
        """The point told whose noise-free score is highest on average, among those that are likely feasible.

        If none is, the one that is most probably so.

        Raises:
            ProtocolError: If no evaluation has succeeded.
        """
        X, scores = self.history
        told = np.flatnonzero(np.isfinite(scores))
        if not len(told):
            return super().recommend()
        means, _ = Model.fit(X[told], scores[told], self.standard_errors[told], priors=self.priors).predict(X[told])
        chances = chance(self._margin_model(), X[told])
        likely = chances >= LIKELY
        return self._X[told[(np.where(likely, means, -np.inf) if likely.any() else chances).argmax()]]

    def _margin_model(self) -> Model:
        """The process of the margins, which every point with a score has."""
        X, scores = self.history
        X = X[np.isfinite(scores)]
        margins, errors = np.array([self._margins[x.tobytes()] for x in X]).T
        return Model.fit(X, margins, errors, priors=self.priors)

    @classmethod
    def _acquisition(cls, optimizers: Sequence[GpBo], posterior: Posterior, incumbent: Tensor) -> Acquisition:
        models, best, centres = [], [], []
        for row, optimizer in enumerate(optimizers):
            if not isinstance(optimizer, ConstrainedGpBo):
                raise TypeError(f"{type(optimizer).__name__} has no margins")
            X, scores = optimizer.history
            known = np.concatenate((X[np.isfinite(scores)], np.reshape(optimizer.pending, (-1, optimizer.dim))))
            models.append(optimizer._margin_model())
            chances = chance(models[-1], known)
            means = posterior.rows(slice(row, row + 1)).predict(torch.from_numpy(known[None]))[0][0].numpy()
            likely = chances >= LIKELY
            place = int((np.where(likely, means, -np.inf) if likely.any() else chances).argmax())
            best.append(means[place] if likely.any() else np.nan)
            centres.append(known[place])
        return ConstrainedImprovement(
            posterior, torch.tensor(np.array(best)), models, torch.from_numpy(np.array(centres))
        )

    @classmethod
    def _maximise(cls, acquisition: Acquisition, incumbent: Tensor, draws: Draws) -> Tensor:
        centre = acquisition.centre if isinstance(acquisition, ConstrainedImprovement) else incumbent
        return maximise(acquisition, centre, draws)


@dataclass(frozen=True, slots=True)
class ConstrainedImprovement:
    """Logarithm of the expected improvement times the probability of being feasible.

    Attributes:
        posterior: What is known of the score.
        incumbent: What is to be improved on, of shape (B,); NaN where nothing feasible is known, and the probability
            alone counts.
        margins: What is known of the margin, one model a run.
        centre: The incumbent's place, of shape (B, d), or where feasibility is most probable.
    """

    posterior: Posterior
    incumbent: Tensor
    margins: Sequence[Model]
    centre: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Values of shape (B, m) at X of shape (B, m, d); minus infinity where a score is known already."""
        unknown = self.incumbent.isnan()
        value = LogExpectedImprovement(self.posterior, self.incumbent.nan_to_num())(X)
        value = torch.where(unknown[:, None] & value.isfinite(), torch.zeros_like(value), value)
        return value + torch.stack([_log_chance(model, x) for model, x in zip(self.margins, X, strict=True)])


def chance(model: Model, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that the margin is 0 or more at points of shape (m, d), without noise, of shape (m,)."""
    return _log_chance(model, torch.from_numpy(X)).exp().numpy()


def _log_chance(model: Model, X: Tensor) -> Tensor:
    mean, deviation = model.predict(X.numpy())
    # Never zero: the model keeps the least deviation, relative to its scores.
    return log_ndtr(torch.from_numpy(mean / deviation))
