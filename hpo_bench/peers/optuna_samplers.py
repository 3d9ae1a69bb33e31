"""Samplers of Optuna (Akiba et al., 2019), each with its own defaults."""

from abc import abstractmethod

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point


class OptunaPeer(Peer):
    """A study in memory that is asked for one trial at a time."""

    packages = ("optuna",)

    _study: optuna.Study | None = None
    _trial: Trial | None = None

    @abstractmethod
    def _sampler(self) -> BaseSampler:
        """The sampler, seeded."""

    def _next(self) -> Point:
        with global_generators(self.seed, self.asked), quiet("optuna"):
            self._trial = self._ask()
        return np.array([self._trial.params[f"x{axis}"] for axis in range(self.dim)])

    def _observe(self, x: Point, score: float) -> None:
        with global_generators(self.seed, self.asked, 1), quiet("optuna"):
            trial = self._trial or self._given(x)
            self._trial = None
            if np.isnan(score):
                self._opened().tell(trial, state=TrialState.FAIL)
            else:
                self._opened().tell(trial, score)

    def _given(self, x: Point) -> Trial:
        self._opened().enqueue_trial({f"x{axis}": float(value) for axis, value in enumerate(x)})
        return self._ask()

    def _ask(self) -> Trial:
        return self._opened().ask({f"x{axis}": FloatDistribution(0.0, 1.0) for axis in range(self.dim)})

    def _opened(self) -> optuna.Study:
        if self._study is None:
            self._study = optuna.create_study(direction="maximize", sampler=self._sampler())
        return self._study


class OptunaTpe(OptunaPeer):
    """Tree-structured Parzen estimator (Bergstra et al., 2011): Optuna's default; 10 random trials first."""

    name = "optuna-tpe"
    label = "Optuna TPE"

    def _sampler(self) -> BaseSampler:
        return TPESampler(seed=self.seed)


class OptunaGp(OptunaPeer):
    """Optuna's Gaussian process with log expected improvement; 10 random trials first."""

    name = "optuna-gp"
    label = "Optuna GP"
    packages = ("optuna", "torch", "scipy")

    def _sampler(self) -> BaseSampler:
        return GPSampler(seed=self.seed)
