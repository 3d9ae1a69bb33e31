"""What a benchmark consists of: which optimiser, landscape, seed and budget, and under which key each run is stored."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.experience import experience
from hpo_bench.errors import UsageError
from landscapes.problem import Problem
from landscapes.terms import budget_for
from optimizers.base import Optimizer
from optimizers.sobol import sobol_points

SEEDS = 10
"""Of each optimiser on each landscape, unasked; on the mini-suite alone `landscapes.suites.mini.SEEDS`."""
STORE_FORMAT = 1
"""Raised when stored runs can no longer be read as they were meant."""
GROUP = 64
"""Runs that advance together, at most: enough for optimisers that share one batched fit.

Also what a kill can cost, for every worker at work: a group is stored when all of its runs are finished."""
BATCH = 16
"""Smaller groups, made so that two workers share the runs, are multiples of this, which suits batched fits."""
COSTS: Mapping[str, float] = {
    "gp-bo": 30.0,
    "botorch": 3000.0,
    "ax": 8000.0,
    "smac": 5000.0,
    "pybads": 100.0,
    "nevergrad-ngopt": 20.0,
    "optuna-gp": 1500.0,
    "optuna-tpe": 30.0,
    "optuna-cma-es": 30.0,
    "hebo": 30_000.0,
}
"""Roughly how much longer than the others an optimiser takes; orders the work and steadies the time left.

Groups of the slow ones are smaller, so that none takes longer than a group of GP-BO's."""
STARTS = ("own", "center", "design", "experience")
"""Where runs begin: where each optimiser itself would; at the centre of the box; with a common initial design; or where
landscapes of the same method and other pairs were best (`benchmark.experience`).

The design is `DESIGN` points of a scrambled Sobol' sequence, drawn anew for each landscape and seed and the same for
all optimisers. GP-BO and BoTorch's loop begin with these very points by themselves."""
DESIGN = 4
"""Points of the common initial design: as many as a scrambled Sobol' sequence balances, and as GP-BO begins with."""


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
        generator_seed: The seed that the optimiser is given (`Problem.seed`).
        start: Where it begins, one of `STARTS`.
        noisy: Whether every evaluation has noise.
        judged: See `Plan`.
        points: Where it begins from experience, in the unit cube.
    """

    optimizer: str
    landscape: str
    dim: int
    seed: int
    budget: int
    key: str
    generator_seed: int
    start: str = "own"
    noisy: bool = False
    judged: tuple[int, ...] | None = None
    points: tuple[tuple[float, ...], ...] = ()

    def make(self, kind: type[Optimizer]) -> Optimizer:
        """The optimiser of this run, nothing asked yet."""
        return kind(self.dim, seed=self.generator_seed, budget=self.budget, start=self._start())

    def _start(self) -> NDArray[np.float64] | None:
        if self.start == "center":
            return np.full(self.dim, 0.5)
        if self.start == "design":
            return sobol_points(self.dim, DESIGN, np.random.default_rng([self.generator_seed]))[: self.budget]
        return np.array(self.points)[: self.budget] if self.points else None

    def evaluator(self, problem: Problem) -> Callable[[NDArray[np.float64]], tuple[float, float | None]]:
        """What evaluates settings of shape (d,), one after another: a score, and its standard error if it is noisy."""
        if self.noisy:
            return problem.noisily(self.generator_seed)
        # One point a call: in a batch the last bit depends on the others, and then so would the trace.
        return lambda x: (float(problem.score(x[None])[0]), None)

    def is_judged(self, t: int) -> bool:
        """Whether a recommendation is asked for after t evaluations."""
        return self.noisy and (self.judged is None or t in (1, *self.judged, self.budget))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Runs of one optimiser and dimension that advance in lockstep, in one worker.

    Attributes:
        optimizer: Identity of the contender, by which a worker finds it.
        dim: Number of hyperparameters.
        runs: The runs.
        given: The class, where the user gave it and no identity.
    """

    optimizer: str
    dim: int
    runs: tuple[Run, ...]
    given: type[Optimizer] | None = None

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
        landscapes: The landscapes (or functions), sorted by name.
        seeds: Repetitions, with seeds 0, 1, ...
        budget: Evaluations of each run; None for the study's, by dimension.
        start: Where runs begin, one of `STARTS`.
        noisy: Whether optimisers see scores with the noise of one evaluation. Regret is then that of the setting that
            an optimiser would recommend, without noise.
        judged: After how many evaluations, besides the first and the last, optimisers that see noise are asked for a
            recommendation, which holds until the next; None for after each one. A model is fitted for every answer.
        root: Where the landscapes lie from which runs may begin; None for those that ship.
    """

    contenders: tuple[Contender, ...]
    landscapes: tuple[Problem, ...]
    seeds: int
    budget: int | None
    start: str = "own"
    noisy: bool = False
    judged: tuple[int, ...] | None = None
    root: Path | None = None
    _learnt: dict[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict, repr=False, compare=False)

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
            which = " and ".join(one.identity for one in self.contenders if one.label == twice[0])
            raise UsageError(f"{which} are both labelled {twice[0]!r}; give one another `label`")
        if self.start not in STARTS:
            raise UsageError(f"runs start at {', '.join(STARTS)}, not at {self.start!r}")
        if self.noisy and (unknown := [ls.name for ls in self.landscapes if not np.isfinite(ls.noise)]):
            raise UsageError(f"the noise of one evaluation is not known on {unknown[0]}; leave it out, or the noise")

    def budget_of(self, landscape: Problem) -> int:
        """Evaluations of each run on a landscape."""
        return budget_for(landscape.space.dim) if self.budget is None else self.budget

    def runs(self) -> Iterator[Run]:
        """All runs, contender by contender."""
        for contender in self.contenders:
            source = contender.source
            for landscape in self.landscapes:
                budget, dim = self.budget_of(landscape), landscape.space.dim
                settings = dict(contender.kind(dim, seed=0, budget=budget).settings)
                points = self._points(landscape)
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
                    # Only where they are used, so that runs from before these options are known.
                    if self.start != "own":
                        key["start"] = [self.start, points] if points else self.start
                    if self.noisy:
                        key["noise"] = float(landscape.noise)
                        key |= {} if self.judged is None else {"judged": self.judged}
                    yield Run(
                        contender.identity, landscape.name, dim, seed, budget, _digest(key), landscape.seed(seed),
                        self.start, self.noisy, self.judged, points,
                    )  # fmt: skip

    def _points(self, landscape: Problem) -> tuple[tuple[float, ...], ...]:
        """Where runs on a landscape begin from experience; none if they begin elsewhere."""
        if self.start != "experience":
            return ()
        if landscape.name not in self._learnt:
            about = landscape.card
            found = experience(about.method, landscape.space, pair=about.pair, root=self.root)
            unit = landscape.space.to_unit(found.settings)
            self._learnt[landscape.name] = tuple(tuple(map(float, point)) for point in unit)
        return self._learnt[landscape.name]

    def chunks(self, done: Iterable[str] = ()) -> list[Chunk]:
        """The runs that are still to be done, grouped, costliest first.

        Groups follow from the plan alone, not from the number of workers or from what is done, and are stored whole. So
        a benchmark that was interrupted goes on with the very groups of one that was not: even an optimiser whose
        batched arithmetic rounds differently in another company gives the same numbers.

        Args:
            done: Keys of stored runs.
        """
        known = set(done)
        given = {contender.identity: contender.kind for contender in self.contenders if contender.given}
        together: dict[tuple[str, int, int], list[Run]] = {}
        for run in self.runs():
            together.setdefault((run.optimizer, run.dim, run.budget), []).append(run)
        chunks = []
        for (optimizer, dim, _), runs in together.items():
            size = min(GROUP, BATCH * math.ceil(len(runs) / 2 / BATCH))
            size = max(1, min(size, round(GROUP * COSTS["gp-bo"] / COSTS.get(optimizer, 1.0))))
            for first in range(0, len(runs), size):
                left = tuple(run for run in runs[first : first + size] if run.key not in known)
                chunks.append(Chunk(optimizer, dim, left, given.get(optimizer)))
        return sorted((chunk for chunk in chunks if chunk.runs), key=lambda chunk: -chunk.cost)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise UsageError(f"an optimiser's settings must be plain JSON values, not {value!r}")


def _digest(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()
