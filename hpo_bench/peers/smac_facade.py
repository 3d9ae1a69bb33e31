"""SMAC for continuous boxes."""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace, Float  # pyright: ignore[reportMissingImports]
from smac import BlackBoxFacade, Scenario  # pyright: ignore[reportMissingImports]
from smac.runhistory import TrialInfo, TrialValue  # pyright: ignore[reportMissingImports]

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point


class Smac(Peer):
    """SMAC3's BlackBoxFacade (Lindauer et al., 2022): Sobol' points, then a Gaussian process, expected improvement.

    It is the one that SMAC's pages name for continuous boxes. A start takes the place of as many of its Sobol' points,
    of which one is left at least.

    SMAC insists on a folder for its records; they go to a temporary one.
    """

    name = "smac"
    label = "SMAC"
    given = "told, in place of as many Sobol' points of its own"
    version = 2
    packages = ("smac", "ConfigSpace", "scikit-learn")

    _info: Any = None

    def _next(self) -> Point:
        with global_generators(self.seed, self.asked), quiet("smac"):
            self._info = self._facade.ask()
        return np.array([self._info.config[f"x{axis}"] for axis in range(self.dim)], dtype=np.float64)

    def _observe(self, x: Point, score: float) -> None:
        with global_generators(self.seed, self.asked, 1), quiet("smac"):
            if (info := self._info) is None:
                values = {f"x{axis}": float(value) for axis, value in enumerate(x)}
                info = TrialInfo(Configuration(self._space, values=values), seed=0)
            self._info = None
            self._facade.tell(info, TrialValue(cost=self._cost(score)))

    @cached_property
    def _space(self) -> ConfigurationSpace:
        space = ConfigurationSpace(seed=self._short_seed)
        space.add(*(Float(f"x{axis}", (0.0, 1.0)) for axis in range(self.dim)))
        return space

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory:
        return tempfile.TemporaryDirectory(prefix="hpo-bench-smac-")

    @cached_property
    def _facade(self) -> BlackBoxFacade:
        scenario = Scenario(
            self._space,
            deterministic=True,
            n_trials=self.budget,
            seed=self._short_seed,
            output_directory=Path(self._folder.name),
        )
        own = BlackBoxFacade.get_initial_design(scenario).meta["n_configs"]
        design = BlackBoxFacade.get_initial_design(scenario, n_configs=max(1, own - len(self.start)))
        return BlackBoxFacade(scenario, _never_called, initial_design=design, logging_level=False, overwrite=True)


def _never_called(config: Configuration, seed: int = 0) -> float:
    """SMAC refuses to be asked and told without an objective of this shape."""
    raise RuntimeError(f"{config} is evaluated by whoever asked, seed {seed}")
