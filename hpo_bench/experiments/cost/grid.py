"""What tuning finds and takes, against the full grid that the study paid for (its Table 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from hpo_bench.errors import UsageError
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.statistics.examples import Z95, error_of_difference
from hpo_bench.statistics.intervals import Interval, of_mean
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome.baselines import answers_path, grid_name, grid_setting
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.progress import Overhead
from hpo_bench.tuning.run import run
from hpo_bench.tuning.storage.answers import read_answers
from hpo_bench.tuning.storage.store import TrialStore
from landscapes import catalogue
from landscapes.landscape import Landscape

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridComparison:
    """One pair and method: the recorded grid's best merge, and those that tuning found with some seeds.

    Both are chosen on validation examples and scored on the same test examples, by the same evaluator.

    Attributes:
        pair: Name of the pair.
        benchmark: What it is asked.
        method: "ta", "dare" or "ties".
        seeds: How many studies were made.
        base: Test score of the base VLM.
        grid_merges: Settings of the grid.
        grid_test: Test score of the one with the highest validation score.
        grid_seconds: What the grid would take on this machine: its number of settings times the mean seconds of a trial
            after a worker's first, plus that first one.
        merges: Trials of a study, the mean over seeds.
        reached: After how many of them a validation score was as high as the grid's highest, the median over seeds;
            infinite where half of them never came so far.
        test: Test score of what it recommends, the mean over seeds.
        seconds: Merging, evaluating and tuning, the mean over seeds.
        difference: How much higher `test` is than `grid_test`.
        difference_error: Standard error of that, paired over test examples (see `error_of_difference`); what seeds
            differ by is not in it.
        spread: Standard deviation of a study's test score over seeds; NaN for a single one.
        drift: How far the grid's best merge, made anew, scores from what was recorded on validation examples.
    """

    pair: str
    benchmark: str
    method: str
    seeds: int
    base: float
    grid_merges: int
    grid_test: float
    grid_seconds: float
    merges: float
    reached: float
    test: float
    seconds: float
    difference: float
    difference_error: float
    spread: float
    drift: float

    @property
    def interval(self) -> Interval:
        """The difference with its 95% interval."""
        reach = Z95 * self.difference_error
        return Interval(self.difference, self.difference - reach, self.difference + reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPlan:
    """What is compared.

    Attributes:
        pairs: Their recorded grids ship.
        methods: Merge methods.
        seeds: So many studies of each.
        studies: The folder in which studies lie; one that is finished is not made again.
        built: Where built pairs lie.
        command: How it was asked for.
    """

    pairs: Sequence[Pair]
    methods: Sequence[str]
    seeds: int
    studies: Path
    built: Path
    command: tuple[str, ...]

    def config(self, pair: Pair, method: str, seed: int) -> StudyConfig:
        """What is tuned; chosen and scored as the grid's best setting is."""
        return StudyConfig.of(pair, methods=method, seed=seed, hold_out=True)

    def options(self, pair: Pair, method: str, seed: int, landscape: Landscape) -> RunOptions:
        """How."""
        return RunOptions(
            study=f"{pair.name}-{method}-box-{seed}",
            studies=self.studies,
            beside={grid_name(landscape): grid_setting(landscape)},
        )


def recorded(pairs: Sequence[Pair], methods: Sequence[str]) -> list[Pair]:
    """Those of the pairs that have a recorded grid of every method.

    Raises:
        UsageError: If none has.
    """
    known = set(catalogue.names())
    found = [pair for pair in pairs if all(f"{pair.name}/{method}" in known for method in methods)]
    if not found:
        raise UsageError("no pair that is here has recorded grids; build one with `hpo-bench nano build ja-llama`")
    return found


def compare(plan: GridPlan, console: Console, told: Callable[[GridComparison], None]) -> list[GridComparison]:
    """Tune every pair with every method and every seed, and compare.

    Args:
        plan: What is compared.
        console: Where each study's own table is shown.
        told: Called with each comparison.

    Returns:
        All comparisons.

    Raises:
        UsageError: If a pair's grid was recorded from other files.
        LandscapeError: If there is no grid.
        TuningError: If a study fails.
        KeyboardInterrupt: If the user ended it before.
    """
    grids = {(pair.name, method): _grid(pair, method) for pair in plan.pairs for method in plan.methods}
    found = []
    for pair in plan.pairs:
        for method in plan.methods:
            landscape = grids[pair.name, method]
            results = []
            for seed in range(plan.seeds):
                config = plan.config(pair, method, seed)
                options = plan.options(pair, method, seed, landscape)
                invocation = Invocation(pair.name, str(plan.built.resolve()), plan.command)
                result = run(pair, config, options, console=console, invocation=invocation)
                results.append((options.folder(config), options.name(config), result))
            found.append(_comparison(pair, method, landscape, results))
            told(found[-1])
    return found


def overall(comparisons: Sequence[GridComparison]) -> Interval:
    """Mean difference over pairs, with Student's 95% interval."""
    return of_mean([one.difference for one in comparisons])


def _grid(pair: Pair, method: str) -> Landscape:
    landscape = catalogue.load(f"{pair.name}/{method}")
    if dict(landscape.card.checkpoints) != pair.file_hashes():
        raise UsageError(
            f"the grid {pair.name}/{method} was recorded from other files than those of the pair that is here; build "
            f"it again with `hpo-bench nano build {pair.name}`, or record the grid anew"
        )
    return landscape


def _comparison(
    pair: Pair, method: str, landscape: Landscape, studies: Sequence[tuple[Path, str, TuningResult]]
) -> GridComparison:
    name = grid_name(landscape)
    merges, reached, seconds, firsts, others, tested = [], [], [], [], [], []
    highest = landscape.grid.scores[landscape.grid.best]
    for folder, study, result in studies:
        store = TrialStore(folder, study, existing=True)
        trials = sorted(store.trials(), key=lambda trial: trial.told_as or 0)
        store.close()
        each = [trial.cost.seconds for trial in trials]
        as_high = (n for n, trial in enumerate(trials, 1) if trial.score is not None and trial.score >= highest)
        reached.append(next(as_high, np.inf))
        merges.append(len(each))
        seconds.append(sum(each) + sum(Overhead.read(folder).wall.values()))
        firsts.append(each[0])
        others += each[1:]
        tested.append(_test(folder, MergeSetting(**result.merges[0].setting)))
    folder, _, result = studies[0]
    of_grid = next(line for line in result.merges if line.name == name)
    grid = _test(folder, grid_setting(landscape))
    difference = np.mean(tested, axis=0) - grid
    points = len(landscape.grid)
    return GridComparison(
        pair=pair.name,
        benchmark=landscape.card.benchmark,
        method=method,
        seeds=len(studies),
        base=float(_test(folder, BASE).mean()),
        grid_merges=points,
        grid_test=float(grid.mean()),
        grid_seconds=float(np.mean(firsts) + (points - 1) * np.mean(others)),
        merges=float(np.mean(merges)),
        reached=float(np.median(reached)),
        test=float(np.mean(tested)),
        seconds=float(np.mean(seconds)),
        difference=float(difference.mean()),
        difference_error=error_of_difference(difference),
        spread=float(np.std(np.mean(tested, axis=1), ddof=1)) if len(studies) > 1 else float("nan"),
        drift=float(of_grid.validation - highest),
    )


def _test(folder: Path, setting: MergeSetting) -> Array:
    """Scores on all test examples, of shape (n,)."""
    return read_answers(answers_path(folder, setting, "test")).scores
