"""Finds optimisers by name: the built-in ones, those of installed packages, and any class by its address."""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from optimizers.base import Optimizer
from optimizers.errors import InvalidSettingError, OptimizerError, UnknownOptimizerError, in_words

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

    A package offers one through an entry point in the group `hpo_bench.optimizers`, under the class's own `name`. One
    that cannot be imported, is no optimiser or takes a name that is taken is left out, with a warning that names the
    package: it must not cost anybody the others.
    """
    found = {name: _at(address) for name, address in BUILT_IN.items()}
    for entry in _entries():
        try:
            optimizer = _offered(entry)
            if found.setdefault(optimizer.name, optimizer) is not optimizer:
                raise InvalidSettingError(f"{_origin(entry)} calls itself {optimizer.name!r}, but that name is taken")
        except OptimizerError as error:
            warnings.warn(f"{error}; it is left out", stacklevel=2)
    return found


def get(name: str, *, others: Iterable[str] = ()) -> type[Optimizer]:
    """The optimiser of a name, or at an address "package.module:Class".

    Args:
        name: The name or address.
        others: What else the user might have meant, found elsewhere; for the message alone.

    Raises:
        UnknownOptimizerError: If there is none, and the message suggests the nearest name; or if an installed package
            offers it, and it cannot be imported.
        InvalidSettingError: If what stands at the address, or what the package offers, is no optimiser.
    """
    address = BUILT_IN.get(name, name)
    if ":" in address:
        return _at(address)
    # Before all are loaded, so that others' faults are not spoken of, and its own are an error.
    for entry in _entries():
        if entry.name == name and (offered := _offered(entry)).name == name:
            return offered
    known = available()
    if name not in known:
        names = [*known, *others]
        near = get_close_matches(name.lower().replace("_", "-"), names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownOptimizerError(
            f"no optimiser is called {name!r}: {hint}there are {', '.join(names)}, or give 'module:Class'"
        )
    return known[name]


def package_of(kind: type[Optimizer]) -> str | None:
    """Name and version of the installed package that offers a class; None if none does."""
    for entry in _entries():
        with suppress(OptimizerError):
            if _offered(entry) is kind:
                return _package(entry)
    return None


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)


def _offered(entry: EntryPoint) -> type[Optimizer]:
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # whatever a stranger's module may raise
        raise UnknownOptimizerError(
            f"{_origin(entry)} cannot be imported: {in_words(error)}; mend that package or uninstall it"
        ) from error
    return checked(found, _origin(entry))


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value}, offered as {entry.name!r} by the installed package {_package(entry)},"


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"


def _at(address: str) -> type[Optimizer]:
    module, _, attribute = address.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownOptimizerError(
            f"there is no optimiser at {address!r}: {error}; give module:Class of a module in this folder or installed"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the user's module may raise
        raise UnknownOptimizerError(
            f"the optimiser at {address!r} cannot be imported: {in_words(error)}; mend its module"
        ) from error
    return checked(found, address)


def checked(candidate: object, address: str) -> type[Optimizer]:
    """The candidate, if it is an optimiser that can be named.

    Args:
        candidate: What stands at an address, or was given.
        address: What to call it in messages.

    Raises:
        InvalidSettingError: If it is no subclass of `Optimizer`, or lacks `name` or `label`.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, Optimizer)):
        raise InvalidSettingError(f"{address} is no subclass of optimizers.Optimizer")
    missing = [what for what in ("name", "label") if not isinstance(getattr(candidate, what, None), str)]
    if missing:
        raise InvalidSettingError(f"{address} lacks {' and '.join(missing)}")
    return candidate
