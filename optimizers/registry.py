"""Finds optimisers by name: the built-in ones, those of installed packages, and any class by its address."""

import inspect
from collections.abc import Iterable

from optimizers.base import Optimizer
from optimizers.errors import InvalidSettingError, UnknownOptimizerError
from optimizers.plugins import Registry


def checked(candidate: object, address: str) -> type[Optimizer]:
    """The candidate, if it is an optimiser that can be named.

    Args:
        candidate: What stands at an address, or was given.
        address: What to call it in messages.

    Raises:
        InvalidSettingError: If it is no subclass of `Optimizer`, lacks `name` or `label`, or takes other arguments.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, Optimizer)):
        raise InvalidSettingError(f"{address} is no subclass of optimizers.Optimizer")
    missing = [what for what in ("name", "label") if not isinstance(getattr(candidate, what, None), str)]
    if missing:
        raise InvalidSettingError(f"{address} lacks {' and '.join(missing)}")
    try:
        inspect.signature(candidate).bind(1, seed=0, budget=1, start=None)
    except TypeError as error:
        raise InvalidSettingError(
            f"{address} cannot be made as every optimiser is ({error}): let its __init__ take (self, dim, *, seed, "
            "budget, start=None), and options of its own after these, with defaults"
        ) from error
    return candidate


REGISTRY = Registry[type[Optimizer]](
    what="optimiser",
    group="hpo_bench.optimizers",
    # Model-based, then evolutionary, then direct, then the designs that learn nothing: the order of tables and legends.
    # Addresses and not classes: whoever wants Random need not wait for PyTorch.
    built_in={
        "gp-bo": "optimizers.gp_bo:GpBo",
        "cma-es": "optimizers.cma_es:CmaEs",
        "pattern-search": "optimizers.pattern_search:PatternSearch",
        "powell": "optimizers.powell:Powell",
        "sobol": "optimizers.sobol:Sobol",
        "random": "optimizers.random_search:RandomSearch",
        "grid": "optimizers.grid:Grid",
        # What is in no table of one goal.
        "pareto-bo": "optimizers.pareto_bo:ParetoBo",
    },
    wrong=UnknownOptimizerError,
    check=checked,
)


def available(*, goals: int = 1) -> dict[str, type[Optimizer]]:
    """Every optimiser for so many goals: the built-in ones in display order, then those of installed packages.

    A package offers one through an entry point in the group `hpo_bench.optimizers`, under the class's own `name`. One
    that cannot be used is left out with a warning.

    Args:
        goals: 1 for those that look for a maximum, 2 for those that look for the Pareto front of two goals.
    """
    return {name: kind for name, kind in REGISTRY.available().items() if goals in kind.goals}


def get(name: str, *, others: Iterable[str] = ()) -> type[Optimizer]:
    """The optimiser of a name, or at an address "package.module:Class".

    Args:
        name: The name or address.
        others: What else the user might have meant, found elsewhere; for the message alone.

    Raises:
        UnknownOptimizerError: If there is none, and the message suggests the nearest name; or if it cannot be imported.
        InvalidSettingError: If what stands at the address, or what the package offers, is no optimiser.
    """
    return REGISTRY.get(name, others=others)
