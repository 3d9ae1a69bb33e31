"""Bayesian adaptive direct search."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pybads import BADS  # pyright: ignore[reportMissingImports]

from hpo_bench.peers.base import Peer, quiet
from hpo_bench.peers.inside_out import InsideOut
from optimizers.base import Point, Restart

HALF_CELL = 2.0**-11
"""PyBADS searches on a grid of 2^-10 of the box."""


class PyBads(Peer):
    """PyBADS (Singh & Acerbi, 2024; Acerbi & Ma, 2017): mesh-adaptive direct search with a local Gaussian process.

    With its defaults and the unit cube for hard and plausible bounds. It starts from a uniform random point, or from
    the best of the `start`, and when it has converged before the budget is spent, from another random one.
    """

    name = "pybads"
    label = "PyBADS"
    given = "begins at the best of it; cannot be told of the others"
    version = 2
    packages = ("pybads", "gpyreg")

    _loop: InsideOut | None = None
    _searches: "Searches | None" = None

    def _next(self) -> Point:
        if self._loop is None:
            self._searches = Searches(self.dim, self.seed, self._best_start(), self.budget)
            self._searches.known.update(
                (x.tobytes(), self._cost(score)) for x, score in zip(self._X, self._scores, strict=True)
            )
            self._loop = InsideOut(self._searches, self.seed)
            weakref.finalize(self, self._loop.close)
        self._searches.noisy = bool(np.nan_to_num(self.standard_errors).any())  # pyright: ignore[reportOptionalMemberAccess]
        with quiet("BADS"):
            point = self._loop.ask()
        ends = self._searches.ends  # pyright: ignore[reportOptionalMemberAccess]
        self._restarts += [Restart(len(self._answered), reason) for reason in ends[len(self._restarts) :]]
        return point

    def _observe(self, x: Point, score: float) -> None:
        if self._loop is not None and self._searches is not None:
            self._searches.known[x.tobytes()] = self._cost(score)
            self._loop.tell(self._cost(score))
            if len(self._answered) == self.budget:
                self._loop.close()


@dataclass(slots=True)
class Searches:
    """One search of PyBADS after another; holds nothing of the optimiser, so that this can be let go.

    Attributes:
        dim: Number of hyperparameters.
        seed: Of the run.
        start: Where the first search begins; None for a random point.
        budget: Evaluations that a search may make.
        known: Costs so far. Where there is no noise, asking for one again costs nothing: PyBADS tests so for noise,
            which is the one evaluation that it may make beyond the budget.
        noisy: Whether evaluations come with standard errors.
        ends: Why each search that is over ended.
    """

    dim: int
    seed: int
    start: Point | None
    budget: int
    known: dict[bytes, float] = field(default_factory=dict)
    noisy: bool = False
    ends: list[str] = field(default_factory=list)

    def __call__(self, objective: Callable[[Point], float]) -> None:
        """Run a search to its end."""
        rng = np.random.default_rng([self.seed, len(self.ends)])
        start = self.start if self.start is not None and not self.ends else rng.random(self.dim)

        def cost(x: NDArray[np.float64]) -> float:
            point = np.clip(np.asarray(x, dtype=np.float64).reshape(self.dim), 0.0, 1.0)
            if np.abs(point - start).max() <= HALF_CELL:
                point = start  # Which it has rounded: no reason to evaluate it twice.
            known = None if self.noisy else self.known.get(point.tobytes())
            return objective(point) if known is None else known

        box = np.zeros((1, self.dim)), np.ones((1, self.dim))
        options = {
            "display": "off",
            "show_tips": False,
            "max_fun_evals": self.budget + 1,
            "random_seed": int(rng.integers(2**31)),
        }
        search = BADS(cost, start[None], *box, *box, options=options)
        self.ends.append(str(search.optimize()["message"]).strip())
