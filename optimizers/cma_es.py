"""CMA-ES, by pycma, restarted until the budget is spent."""

import warnings
from collections.abc import Mapping

import cma
import numpy as np
from numpy.typing import ArrayLike

from optimizers.base import Optimizer, Point, Restart
from optimizers.options import fraction, integer

TOLERANCES = {"tolfun": 1e-11, "tolfunhist": 1e-12}
"""Those of pycma's tolerances that are differences of scores, at its defaults, for scores of size one."""


class CmaEs(Optimizer):
    """Covariance matrix adaptation (Hansen & Ostermeier, 2001), the `cma` package's implementation.

    Generations are told whole or, when the budget ends within one, not at all. With several workers a generation is the
    next so many points told, in the order in which they were; those that come late, from the distribution before, count
    as injected solutions, whose steps pycma shortens to what its own could be (Hansen, "Injecting external solutions
    into CMA-ES", 2011). A failed evaluation ranks last in its generation. When pycma's own criteria end a search, or a
    whole generation fails, the next one starts at a fresh uniform point with the same population; growing it (IPOP:
    Auger & Hansen, 2005; BIPOP: Hansen, 2009) would leave no room for a second generation in the budgets this is for.

    Args:
        dim: Number of hyperparameters.
        seed: Draws the starts and the samples.
        budget: How many points may be asked for.
        start: The first point or points to propose; the best, of these and of known points, is the first mean.
        sigma: First standard deviation along each axis; by custom 0.3 of the range in which the optimum is expected.
        population: Points a generation, at least 3. pycma would take 4 + floor(3 ln dim), 6 in 2-D and 7 in 3-D; of 40
            or 60 evaluations 4 make more generations (`docs/optimisers.md`).

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name = "cma-es"
    label = "CMA-ES"
    parallel = True

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        budget: int,
        start: ArrayLike | None = None,
        sigma: float = 0.3,
        population: int = 4,
    ) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        self.sigma = fraction("sigma", sigma)
        self.population = integer("population", population, least=3)
        self._searches = 0
        self._search: cma.CMAEvolutionStrategy | None = None
        self._sampled: list[Point] = []
        self._search_of: dict[bytes, int] = {}
        self._told: list[tuple[Point, float]] = []

    @property
    def settings(self) -> Mapping[str, object]:
        """The first standard deviation and the population."""
        return {**super().settings, "sigma": self.sigma, "population": self.population}

    def _next(self) -> Point:
        search = self._search or self._begin()
        if len(self._told) >= self.population:
            search = self._close_generation(search)
            self._sampled = search.ask()
        elif not self._sampled:
            # Whoever asks while all of a generation is pending gets one more of the same distribution.
            waiting = any(self._search_of.get(x.tobytes()) == self._searches for x in self._pending)
            self._sampled = search.ask(1) if waiting else search.ask()
        x = np.clip(self._sampled.pop(0), 0.0, 1.0)
        self._search_of[x.tobytes()] = self._searches
        return x

    def _observe(self, x: Point, score: float) -> None:
        # Neither the given start nor what an ended search left pending is a member of a generation.
        if self._search_of.get(x.tobytes()) == self._searches:
            self._told.append((x, score))

    def _close_generation(self, search: cma.CMAEvolutionStrategy) -> cma.CMAEvolutionStrategy:
        """Tells pycma a whole generation; returns the search to go on with, a new one if this is at its end."""
        generation, self._told = self._told[: self.population], self._told[self.population :]
        scores = np.array([score for _, score in generation])
        if np.isnan(scores).all():
            reason = "a whole generation failed"
        else:
            # pycma minimises, and ranks ties by their order: a failure is as bad as the worst of its generation.
            losses = -np.where(np.isnan(scores), np.nanmin(scores), scores)
            with warnings.catch_warnings():
                # Of points that pycma proposed and is not told in time, as happens where several are pending.
                warnings.simplefilter("ignore", cma.evolution_strategy.InjectionWarning)
                search.tell([x.copy() for x, _ in generation], losses.tolist())
            # pycma's tolerances are absolute, and scores may come in any unit.
            unit = self._unit()
            search.opts.update({name: unit * tolerance for name, tolerance in TOLERANCES.items()})
            met = ", ".join(search.stop() or ())
            reason = f"pycma's {met}" if met else ""
        if not reason:
            return search
        self._restarts.append(Restart(evaluation=len(self._answered), reason=reason))
        return self._begin()

    def _unit(self) -> float:
        """The size of the differences between all scores told: the power of two above their range, 1 without any."""
        # Halved, as the range of the largest numbers is infinite.
        half = np.ptp(np.array(self._scores)[np.isfinite(self._scores)] / 2)
        return float(np.ldexp(1.0, np.frexp(half)[1] + 1)) if half > 0 else 1.0

    def _begin(self) -> cma.CMAEvolutionStrategy:
        generator = self._generator(self._searches)
        mean = self._best_start() if self._searches == 0 else None
        if mean is None:
            mean = generator.random(self.dim)
        self._searches += 1
        self._told = []
        options = {
            "bounds": [0.0, 1.0],
            "popsize": self.population,
            # Own generator: pycma would otherwise seed numpy's global one, and takes seeds 0 and None as the clock.
            "randn": lambda *shape: generator.standard_normal(shape),
            "seed": np.nan,
            "verbose": -9,
        }
        if self.dim == 1:
            # Where pycma (4.5) caps the standard deviation at a third of the box it fails in one dimension.
            options["maxstd"] = np.inf
        self._search = cma.CMAEvolutionStrategy(mean, self.sigma, options)
        return self._search
