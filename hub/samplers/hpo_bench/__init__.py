"""Our optimisers as a sampler: a package of OptunaHub's registry."""

from hpo_bench.optuna import Sampler

__all__ = ["Sampler"]
