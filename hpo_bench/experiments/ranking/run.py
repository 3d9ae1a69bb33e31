"""The whole comparison: which races there are, making those that are missing, and what came of them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan, Run
from hpo_bench.errors import ResultsError
from hpo_bench.experiments.ranking.objectives import NOISE, REAL, Objective, OnSurrogate, WithNoise
from hpo_bench.experiments.ranking.race import JUDGED, race
from hpo_bench.files import read_record, save_json, write
from hpo_bench.statistics.agreement import Agreement, agree
from hpo_bench.workers import Local, one_thread
from landscapes.landscape import Landscape
from surrogates import registry

Array = NDArray[np.float64]

FORMAT = 2
STUDY_KERNEL = registry.NAMES[0]

Told = Callable[[str, int, int], None]
"""Told what was raced last, how many evaluations are made and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One optimiser on one landscape in one guise, with all seeds.

    Attributes:
        kind: A surrogate's name, noise or real.
        landscape: The landscape under that guise's surrogate.
        contender: The optimiser.
        runs: Its seeds and budget.
        pairs: Where built pairs lie; only for real.
        folder: The results folder.
    """

    kind: str
    landscape: Landscape
    contender: Contender
    runs: tuple[Run, ...]
    pairs: Path
    folder: Path

    @property
    def evaluations(self) -> int:
        """How many are made."""
        seeds = len(self.runs) if self.contender.kind.seeded or self.kind == NOISE else 1
        return seeds * self.runs[0].budget

    @property
    def path(self) -> Path:
        """Where its outcome is stored, by everything that it follows from."""
        what = [FORMAT, self.kind, self.objective_fingerprint, [run.key for run in self.runs]]
        digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
        return self.folder / "races" / f"{digest}.json"

    @property
    def objective_fingerprint(self) -> str:
        """Of outcomes where there is noise, of checkpoints where merges are real; scores are in the runs' keys."""
        return (
            f"{self.landscape.outcomes_hash}"
            if self.kind == NOISE
            else json.dumps(
                [dict(self.landscape.card.checkpoints), dict(self.landscape.card.merge_options)], default=dict
            )
        )

    def objective(self) -> Objective:
        """What to run on."""
        if self.kind == NOISE:
            return WithNoise(self.landscape)
        if self.kind == REAL:
            from hpo_bench.experiments.ranking.real import ForReal  # Loads torch and transformers.
            from hpo_bench.merging.find import find_pair

            name = f"{self.landscape.name.replace('/', '_')}-{self.contender.identity.replace(':', '_')}.jsonl"
            pair = find_pair(self.landscape.card.pair, self.pairs)
            return ForReal(self.landscape, pair, self.folder / "evaluations" / name)
        return OnSurrogate(self.landscape)


def under(landscape: Landscape, surrogate: str) -> Landscape:
    """The same recording under another surrogate."""
    if landscape.surrogate.settings["kernel"] == surrogate:
        return landscape
    return Landscape(landscape.card, landscape.grid, surrogate=registry.make(surrogate), folder=landscape.folder)


@dataclass(frozen=True, slots=True)
class _Stored:
    kind: str
    landscape: str
    optimizer: str
    worth: tuple[tuple[float, ...], ...]


class Comparison:
    """Optimisers ranked under every guise.

    Args:
        contenders: The optimisers.
        landscapes: The landscapes, under the surrogate to which noise is added.
        kinds: Guises, the first of which is the reference if nothing is real.
        folder: Where races and real evaluations are stored.
        seeds: Runs of each optimiser.
        budget: Evaluations of each run; None for the study's, by dimension.
        pairs: Where built pairs lie.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        landscapes: Sequence[Landscape],
        kinds: Sequence[str],
        folder: Path,
        *,
        seeds: int,
        budget: int | None,
        pairs: Path,
    ) -> None:
        self.contenders, self.landscapes, self.kinds = tuple(contenders), tuple(landscapes), tuple(kinds)
        self.seeds, self.budget, self.folder, self.pairs = seeds, budget, folder, pairs

    @cached_property
    def tasks(self) -> list[Task]:
        """All races, cheap ones first, so that something can be looked at soon."""
        found = []
        for kind in sorted(self.kinds, key=lambda kind: kind == REAL):
            for landscape in self.landscapes:
                shown = self._shown(landscape, kind)
                runs = list(Plan(self.contenders, (shown,), self.seeds, self.budget).runs())
                for contender in self.contenders:
                    mine = tuple(run for run in runs if run.optimizer == contender.identity)
                    found.append(Task(kind, shown, contender, mine, self.pairs, self.folder))
        return found

    def run(self, *, jobs: int, told: Told = lambda *_: None) -> int:
        """Make the races that are not stored yet; safe to interrupt.

        Args:
            jobs: Worker processes; 1 works in this one, and tells of every evaluation.
            told: See `Told`.

        Returns:
            How many races were made.

        Raises:
            HpoBenchError: If a pair is not built or not the one that was recorded, or workers are killed again and
                again.
            InvalidGridError: If outcomes that noise needs were not recorded.
        """
        for landscape in self.landscapes:
            _ = landscape.weaknesses  # reads what was held out, which the page needs: before the work if it is damaged
        todo = [task for task in self.tasks if not task.path.exists()]
        total, made = sum(task.evaluations for task in todo), 0
        if jobs == 1:
            for task in todo:
                before = made

                def count(evaluations: int, task: Task = task) -> None:
                    nonlocal made
                    made += evaluations
                    told(_describe(task), made, total)

                _make(task, count)
                made = before + task.evaluations
            return len(todo)
        for place in Local(jobs).stream(_make_alone, list(enumerate(todo))):
            made += todo[place].evaluations
            told(_describe(todo[place]), made, total)
        return len(todo)

    def worth(self, kind: str, landscape: str, optimizer: str) -> Array:
        """What the best setting so far is truly worth, of shape (seeds, budget), of a stored race.

        Raises:
            ResultsError: If what is stored is damaged.
        """
        task = self._by_key[kind, landscape, optimizer]
        runs, budget = len(task.runs), task.runs[0].budget
        cure = "delete it, and the same command makes the race again"
        rows = read_record(task.path, _Stored, wrong=ResultsError, cure=cure).worth
        if len(rows) != runs or any(len(row) != budget for row in rows) or not np.isfinite(rows).all():
            raise ResultsError(f"{task.path} is damaged: worth is not {runs} rows of {budget} numbers; {cure}")
        return np.array(rows)

    def regrets(self, kind: str) -> dict[str, list[Array]]:
        """For each optimiser its regret on each landscape, of shape (seeds, budget) each.

        In [0, 1] of the range of the surrogate; for real merges of the range between the worst that was recorded and
        the best that was recorded or reached by any optimiser, because nobody knows the real maximum. A first draw that
        is worse than all that was recorded counts as more than 1.
        """
        found: dict[str, list[Array]] = {c.identity: [] for c in self.contenders}
        for landscape in self.landscapes:
            values = {name: self.worth(kind, landscape.name, name) for name in found}
            if kind == REAL:
                recorded = landscape.grid.scores
                top = max(float(recorded.max()), *(float(v.max()) for v in values.values()))
                regret = {n: (top - v) / (top - float(recorded.min())) for n, v in values.items()}
            else:
                shown = self._shown(landscape, kind)
                regret = {name: shown.regret(v) for name, v in values.items()}
            for name in found:
                found[name].append(regret[name])
        return found

    def only(self, landscapes: Sequence[Landscape]) -> "Comparison":
        """The same of some of the landscapes, from the same stored races."""
        return Comparison(
            self.contenders, landscapes, self.kinds, self.folder, seeds=self.seeds, budget=self.budget, pairs=self.pairs
        )

    @property
    def reference(self) -> str:
        """What the others are compared with: real merges if there are any."""
        return REAL if REAL in self.kinds else self.kinds[0]

    def agreements(self) -> dict[str, dict[str, Agreement]]:
        """For each guise and checkpoint how far its ranking agrees with the reference's."""
        regrets = {kind: self.regrets(kind) for kind in self.kinds}
        pairs = [landscape.card.pair for landscape in self.landscapes]
        return {
            kind: {
                point: agree(at(regrets[kind], point), at(regrets[self.reference], point), pairs=pairs)
                for point in self.points
            }
            for kind in self.kinds
        }

    @property
    def points(self) -> list[str]:
        """Checkpoints: those below the smallest budget, and the end."""
        least = min(task.runs[0].budget for task in self.tasks)
        return [*(str(t) for t in JUDGED if t < least), "end"]

    def _shown(self, landscape: Landscape, kind: str) -> Landscape:
        return landscape if kind in (NOISE, REAL) else self._under[kind, landscape.name]

    @cached_property
    def _under(self) -> dict[tuple[str, str], Landscape]:
        kinds = [kind for kind in self.kinds if kind not in (NOISE, REAL)]
        return {(kind, one.name): under(one, kind) for kind in kinds for one in self.landscapes}

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, str], Task]:
        return {(task.kind, task.landscape.name, task.contender.identity): task for task in self.tasks}


def at(regrets: dict[str, list[Array]], point: str) -> dict[str, Array]:
    """Regrets at a checkpoint, of shape (landscapes, seeds) for each optimiser."""
    t = -1 if point == "end" else int(point) - 1
    return {name: np.stack([one[:, t] for one in of]) for name, of in regrets.items()}


def _make(task: Task, progress: Callable[[int], None] = lambda _: None) -> None:
    with one_thread():
        worth = race(task.contender, task.runs, task.objective(), progress=progress)
    content = {"kind": task.kind, "landscape": task.landscape.name, "optimizer": task.contender.identity}
    write(task.path, lambda path: save_json(path, {**content, "worth": worth.tolist()}))


def _make_alone(numbered: tuple[int, Task]) -> int:
    _make(numbered[1])
    return numbered[0]


def _describe(task: Task) -> str:
    return f"{task.contender.label} on {task.landscape.name}, {task.kind}"
