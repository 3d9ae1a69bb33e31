"""What a benchmark consists of: which optimiser, landscape, seed and budget, and under which key each run is stored."""

import hashlib
import inspect
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import optimizers
from hpo_bench.errors import UsageError
from landscapes.landscape import Landscape
from optimizers.base import Optimizer

STORE_FORMAT = 1
"""Raised when stored runs can no longer be read as they were meant."""
BUDGETS: Mapping[int, int] = {2: 40, 3: 60}
"""Evaluations by number of hyperparameters, as in the study."""
EVALUATIONS_PER_DIMENSION = 20
"""The same rule for dimensions that the study does not have."""
GROUP = 64
"""Runs that advance together, at most: enough for optimisers that share one batched fit, and what a kill can cost."""
BATCH = 16
"""Smaller groups, made so that two workers share the runs, are multiples of this, which suits batched fits."""
COSTS: Mapping[str, float] = {"gp-bo": 30.0}
"""Roughly how much longer than the others an optimiser takes; orders the work and steadies the time left, no more."""


@dataclass(frozen=True, slots=True)
class Contender:
    """An optimiser that takes part.

    Attributes:
        identity: What the user typed: a name, or `module:Class`; also what results are stored under.
        kind: The class.
    """

    identity: str
    kind: type[Optimizer]

    @property
    def label(self) -> str:
        """What tables and figures print."""
        return self.kind.label

    @property
    def source(self) -> str | None:
        """Content hash of the module of a user's class, which is edited more often than its `version` is raised."""
        if ":" not in self.identity:
            return None
        return hashlib.sha256(inspect.getsource(sys.modules[self.kind.__module__]).encode()).hexdigest()

    @classmethod
    def find(cls, identity: str) -> "Contender":
        """The optimiser of that name, or that class of an importable module.

        Raises:
            UnknownOptimizerError: If there is none; the message suggests the nearest name.
            InvalidSettingError: If what stands at the address is no optimiser.
        """
        if ":" in identity and (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)  # As with `python -m`: the user's module usually lies where they stand.
        return cls(identity, optimizers.get(identity))


@dataclass(frozen=True, slots=True)
class Run:
    """One optimiser on one landscape with one seed.

    Attributes:
        optimizer: Identity of the contender.
        landscape: Name of the landscape.
        dim: Number of hyperparameters.
        seed: Which repetition this is, from 0.
        budget: Evaluations.
        key: Content hash of everything that determines the trace.
    """

    optimizer: str
    landscape: str
    dim: int
    seed: int
    budget: int
    key: str

    @property
    def generator_seed(self) -> int:
        """The seed that the optimiser is given.

        It depends on the landscape, because the same random points everywhere would make luck on one landscape luck on
        all, and not on the optimiser, so that those which start at random start alike.
        """
        return _hash({"landscape": self.landscape, "seed": self.seed}, bits=31)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Runs of one optimiser and dimension that advance in lockstep, in one worker."""

    optimizer: str
    dim: int
    runs: tuple[Run, ...]

    @property
    def evaluations(self) -> int:
        """Evaluations in all runs together."""
        return sum(run.budget for run in self.runs)

    @property
    def cost(self) -> float:
        """Work, in evaluations of a cheap optimiser."""
        return self.evaluations * COSTS.get(self.optimizer, 1.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every contender on every landscape with every seed.

    Attributes:
        contenders: The optimisers.
        landscapes: The landscapes, sorted by name.
        seeds: Repetitions, with seeds 0, 1, ...
        budget: Evaluations of each run; None for the study's, by dimension.
    """

    contenders: tuple[Contender, ...]
    landscapes: tuple[Landscape, ...]
    seeds: int
    budget: int | None

    def __post_init__(self) -> None:
        for what, names in (
            ("optimizer", [contender.identity for contender in self.contenders]),
            ("landscape", [landscape.name for landscape in self.landscapes]),
        ):
            if not names:
                raise UsageError(f"a benchmark needs at least one {what}")
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise UsageError(f"{what} {twice[0]} is given twice")
        labels = Counter(contender.label for contender in self.contenders)
        if twice := [label for label, count in labels.items() if count > 1]:
            raise UsageError(f"two optimizers are labelled {twice[0]!r}; give one another `label`")

    def budget_of(self, landscape: Landscape) -> int:
        """Evaluations of each run on a landscape."""
        dim = landscape.space.dim
        return self.budget or BUDGETS.get(dim, EVALUATIONS_PER_DIMENSION * dim)

    def runs(self) -> Iterator[Run]:
        """All runs, contender by contender."""
        for contender in self.contenders:
            source = contender.source
            for landscape in self.landscapes:
                budget, dim = self.budget_of(landscape), landscape.space.dim
                settings = dict(contender.kind(dim, seed=0, budget=budget).settings)
                for seed in range(self.seeds):
                    key = {
                        "format": STORE_FORMAT,
                        "landscape": landscape.content_hash,
                        # Seeds are derived from the name, so a renamed landscape has other traces.
                        "landscape_name": landscape.name,
                        "optimizer": contender.identity,
                        "version": contender.kind.version,
                        "source": source,
                        "settings": settings,
                        "budget": budget,
                        "seed": seed,
                    }
                    yield Run(contender.identity, landscape.name, dim, seed, budget, _digest(key))

    def chunks(self, done: Iterable[str] = ()) -> list[Chunk]:
        """The runs that are still to be done, grouped, costliest first.

        Groups follow from the plan alone, not from the number of workers or from what is done, and are stored whole. So
        a benchmark that was interrupted goes on with the very groups of one that was not: even an optimiser whose
        batched arithmetic rounds differently in another company gives the same numbers.

        Args:
            done: Keys of stored runs.
        """
        known = set(done)
        together: dict[tuple[str, int, int], list[Run]] = {}
        for run in self.runs():
            together.setdefault((run.optimizer, run.dim, run.budget), []).append(run)
        chunks = []
        for (optimizer, dim, _), runs in together.items():
            size = min(GROUP, BATCH * math.ceil(len(runs) / 2 / BATCH))
            for first in range(0, len(runs), size):
                left = tuple(run for run in runs[first : first + size] if run.key not in known)
                chunks.append(Chunk(optimizer, dim, left))
        return sorted((chunk for chunk in chunks if chunk.runs), key=lambda chunk: -chunk.cost)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise UsageError(f"optimizer settings must be plain JSON values, not {value!r}")


def _digest(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _hash(value: object, *, bits: int) -> int:
    return int.from_bytes(hashlib.sha256(_canonical(value)).digest()[:8]) >> (64 - bits)
