"""What can be named: what is built in, what installed packages offer, and any class or function by its address.

Optimisers, merge methods and evaluators are found by it, so that a user's own need no change here.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from optimizers.errors import in_words

T = TypeVar("T")


# Without slots, since Python 3.11 cannot make a frozen and slotted class of a parametrised generic.
@dataclass(frozen=True)
class Registry(Generic[T]):
    """Finds one sort of thing by name or address.

    Attributes:
        what: What is sought, in the singular, such as "merge method".
        group: Entry point group under which installed packages offer some, each under its own name.
        built_in: Addresses "module:Attribute" by name, in the order of tables; imported when they are asked for.
        wrong: What is raised where there is none of a name, or it cannot be imported.
        check: Returns what stands at an address, which it is given for its message, or refuses what is none.
    """

    what: str
    group: str
    built_in: Mapping[str, str]
    wrong: type[Exception]
    check: Callable[[object, str], T]
    _known: dict[EntryPoint, T] = field(default_factory=dict, repr=False)

    def get(self, name: str, *, others: Iterable[str] = ()) -> T:
        """What has that name, or stands at that address.

        Args:
            name: The name or address.
            others: What else may be named, found elsewhere; for the message alone.

        Raises:
            Exception: `wrong`, if there is none, and the message suggests the nearest, or if it cannot be imported;
                what `check` raises, if it is none.
        """
        if isinstance(name, str) and (name in self.built_in or ":" in name):
            return self._at(self.built_in.get(name, name), shown=name)
        for entry in self._entries():
            if entry.name == name:
                return self._offered(entry)
        names = [*self.names(), *others]
        near = get_close_matches(str(name).lower().replace("_", "-"), names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise self.wrong(
            f"no {self.what} is called {name!r}; {hint}there are: {', '.join(names)}, or give 'module:Class'"
        )

    def names(self) -> list[str]:
        """All names, built-in ones first; nothing is imported."""
        return [*self.built_in, *(entry.name for entry in self._entries() if entry.name not in self.built_in)]

    def available(self) -> dict[str, T]:
        """All that can be named, built-in ones first.

        What an installed package offers and cannot be used, or offers under a name that is taken, is left out with a
        warning that names the package: it must not cost anybody the others.
        """
        found = {name: self.get(name) for name in self.built_in}
        for entry in self._entries():
            try:
                offered = self._offered(entry)
                if found.setdefault(entry.name, offered) is not offered:
                    raise self.wrong(f"{_origin(entry)} has a name that is taken")
            except Exception as error:
                warnings.warn(f"{error}; it is left out", stacklevel=2)
        return found

    def package_of(self, found: object) -> str | None:
        """Name and version of the installed package that offers something; None if none does."""
        for entry in self._entries():
            with suppress(Exception):
                if self._offered(entry) is found:
                    return _package(entry)
        return None

    def _at(self, address: str, *, shown: str) -> T:
        module, _, attribute = address.partition(":")
        if shown not in self.built_in and (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)  # as with `python -m`: the user's module usually lies where they stand
        try:
            found: Any = getattr(import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise self.wrong(
                f"there is no {self.what} at {shown!r}: {error}; give module:Name, of a module that is in this folder "
                "or installed"
            ) from error
        except (Exception, SystemExit) as error:  # whatever the user's module may raise
            raise self.wrong(
                f"the {self.what} at {shown!r} cannot be imported: {in_words(error)}; mend its module"
            ) from error
        return self.check(found, shown)

    def _offered(self, entry: EntryPoint) -> T:
        if entry in self._known:
            return self._known[entry]
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module may raise
            raise self.wrong(
                f"{_origin(entry)} cannot be imported: {in_words(error)}; mend that package or uninstall it"
            ) from error
        found = self.check(loaded, _origin(entry))
        if (name := getattr(found, "name", entry.name)) != entry.name:
            raise self.wrong(f"{_origin(entry)} calls itself {name!r}; it must be offered under its own name")
        return self._known.setdefault(entry, found)

    def _entries(self) -> list[EntryPoint]:
        return sorted(entry_points(group=self.group), key=lambda entry: entry.name)


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value}, offered as {entry.name!r} by the installed package {_package(entry)},"


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"
