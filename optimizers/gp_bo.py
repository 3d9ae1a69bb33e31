"""Bayesian optimisation with a Gaussian process; independent runs in lockstep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from botorch.models import SingleTaskGP
from numpy.typing import ArrayLike
from torch import Tensor

from optimizers.base import Optimizer, Point
from optimizers.gp.acquisition import Acquisition, Draws, Effort, LogExpectedImprovement, maximise
from optimizers.gp.constraint import ConstrainedImprovement, chance, leading
from optimizers.gp.fit import fit_map, hyperparameters, typical
from optimizers.gp.kernels import Priors
from optimizers.gp.knowledge import Knowledge
from optimizers.gp.model import Model
from optimizers.gp.posterior import Hyperparameters, Posterior, avoiding
from optimizers.gp.sampled import feasibility, maximum, noisy_improvement
from optimizers.options import integer
from optimizers.sobol import sobol_points, without

# Runs in one batch. Fitting wants many, to hide what calling torch costs; searching wants its arrays to stay in the
# processor's cache.
FIT_BATCH, SEARCH_BATCH = 128, 8
# How often the hyperparameters are sought from the typical ones as well as from the last: another start seldom finds a
# better maximum, and costs half as much again.
FRESH_EVERY = 5
SAMPLES = 128
"""Of the joint posterior, where points are pending."""


class GpBo(Optimizer):
    """Expected improvement under a Gaussian process (Jones, Schonlau & Welch, 1998).

    Matern-5/2 kernel with a length scale an axis, output scale and noise at their maximum a posteriori, constant mean,
    log expected improvement (Ament et al., 2023) over a common initial design.

    Kernel, priors and design were chosen on functions that are not the landscapes that ship (`docs/optimisers.md` has
    what each is worth; `hpo-bench ablation` changes one of them at a time).

    Standard errors that are told add to the diagonal of the covariance, point by point, beside the learnt noise.
    What is to be improved on is the most that a point told is believed to be worth, never a score, so that luck is not
    chased (plug-in; Picheny, Wagner & Ginsbourger, "A benchmark of kriging-based infill criteria for noisy
    optimization", 2013). Noise beyond the told errors is taken for roughness of the objective, which a point keeps
    (`Posterior.worth`).

    A constraint's margin, where it is told, has a Gaussian process of its own, independent of the score's, and what is
    maximised is `ConstrainedImprovement`. Whether roughness belongs to a point was not tried there: means are of both
    processes alike.

    While points are pending what is maximised is BoTorch's noisy expected improvement, which draws what they may turn
    out to be (`noisy_improvement`; `docs/pending.md` has it beside the Kriging believer). A subclass with priors that
    BoTorch's model cannot have, or with an `_acquisition` of its own, is therefore not `parallel`, unless it says that
    it is. Failed points count as one standard deviation worse than expected and no better than the median score
    (`avoiding`); as the worst score they would lose where failures strike at random.

    Args:
        dim: Number of hyperparameters.
        seed: Draws the initial design and the candidates.
        budget: How many points may be asked for.
        start: Points to propose first, each in place of one of the initial design, as is every known point.
        initial: Points before the first model: a scrambled Sobol' sequence, which 4 points balance, without those that
            are known.

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name = "gp-bo"
    label = "GP-BO"
    parallel = True
    constrained = True
    version = 2

    priors = Priors()
    effort = Effort()

    def __init_subclass__(cls, **options: Any) -> None:
        """A variant whose model or acquisition function BoTorch has not takes one point at a time."""
        super().__init_subclass__(**options)
        own = vars(cls)
        if "parallel" not in own and ("_acquisition" in own or not cls.priors.in_botorch):
            cls.parallel = False

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None, initial: int = 4) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        self.initial = integer("initial", initial, least=1)
        self._parameters: Tensor | None = None

    @property
    def settings(self) -> Mapping[str, object]:
        """The size of the initial design."""
        return {**super().settings, "initial": self.initial}

    def recommend(self) -> Point:
        """The point told that is believed to be worth most under the model, if standard errors were told.

        Else the point with the highest score, as nothing says that it was luck. Under a constraint the one whose
        noise-free score is highest on average among those that are likely feasible; if none is, the most probably so.

        Raises:
            ProtocolError: If no evaluation has succeeded.
        """
        X, scores = self.history
        told = np.flatnonzero(np.isfinite(scores))
        if len(told) and self._has_margins:
            means, _ = Model.fit(X[told], scores[told], self.standard_errors[told], priors=self.priors).predict(X[told])
            return self._X[told[leading(means, chance(*self._margin_model().predict(X[told])))]]
        known = Knowledge.of([self]) if len(told) else None
        if known is None or not known.noise.any():
            return super().recommend()
        parameters = fit_map(known.X, known.y, known.noise, typical(self.dim).expand(1, 1, -1), self.priors)
        posterior = Posterior.fit(known.X, known.y, known.noise, hyperparameters(parameters, self.priors))
        return self._X[told[int(self._worth(posterior, known).argmax())]]

    @property
    def model(self) -> SingleTaskGP:
        """What was told so far as BoTorch's own model of the score, fitted and fixed.

        In the unit cube and in the scores' own units: `optimizer.model.posterior(X)`, with X a tensor of double
        precision of shape (..., q, dim), has mean and variance without noise; it suits BoTorch's acquisition functions.
        Known standard errors are in it, failed and pending points are not.

        Raises:
            ProtocolError: If no evaluation has succeeded.
        """
        self._highest()
        X, scores = self.history
        told = np.isfinite(scores)
        return Model.fit(X[told], scores[told], self.standard_errors[told], priors=self.priors).botorch()

    @property
    def _has_margins(self) -> bool:
        return bool(np.isfinite([margin for margin, _ in self._margins]).any())

    def _margin_model(self) -> Model:
        """The process of the margins."""
        margins, errors = np.array(self._margins).T
        told = np.isfinite(margins)
        return Model.fit(self.history[0][told], margins[told], errors[told], priors=self.priors)

    @property
    def _held(self) -> int:
        """How many points it has, told or pending, known ones included."""
        return len(self._X) + len(self._pending)

    def _of_design(self) -> Point:
        """The first point of the initial design, of shape (dim,), that is neither told, known or pending nor a start.

        A sequence goes on with the same points however many are drawn, and each point held is one of them at most.
        """
        held = np.concatenate([self.start, *(np.reshape(x, (1, -1)) for x in (*self._X, *self._pending))])
        return without(held, sobol_points(self.dim, len(held) + 1, self._generator()))[0]

    @classmethod
    def _propose(cls, optimizers: Sequence[Self]) -> list[Point]:
        """Splits the runs by what they know: a batch wants equal numbers of points.

        Padding would put unequal ones into one batch as well, but then rounding, and with it the trace, would depend on
        the company; runs in lockstep are equal but for their failures.
        """
        points: dict[int, Point] = {}
        alike: dict[tuple[int, int, int, int, bool], list[int]] = defaultdict(list)
        for index, optimizer in enumerate(optimizers):
            n_known = int(np.isfinite(optimizer._scores).sum())
            if optimizer._held < optimizer.initial or n_known < 2:
                points[index] = optimizer._of_design()
            else:
                waiting = len(optimizer._pending)
                alike[n_known, waiting, optimizer.asked, optimizer._held, optimizer._has_margins].append(index)
        for group in alike.values():
            for first in range(0, len(group), FIT_BATCH):
                batch = group[first : first + FIT_BATCH]
                points.update(zip(batch, cls._suggest([optimizers[index] for index in batch]), strict=True))
        return [points[index] for index in range(len(optimizers))]

    @classmethod
    @torch.no_grad()
    def _suggest(cls, optimizers: Sequence["GpBo"]) -> list[Point]:
        """Model-based points, of shape (dim,), for runs with equal numbers of successes and of points in all."""
        known = Knowledge.of(optimizers)
        kernel = cls._learn(optimizers, known)
        points = []
        for first in range(0, len(optimizers), SEARCH_BATCH):
            rows = slice(first, first + SEARCH_BATCH)
            points += list(cls._search(optimizers[rows], known.rows(rows), kernel.rows(rows)).numpy())
        return points

    @classmethod
    def _search(cls, optimizers: Sequence["GpBo"], known: Knowledge, kernel: Hyperparameters) -> Tensor:
        """Where the expected improvement is largest, of shape (B, dim)."""
        posterior = Posterior.fit(known.X, known.y, known.noise, kernel)
        incumbent, index = cls._worth(posterior, known).max(1)
        posterior, scores, noise = avoiding(posterior, known.y, known.noise, known.failed)
        centre, margins = known.X[torch.arange(len(optimizers)), index], []
        if optimizers[0]._has_margins:
            margins = [optimizer._margin_model() for optimizer in optimizers]
            acquisition = ConstrainedImprovement.of(posterior, margins, known.X)
            centre, incumbent = acquisition.centre, acquisition.incumbent
        else:
            acquisition = cls._acquisition(optimizers, posterior, incumbent)
        generators = [optimizer._generator(1, optimizer.asked) for optimizer in optimizers]
        if not optimizers[0]._pending:
            return cls._maximise(acquisition, centre, Draws.of(generators, optimizers[0].dim, cls.effort))
        points = []
        for row, optimizer in enumerate(optimizers):
            own, pending = slice(row, row + 1), torch.from_numpy(np.array(optimizer.pending))
            if margins and incumbent[row].isnan():
                build = feasibility(margins[row], pending)
            else:
                score = Model(posterior.rows(own), scores[own], noise[own], 0.0, 1.0, cls.priors)
                build = noisy_improvement(score, margins[row] if margins else None, known.X[row], pending)
            points.append(
                maximum(
                    build,
                    samples=SAMPLES,
                    centres=centre[own],
                    taken=torch.cat((posterior.X[row], pending)),
                    generator=generators[row],
                    effort=cls.effort,
                )
            )
        return torch.stack(points)

    @classmethod
    def _worth(cls, posterior: Posterior, known: Knowledge) -> Tensor:
        """What the points with a score are believed to be worth, of shape (B, n); the most is to be improved on."""
        return posterior.worth(known.told)

    @classmethod
    def _maximise(cls, acquisition: Acquisition, incumbent: Tensor, draws: Draws) -> Tensor:
        """Where the acquisition is highest, of shape (B, dim); `incumbent`, of that shape, is the best known point."""
        return maximise(acquisition, incumbent, draws)

    @classmethod
    def _acquisition(cls, optimizers: Sequence["GpBo"], posterior: Posterior, incumbent: Tensor) -> Acquisition:
        """What the next points maximise where none is pending, and no margin was told.

        Args:
            optimizers: The runs, B of them.
            posterior: What they know and believe.
            incumbent: What the best point that is known is believed to be worth, of shape (B,).
        """
        return LogExpectedImprovement(posterior, incumbent)

    @classmethod
    def _learn(cls, optimizers: Sequence["GpBo"], known: Knowledge) -> Hyperparameters:
        """Hyperparameters given the scores; each run remembers its own as the next start."""
        fresh = typical(known.X.shape[2])
        last = torch.stack([fresh if o._parameters is None else o._parameters for o in optimizers])
        starts = (last,) if optimizers[0]._held % FRESH_EVERY else (last, fresh.expand_as(last))
        parameters = fit_map(known.X, known.y, known.noise, torch.stack(starts), cls.priors)
        for optimizer, own in zip(optimizers, parameters, strict=True):
            optimizer._parameters = own
        return hyperparameters(parameters, cls.priors)
