"""Samplers of Optuna (Akiba et al., 2019), each with its own defaults."""

from abc import abstractmethod

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState, create_trial

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point


class OptunaPeer(Peer):
    """A study in memory that is asked for one trial at a time."""

    version = 2
    packages = ("optuna",)
    given = "added as trials, in place of as many of its 10 random ones"

    _study: optuna.Study | None = None
    _trial: Trial | None = None

    @abstractmethod
    def _sampler(self) -> BaseSampler:
        """The sampler, seeded."""

    def _next(self) -> Point:
        with global_generators(self.seed, self.asked), quiet("optuna"):
            if len(self.start) and not self._proposed:
                # Only now is it known which of the start is best, where CMA-ES shall begin.
                self._opened().sampler = self._sampler()
            self._trial = self._opened().ask(self._box)
        return np.array([self._trial.params[f"x{axis}"] for axis in range(self.dim)])

    def _observe(self, x: Point, score: float) -> None:
        with global_generators(self.seed, self.asked, 1), quiet("optuna"):
            value, state = (None, TrialState.FAIL) if np.isnan(score) else (score, TrialState.COMPLETE)
            if self._trial is None:
                # Added and not enqueued, for which the sampler would be asked, and take the answer for its own.
                params = {f"x{axis}": float(value) for axis, value in enumerate(x)}
                self._opened().add_trial(create_trial(params=params, distributions=self._box, value=value, state=state))
            else:
                self._opened().tell(self._trial, value, state=state)
            self._trial = None

    @property
    def _box(self) -> dict[str, BaseDistribution]:
        return {f"x{axis}": FloatDistribution(0.0, 1.0) for axis in range(self.dim)}

    def _opened(self) -> optuna.Study:
        if self._study is None:
            self._study = optuna.create_study(direction="maximize", sampler=self._sampler())
        return self._study


class OptunaTpe(OptunaPeer):
    """Tree-structured Parzen estimator (Bergstra et al., 2011): Optuna's default; 10 random trials first."""

    name = "optuna-tpe"
    label = "Optuna TPE"

    def _sampler(self) -> BaseSampler:
        return TPESampler(seed=self._short_seed)


class OptunaGp(OptunaPeer):
    """Optuna's Gaussian process with log expected improvement; 10 random trials first."""

    name = "optuna-gp"
    label = "Optuna GP"
    packages = ("optuna", "torch", "scipy")

    def _sampler(self) -> BaseSampler:
        return GPSampler(seed=self._short_seed)
