"""Merges that are scored beside the trials: what there is without tuning, and what tuning recommends."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from pathlib import Path

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import SPLITS, Split
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.storage.answers import read_answers, write_answers
from hpo_bench.tuning.storage.expenses import pay
from hpo_bench.tuning.trial import Failure, Job, Success
from hpo_bench.tuning.workers.base import WorkerPool
from hpo_bench.tuning.workers.jobs import results_of
from landscapes import catalogue
from landscapes.landscape import Landscape

Scored = dict[MergeSetting, dict[str, Answers]]


def score(
    folder: Path,
    settings: Sequence[MergeSetting],
    pool: WorkerPool,
    interrupt: Interrupt,
    *,
    limit: float,
    splits: tuple[Split, ...] = SPLITS,
    tuned_on: int | None = None,
) -> Scored:
    """Answers to all examples of some splits, from files of the study's folder where they are there.

    What is paid for them is counted in that folder.

    Args:
        folder: The study's.
        settings: What to merge.
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        limit: Seconds that a merge and its answers may take.
        splits: Which examples.
        tuned_on: How many of all are validation examples; None for those of the split.

    Raises:
        TuningError: If a setting cannot be scored.
        KeyboardInterrupt: If an end was asked for.
    """
    missing: dict[MergeSetting, tuple[Split, ...]] = {
        one: tuple(split for split in splits if not answers_path(folder, one, split).exists()) for one in settings
    }
    jobs = [Job(_name(one), one, lacking, tuned_on) for one, lacking in missing.items() if lacking]
    for job, result in results_of(pool, interrupt, jobs, limit=limit, paid=partial(pay, folder, "scored")):
        if isinstance(result, Success) and not all(isfinite(result.answers[one].score) for one in job.splits):
            result = Failure("nonsense", "the evaluator's answers have no mean score")
        if isinstance(result, Failure):
            where = " and ".join(job.splits)
            raise TuningError(f"{job.setting.named} cannot be scored on {where}: {result.kind}: {result.reason}")
        for split in job.splits:
            write_answers(answers_path(folder, job.setting, split), result.answers[split])
    return {one: {split: read_answers(answers_path(folder, one, split)) for split in splits} for one in settings}


def answers_path(folder: Path, setting: MergeSetting, split: str) -> Path:
    """Where a study's folder keeps what such a merge answered."""
    return folder / "test" / f"{_name(setting)}.{split}.parquet"


def _name(setting: MergeSetting) -> str:
    # Every digit, as neighbouring settings must not share a file.
    return "_".join([setting.kind.name, *(repr(value) for value in setting.parameters.values())])


def grid_best(pair: str, method: str = "ta") -> Mapping[str, MergeSetting]:
    """The best setting, on validation examples, of the recorded full grid of a pair that ships."""
    landscape = catalogue.load(f"{pair}/{method}")
    return {grid_name(landscape): grid_setting(landscape)}


def grid_name(landscape: Landscape) -> str:
    """What a result calls it."""
    return f"best of {len(landscape.grid)} on a grid"


def grid_setting(landscape: Landscape) -> MergeSetting:
    """The setting of a grid with the highest validation score."""
    grid = landscape.grid
    return MergeSetting(landscape.card.method, *map(float, grid.X[grid.best]))
