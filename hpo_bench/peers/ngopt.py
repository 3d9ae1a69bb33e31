"""Nevergrad's automatic choice of an optimiser."""

from typing import Any

import nevergrad as ng  # pyright: ignore[reportMissingImports]
import numpy as np

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point


class NgOpt(Peer):
    """Nevergrad's NGOpt (Meunier et al., 2022), which picks an algorithm by dimension and budget.

    It begins at the centre of the box, as is Nevergrad's default for bounded arrays, or at the best of the `start`.
    What it picks for so few evaluations draws nothing at random: all seeds give one run.
    """

    name = "nevergrad-ngopt"
    label = "NGOpt"
    given = "begins at the best of it, and not at the centre; the COBYLA that it picks has no use for the others"
    packages = ("nevergrad",)
    seeded = False

    _search: Any = None
    _candidate: Any = None

    def _next(self) -> Point:
        with global_generators(self.seed, self.asked), quiet():
            if self._search is None:
                self._search = self._begin()
                self._candidate = self._search.ask()
                # The first point is where it was told to begin, which is known.
                if (known := self._score_of(self._candidate)) is not None:
                    self._search.tell(self._candidate, known)
                    self._candidate = self._search.ask()
            else:
                self._candidate = self._search.ask()
        return np.asarray(self._candidate.value, dtype=np.float64)

    def _observe(self, x: Point, score: float) -> None:
        if self._search is not None:
            with global_generators(self.seed, self.asked, 1), quiet():
                self._search.tell(self._candidate, self._cost(score))

    def _begin(self) -> ng.optimizers.base.Optimizer:
        first = self._best_start()
        box = ng.p.Array(init=np.full(self.dim, 0.5) if first is None else first, lower=0.0, upper=1.0)
        box.random_state = np.random.RandomState(self._generator().integers(2**32))
        return ng.optimizers.NGOpt(box, budget=self.budget)

    def _score_of(self, candidate: ng.p.Parameter) -> float | None:
        point = np.asarray(candidate.value, dtype=np.float64)
        costs = [-score for x, score in zip(self._X, self._scores, strict=True) if np.allclose(x, point, atol=1e-12)]
        return costs[0] if costs and np.isfinite(costs[0]) else None
