"""An optimiser that takes part in a benchmark: found by its name or address, or given as a class."""

import hashlib
import inspect
import linecache
import sys
from dataclasses import dataclass
from uuid import uuid4

import optimizers
from hpo_bench.peers import registry as peers
from optimizers.base import Optimizer
from optimizers.registry import REGISTRY, checked

_SESSION = uuid4().hex


@dataclass(frozen=True, slots=True)
class Contender:
    """An optimiser that takes part.

    Attributes:
        identity: What the user typed: a name, or `module:Class`; also what results are stored under.
        kind: The class.
        given: Whether the user gave the class itself, which may be a notebook's: then nobody looks for it by address.
    """

    identity: str
    kind: type[Optimizer]
    given: bool = False

    @property
    def label(self) -> str:
        """What tables and figures print."""
        return self.kind.label

    @property
    def source(self) -> str | None:
        """What tells other code of a user's class, which is edited more often than its `version` is raised.

        A content hash of the module that it stands in, and of no other module that this imports; for the class of an
        installed package with that package's name and version before it. None for classes of ours, whose `version`
        is kept, and for peers, among whose settings are the versions of their packages.
        """
        package = None if ":" in self.identity else REGISTRY.package_of(self.kind)
        if package is None and ":" not in self.identity:
            return None
        content = hashlib.sha256(_source_around(self.kind).encode()).hexdigest()
        return content if package is None else f"{package} {content}"

    @classmethod
    def find(cls, optimizer: str | type[Optimizer]) -> "Contender":
        """The optimiser of that name, or that class of an importable module; or that very class.

        Raises:
            UnknownOptimizerError: If there is none; the message suggests the nearest name.
            InvalidSettingError: If what is given, or what stands at the address, is no optimiser.
            UsageError: If it is a peer that is not installed.
        """
        if not isinstance(optimizer, str):
            return cls._of(optimizer)
        identity = optimizer
        if identity in peers.PEERS:
            return cls(identity, peers.find(identity))
        return cls(identity, optimizers.get(identity, others=peers.PEERS))

    @classmethod
    def _of(cls, kind: type[Optimizer]) -> "Contender":
        address = f"{checked(kind, repr(kind)).__module__}:{kind.__qualname__}"
        named = {**REGISTRY.built_in, **peers.PEERS}.get(kind.name) == address or REGISTRY.package_of(kind) is not None
        return cls(kind.name if named else address, kind, given=True)


def _source_around(kind: type) -> str:
    """The text of the module that a class stands in; of a notebook's that of the cell."""
    module = sys.modules[kind.__module__]
    if hasattr(module, "__file__"):
        try:
            return inspect.getsource(module)
        except (OSError, TypeError):  # A compiled module has none.
            return ""
    cells = sorted({method.__code__.co_filename for method in vars(kind).values() if inspect.isfunction(method)})
    # Typed at a prompt that keeps nothing, it is taken for no other class, nor for itself in another session.
    return "".join(line for cell in cells for line in linecache.getlines(cell)) or f"{_SESSION} {id(kind)}"
