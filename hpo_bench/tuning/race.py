"""One optimiser a merge method, racing for one budget."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.methods import registry
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal
from hpo_bench.tuning.space import MergeSpace
from hpo_bench.tuning.stopping import LEAST_TRIALS, gain_ahead
from hpo_bench.tuning.trial import Trial, paired_difference
from optimizers import Optimizer, Point

HEAT = 10
"""Every method gets so many results before one may be dropped."""
CRITICAL = 2.576
"""A method is dropped when it is behind by so many standard errors: 1 in 100 by chance, as it is tested often."""


@dataclass(slots=True)
class _Arm:
    space: MergeSpace
    optimizer: Optimizer
    asked: dict[MergeSetting, deque[Point]] = field(default_factory=dict)
    results: int = 0
    best: Answers | None = None
    known: list[tuple[Point, Answers]] = field(default_factory=list)
    kept: list[tuple[Point, Answers]] = field(default_factory=list)
    able: list[bool] = field(default_factory=list)

    def ask(self) -> MergeSetting:
        """The next setting; the point that it lies at is kept, as no way back finds its last bits."""
        x = self.optimizer.ask()
        setting = self.space.setting(x)
        self.asked.setdefault(setting, deque()).append(x)
        return setting

    @property
    def can_ask(self) -> bool:
        """Whether its optimiser may propose now."""
        if self.optimizer.asked >= self.optimizer.budget:
            return False
        return self.optimizer.parallel or not self.optimizer.pending

    @staticmethod
    def noise(x: Point, found: Answers | None, known: Sequence[tuple[Point, Answers]]) -> float | None:
        """The standard error that the optimiser is told with a score, or with the margin of what must be kept.

        All trials answer the same examples, and neighbouring merges answer most of them alike: what the choice of
        examples adds to both scores is no noise between them. What is left is the standard error of the paired
        difference to the nearest result so far, shared by the two; for the first one it is that of the score itself.
        Told the latter every time, a model takes real differences on a plateau for noise and sees no reason to look on.

        Measured on the 30 grids that ship, test examples as the truth (quadratic means over 764 to 825 validation
        examples): a score's standard error is 1.7 points, this tells 0.65, and what the choice of examples really does
        to neighbours is 0.58; over the whole box, where answers differ more, it is 0.92.
        """
        if found is None or len(found) < 2:
            return None
        if not known:
            return found.standard_error
        _, nearest = min(known, key=lambda one: float(np.linalg.norm(one[0] - x)))
        return paired_difference(found, nearest)[1] / 2**0.5


@dataclass(slots=True)
class Race:
    """The methods of a study and their optimisers; a deterministic function of what it was asked and told.

    Several methods take turns. Once each has its share of results, one whose best setting is significantly worse than
    the best of all, over the same examples, is dropped, and the others go on with its turns (a race, after Maron &
    Moore, 1994, and Birattari et al., 2002).

    Attributes:
        goal: What answers are worth.
        dropped: Methods that are out, and why.
        told: How many results came in.
    """

    arms: dict[str, _Arm]
    goal: Goal = field(default_factory=Goal)
    dropped: dict[str, str] = field(default_factory=dict)
    told: int = 0

    @classmethod
    def of(cls, config: StudyConfig, kind: type[Optimizer], *, budget: int, goal: Goal | None = None) -> "Race":
        """Optimisers at their beginning.

        Args:
            config: The study.
            kind: The optimiser's class.
            budget: The most trials that there will be.
            goal: What answers are worth; by default their mean score.
        """
        arms = {}
        for method in config.methods:
            space = config.space(method)
            starts = config.starts.get(method, ())
            options = {"start": np.array(starts)} if starts else {}
            arms[method] = _Arm(space, kind(space.dim, seed=config.seed, budget=budget, **options))
        return cls(arms, goal or Goal())

    @property
    def open(self) -> bool:
        """Whether anything is left to be asked, now or when pending results have come in."""
        return any(arm.optimizer.asked < arm.optimizer.budget for _, arm in self._alive())

    def ask(self) -> MergeSetting | None:
        """The next setting, of the method that had the fewest turns; None if no optimiser can propose now."""
        able = [(arm.optimizer.asked, method) for method, arm in self._alive() if arm.can_ask]
        if not able:
            return None
        # The first of equals, in the order of the study.
        return self.arms[min(able, key=lambda one: one[0])[1]].ask()

    def tell(self, trial: Trial, answers: Answers | None) -> None:
        """Give a result to the optimiser that asked for it.

        Args:
            trial: What came of a setting that was asked for; failures are told as NaN.
            answers: Its answers to the validation examples; None if it failed.
        """
        arm = self.arms[trial.setting.method]
        x = arm.asked[trial.setting].popleft()
        found, kept = (None, None) if answers is None else (self.goal.improved(answers), self.goal.kept(answers))
        error = arm.noise(x, found, arm.known)
        constraint = {}
        if self.goal.keep is not None:
            margin = np.nan if trial.margin is None else trial.margin
            constraint = {"margin": margin, "margin_error": arm.noise(x, kept, arm.kept)}
        arm.optimizer.tell(x, trial.told_score, standard_error=error, **constraint)
        self.told += 1
        arm.results += 1
        if kept is not None:
            arm.kept.append((x, kept))
        if found is not None:
            arm.known.append((x, found))
            arm.able.append(trial.feasible)
            if trial.feasible and (arm.best is None or found.score > arm.best.score):
                arm.best = found
        # What is behind in one goal may be ahead where more of the other is kept.
        if len(self.arms) > 1 and not self.goal.front:
            self._drop()

    def gain(self, further: int) -> float:
        """What more trials are expected to add to the recommended setting's score on unseen examples.

        Args:
            further: How many.

        Returns:
            The most that any method would add with all of them, in units of the score; infinite while one has too few
            results to tell.
        """
        alive = [arm for _, arm in self._alive()]
        if any(len(arm.known) < LEAST_TRIALS for arm in alive):
            return float("inf")
        best = [arm.best.score if arm.best else -np.inf for arm in alive]
        return max(
            gain_ahead(
                np.array([x for x, _ in arm.known]),
                np.array([found.scores for _, found in arm.known]),
                further=further,
                able=np.array(arm.able),
                rival=max((score for other, score in enumerate(best) if other != place), default=-np.inf),
            )
            for place, arm in enumerate(alive)
        )

    def _alive(self) -> Sequence[tuple[str, _Arm]]:
        return [(method, arm) for method, arm in self.arms.items() if method not in self.dropped]

    def _drop(self) -> None:
        alive = self._alive()
        known = [(method, arm.best) for method, arm in alive if arm.best is not None]
        if not known or any(arm.results < HEAT for _, arm in alive):
            return
        leader, best = max(known, key=lambda one: one[1].score)
        for method, other in known:
            gap, error = paired_difference(best, other)
            if method != leader and gap > CRITICAL * error:
                label, results = registry.label(method), self.arms[method].results
                self.dropped[method] = (
                    f"{label} dropped after {results} trials: its best is {gap:.3f} ± {Z95 * error:.3f} behind that of "
                    f"{registry.label(leader)}"
                )


def replay(race: Race, trials: Sequence[Trial], answers: Callable[[int], Answers]) -> list[Trial]:
    """Take a race to where a study stopped, by asking and telling again all that was asked and told.

    Args:
        race: At its beginning.
        trials: The study's, in the order in which they were proposed.
        answers: Gives the answers of a trial by its number.

    Returns:
        Those that were still running, to be run again.

    Raises:
        TuningError: If the optimiser now proposes something else, or the trials have a gap.
    """
    finished = iter(sorted((t for t in trials if t.told_as is not None), key=lambda t: t.told_as or 0))
    asked: set[int] = set()

    def tell_next() -> None:
        trial = next(finished, None)
        if trial is None or trial.number not in asked:
            raise TuningError("the study's trials do not fit together: some were deleted; begin another with --study")
        race.tell(trial, None if trial.score is None else answers(trial.number))

    for trial in trials:
        while race.told < trial.asked_after:
            tell_next()
        setting = race.ask()
        if setting != trial.setting:
            raise TuningError(
                f"trial {trial.number} was proposed at {describe(trial.setting)}, and the optimiser now proposes "
                f"{describe(setting) if setting else 'nothing'} in its place; another version of it, or another budget "
                "that it plans by, began the study, or a trial was deleted: continue with those, or begin another with "
                "--study"
            )
        asked.add(trial.number)
    while race.told < sum(trial.told_as is not None for trial in trials):
        tell_next()
    return [trial for trial in trials if trial.state == "running"]


def describe(setting: MergeSetting) -> str:
    """`ta 0.31 1.12`."""
    return " ".join([setting.kind.name, *(f"{value:.3g}" for value in setting.parameters.values())])
