"""Optuna's CMA-ES."""

import cmaes  # noqa: F401  # pyright: ignore[reportMissingImports]  (which Optuna would only miss at the second trial)
from optuna.samplers import BaseSampler, CmaEsSampler

from hpo_bench.peers.optuna_samplers import OptunaPeer


class OptunaCmaEs(OptunaPeer):
    """CMA-ES (Hansen, 2016) as Optuna runs it, through the package `cmaes`; one random trial first."""

    name = "optuna-cma-es"
    label = "Optuna CMA-ES"
    packages = ("optuna", "cmaes")

    def _sampler(self) -> BaseSampler:
        return CmaEsSampler(seed=self.seed)
