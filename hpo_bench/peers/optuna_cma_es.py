"""Optuna's CMA-ES."""

import cmaes  # noqa: F401  # pyright: ignore[reportMissingImports]  (which Optuna would only miss at the second trial)
from optuna.samplers import BaseSampler, CmaEsSampler

from hpo_bench.peers.optuna_samplers import OptunaPeer


class OptunaCmaEs(OptunaPeer):
    """CMA-ES (Hansen, 2016) as Optuna runs it, through the package `cmaes`; one random trial first.

    Its first generation is drawn around the centre of the box, or around the best of the `start`, the rest of which it
    learns nothing from.
    """

    name = "optuna-cma-es"
    label = "Optuna CMA-ES"
    given = (
        "draws its first generation around the best of it, and not around the centre; learns nothing from the others"
    )
    packages = ("optuna", "cmaes")

    def _sampler(self) -> BaseSampler:
        best = self._best_start()
        if best is None:
            return CmaEsSampler(seed=self._short_seed)
        return CmaEsSampler(seed=self._short_seed, x0={f"x{axis}": float(value) for axis, value in enumerate(best)})
