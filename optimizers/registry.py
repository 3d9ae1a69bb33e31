"""Finds optimisers by name: the built-in ones, those of installed packages, and any class by its address."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from optimizers.base import Optimizer
from optimizers.errors import InvalidSettingError, UnknownOptimizerError

ENTRY_POINT_GROUP = "hpo_bench.optimizers"

# Model-based, then evolutionary, then direct, then the designs that learn nothing: the order of tables and legends.
# Addresses and not classes: whoever wants Random need not wait for PyTorch.
BUILT_IN = {
    "gp-bo": "optimizers.gp_bo:GpBo",
    "cma-es": "optimizers.cma_es:CmaEs",
    "pattern-search": "optimizers.pattern_search:PatternSearch",
    "powell": "optimizers.powell:Powell",
    "sobol": "optimizers.sobol:Sobol",
    "random": "optimizers.random_search:RandomSearch",
    "grid": "optimizers.grid:Grid",
}


def available() -> dict[str, type[Optimizer]]:
    """Every optimiser that can be named: the built-in ones in display order, then those of installed packages.

    A package offers one through an entry point in the group `hpo_bench.optimizers`, under the class's own `name`.

    Raises:
        InvalidSettingError: If a package's entry point is no optimiser, or takes a name that is taken.
    """
    found = {name: _at(address) for name, address in BUILT_IN.items()}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        optimizer = _checked(entry.load(), entry.value)
        if found.setdefault(optimizer.name, optimizer) is not optimizer:
            raise InvalidSettingError(f"{entry.value} calls itself {optimizer.name!r}, but that name is taken")
    return found


def get(name: str, *, others: Iterable[str] = ()) -> type[Optimizer]:
    """The optimiser of a name, or at an address "package.module:Class".

    Args:
        name: The name or address.
        others: What else the user might have meant, found elsewhere; for the message alone.

    Raises:
        UnknownOptimizerError: If there is none; the message suggests the nearest name.
        InvalidSettingError: If what stands at the address is no optimiser.
    """
    address = BUILT_IN.get(name, name)
    if ":" in address:
        return _at(address)
    known = available()
    if name not in known:
        names = [*known, *others]
        near = get_close_matches(name.lower().replace("_", "-"), names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownOptimizerError(
            f"no optimiser is called {name!r}: {hint}there are {', '.join(names)}, or give 'module:Class'"
        )
    return known[name]


def _at(address: str) -> type[Optimizer]:
    module, _, attribute = address.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownOptimizerError(f"there is no optimiser at {address!r}: {error}") from error
    return _checked(found, address)


def _checked(candidate: object, address: str) -> type[Optimizer]:
    if not (isinstance(candidate, type) and issubclass(candidate, Optimizer)):
        raise InvalidSettingError(f"{address} is no subclass of optimizers.Optimizer")
    missing = [what for what in ("name", "label") if not isinstance(getattr(candidate, what, None), str)]
    if missing:
        raise InvalidSettingError(f"{address} lacks {' and '.join(missing)}")
    return candidate
