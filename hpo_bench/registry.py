"""What can be named: what is built in, what installed packages offer, and any class or function by its address."""

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from hpo_bench.errors import UsageError
from optimizers.errors import in_words
from surrogates.nearest import did_you_mean

T = TypeVar("T")


# Without slots, since Python 3.11 cannot make a frozen and slotted class of a parametrised generic.
@dataclass(frozen=True)
class Registry(Generic[T]):
    """Finds one sort of thing by name or address.

    Attributes:
        what: What is sought, in the singular, such as "merge method".
        group: Entry point group under which installed packages offer some, each under its own name.
        built_in: Addresses "module:Attribute" by name, in the order of tables; imported when they are asked for.
        check: Refuses with a `UsageError` what stands at an address and is none.
    """

    what: str
    group: str
    built_in: Mapping[str, str]
    check: Callable[[object, str], T]
    _known: dict[str, T] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> T:
        """What has that name, or stands at that address.

        Raises:
            UsageError: If there is none, and the message suggests the nearest; if it cannot be imported, or is none.
        """
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def names(self) -> list[str]:
        """All names, built-in ones first; nothing is imported."""
        return [*self.built_in, *(entry.name for entry in self._entries() if entry.name not in self.built_in)]

    def available(self) -> dict[str, T]:
        """All that can be named; what an installed package offers and cannot be used is left out with a warning."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.get(name)
            except UsageError as error:
                warnings.warn(f"{error}; it is left out", stacklevel=2)
        return found

    def _find(self, name: str) -> T:
        if not isinstance(name, str):
            raise UsageError(f"no {self.what} is called {name!r}; there are: {', '.join(self.names())}")
        if name in self.built_in or ":" in name:
            return self._at(self.built_in.get(name, name), shown=name)
        for entry in self._entries():
            if entry.name == name:
                return self._offered(entry)
        hint = did_you_mean(name, self.names())
        raise UsageError(
            f"no {self.what} is called {name!r}; {hint}there are: {', '.join(self.names())}, or give 'module:Class'"
        )

    def _at(self, address: str, *, shown: str) -> T:
        module, _, attribute = address.partition(":")
        if shown not in self.built_in and (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)  # as with `python -m`: the user's module usually lies where they stand
        try:
            found: Any = getattr(import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"there is no {self.what} at {shown!r}: {error}; give module:Name, of a module that is in this folder "
                "or installed"
            ) from error
        except (Exception, SystemExit) as error:  # whatever the user's module may raise
            raise UsageError(
                f"the {self.what} at {shown!r} cannot be imported: {in_words(error)}; mend its module"
            ) from error
        return self.check(found, shown)

    def _offered(self, entry: EntryPoint) -> T:
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"
        origin = f"{entry.value}, offered as {entry.name!r} by the installed package {package},"
        try:
            found = entry.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module may raise
            raise UsageError(
                f"{origin} cannot be imported: {in_words(error)}; mend that package or uninstall it"
            ) from error
        return self.check(found, origin)

    def _entries(self) -> list[EntryPoint]:
        return sorted(entry_points(group=self.group), key=lambda entry: entry.name)
