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


class AddressError(Exception):
    """Nothing stands at an address; the message says why, and what may have been meant."""


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

    def get(self, name: str, *, others: Iterable[str] = (), beside: Path | None = None) -> T:
        """What has that name, or stands at that address.

        Args:
            name: The name or address.
            others: What else may be named, found elsewhere; for the message alone.
            beside: A folder in which the module of an address is sought first, as that of the file which names it;
                then comes the folder where the user stands.

        Raises:
            Exception: `wrong`, if there is none, and the message suggests the nearest, or if it cannot be imported;
                what `check` raises, if it is none.
        """
        if isinstance(name, str) and (name in self.built_in or ":" in name):
            return self._at(self.built_in.get(name, name), shown=name, beside=beside)
        for entry in self._entries():
            if entry.name == name:
                return self._offered(entry)
        names = [*self.names(), *others]
        raise self.wrong(
            f"no {self.what} is called {name!r}; {_did_you_mean(str(name), names)}there are: {', '.join(names)}, or "
            "give 'module:Class'"
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

    def _at(self, address: str, *, shown: str, beside: Path | None) -> T:
        folders = () if shown in self.built_in else (*((beside,) if beside else ()), Path.cwd())
        try:
            found = imported(address, *folders)
        except AddressError as error:
            raise self.wrong(f"there is no {self.what} at {shown!r}: {error}") from error
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


def imported(address: str, *folders: Path) -> Any:
    """What stands at an address.

    Args:
        address: `module:Name`, of a module that can be imported or lies in one of the folders.
        folders: Where to look first, in this order; as with `python -m`, they stay on Python's path.

    Raises:
        AddressError: If there is no such module, or nothing of that name in it; the message suggests the nearest.
        Exception: Whatever the module raises when it is imported.
    """
    for folder in reversed(folders):
        if (place := str(folder.resolve())) not in sys.path:
            sys.path.insert(0, place)
    name, colon, attribute = address.partition(":")
    give = "give module:Name, of a module that is in this folder or installed"
    if not (name and colon and attribute) or name.startswith("."):
        raise AddressError(f"an address is a module, a colon and a name; {give}")
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and something that it imports is not
        ours = [path.stem for folder in folders for path in sorted(folder.glob("*.py"))] if error.name == name else []
        raise AddressError(f"{error}; {_did_you_mean(name, ours)}{give}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        named = [one for one, found in vars(module).items() if callable(found) and not one.startswith("_")]
        raise AddressError(
            f"module {name!r} has no attribute {attribute!r}; {_did_you_mean(attribute, named)}{give}"
        ) from None


def named(found: object) -> str:
    """What to call a class or function that was given itself, as its address."""
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{module}:{name}" if module and name else repr(found)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    plain = {one.lower().replace("_", "-"): one for one in known}
    near = get_close_matches(name.lower().replace("_", "-"), plain, n=1, cutoff=0.65)
    return f"did you mean {plain[near[0]]!r}? " if near else ""


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value}, offered as {entry.name!r} by the installed package {_package(entry)},"


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"
