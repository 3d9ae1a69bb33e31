"""Ax's client with its default strategy."""

from typing import Any

import numpy as np
from ax.api.client import Client  # pyright: ignore[reportMissingImports]
from ax.api.configs import RangeParameterConfig  # pyright: ignore[reportMissingImports]

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point


class Ax(Peer):
    """Ax (Olson et al., 2025) as its client runs it: the centre, Sobol' points, then BoTorch's recommended model."""

    name = "ax"
    label = "Ax"
    given = "attached as trials, in place of as many of its 5 initial points, the centre among them"
    packages = ("ax-platform", "botorch", "gpytorch", "torch")

    _client: Any = None
    _trial: int | None = None

    def _next(self) -> Point:
        with global_generators(self.seed, self.asked), quiet("ax", "ax.api.client"):
            ((self._trial, parameters),) = self._opened().get_next_trials(max_trials=1).items()
        return np.array([parameters[f"x{axis}"] for axis in range(self.dim)], dtype=np.float64)

    def _observe(self, x: Point, score: float) -> None:
        with global_generators(self.seed, self.asked, 1), quiet("ax", "ax.api.client"):
            client = self._opened()
            if (trial := self._trial) is None:
                trial = client.attach_trial({f"x{axis}": float(value) for axis, value in enumerate(x)})
            self._trial = None
            if np.isnan(score):
                client.mark_trial_failed(trial)
            else:
                client.complete_trial(trial, raw_data={"score": score})

    def _opened(self) -> Client:
        if self._client is None:
            self._client = Client(random_seed=self._short_seed)
            self._client.configure_experiment(
                [
                    RangeParameterConfig(name=f"x{axis}", bounds=(0.0, 1.0), parameter_type="float")
                    for axis in range(self.dim)
                ]
            )
            self._client.configure_optimization(objective="score")
        return self._client
