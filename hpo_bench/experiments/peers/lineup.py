"""Which peers meet GP-BO, on what and how often: what `hpo-bench peers` runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import REFERENCE
from landscapes import catalogue
from landscapes.functions import functions
from landscapes.problem import Problem
from landscapes.suites import boxes


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer's part in a stage. Fixed by what its suggestions cost, before anything was run.

    Attributes:
        peer: Its name.
        seeds: Runs on each problem.
        patterns: Which problems, with *.
    """

    peer: str
    seeds: int
    patterns: tuple[str, ...] = ("*",)

    def chosen(self, problems: Sequence[Problem]) -> tuple[Problem, ...]:
        """Those of some problems that it takes part on."""
        return tuple(one for one in problems if any(fnmatchcase(one.name, pattern) for pattern in self.patterns))


@dataclass(frozen=True, slots=True)
class Stage:
    """What the peers meet GP-BO on.

    Attributes:
        name: Of the stage, and of its folder.
        title: For people.
        suites: Suites of functions; none means the landscapes that ship, in the study's box.
        noisy: Whether evaluations have noise.
        entries: Who takes part.
        start: Where runs begin; with the common design, so that what differs is what an optimiser makes of what it
            knows, or each where it would by itself.
    """

    name: str
    title: str
    suites: tuple[str, ...]
    noisy: bool
    entries: tuple[Entry, ...]
    start: str = "design"

    def problems(self) -> tuple[Problem, ...]:
        """All problems of the stage."""
        return tuple(functions(self.suites, ()) if self.suites else catalogue.load_all(boxes.study()))

    def plan(self, entry: Entry, problems: Sequence[Problem]) -> Plan:
        """What a peer runs, and GP-BO beside it.

        Args:
            entry: The peer's part.
            problems: Those of the stage, or some of them.

        Raises:
            UsageError: If a package is missing.
        """
        contenders = Contender.find(REFERENCE), Contender.find(entry.peer)
        return Plan(contenders, entry.chosen(problems), entry.seeds, None, self.start, self.noisy)


QUICK = ("pybads", "nevergrad-ngopt", "optuna-tpe", "optuna-cma-es")
SLOW = ("botorch", "optuna-gp", "smac")
DEAR = ("ax", "hebo")
ONE_OF_EACH_PAIR = ("*/ta",)
"""A landscape of each pair, with the least budget: comparisons are over pairs, of which three would decide nothing."""
EVERY_OTHER = tuple(f"bbob-?d/f{number}-*" for number in range(1, 25, 2))
"""Every other function of BBOB: some of each of its five groups."""
STAGES = (
    Stage(
        "landscapes", "The landscapes that ship", (), False,
        (
            *(Entry(peer, 10) for peer in QUICK),
            *(Entry(peer, 1) for peer in SLOW),
            Entry("ax", 2),
            Entry("hebo", 1, ONE_OF_EACH_PAIR),
        ),
    ),
    Stage(
        "own", "The landscapes that ship, each optimiser from its own start", (), False,
        tuple(Entry(peer, 10) for peer in QUICK), start="own",
    ),
    Stage(
        "functions", "BBOB in 2-D and 3-D, without noise", ("bbob",), False,
        (*(Entry(peer, 5) for peer in QUICK), *(Entry(peer, 1, EVERY_OTHER) for peer in (*SLOW, *DEAR))),
    ),
    Stage(
        "noise", "BBOB in 2-D and 3-D, with noise", ("bbob",), True,
        (*(Entry(peer, 5) for peer in QUICK), *(Entry(peer, 1, EVERY_OTHER) for peer in (*SLOW, *DEAR))),
    ),
)  # fmt: skip
