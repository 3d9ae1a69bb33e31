"""The plan against the study's protocol in the real loop: pairs merged and tuned anew, scored on examples put aside."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.experiments.opened import OpenedPair
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.statistics.examples import error_of_difference
from hpo_bench.tuning.tune import tune

EXAMPLES = 800
"""Drawn for tuning; the others are put aside."""
METHODS = ("ta", "ties")
VERSION = 1
DRAWS = {"ta": 2, "ties": 1}
"""Of the examples of each pair, by method."""
PLAN, STUDY, STUDY_MEAN = "planned", f"the study's, {HIGHEST}", f"the study's, {MEAN}"
COLUMNS = (
    "pair", "method", "draw", "way", "settings", "evaluations", "fresh", "score", "base", "gain_error", "more",
    "more_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one way of spending recommends."""

    way: str
    setting: MergeSetting
    settings: int
    evaluations: int


def in_real_loop(pair: Pair, work: Path, *, method: str, draw: int) -> pd.DataFrame:
    """Tune one random draw of a pair's examples both ways, and score what they recommend on all others.

    `tune` plans its settings and examples for what the study's trials cost: 40 settings (60 with a density), each on a
    fifth of the examples. That protocol itself is `tune --hold-out`, of which the highest score is recommended, as the
    study has it, or the highest posterior mean.

    Args:
        pair: With examples of its own, more than are drawn.
        work: Folder for both studies; one that was interrupted goes on.
        method: What is tuned.
        draw: Which draw of the examples, and the seed of both searches.

    Returns:
        A row for each way: the score on the examples put aside and the base VLM's, from 0 to 1, and how much more that
        is than the plan's, in points, with its standard error, paired over examples.

    Raises:
        HpoBenchError: If the pair cannot be tuned.
    """
    examples = read_examples(pair.examples)
    order = np.random.default_rng([draw, *pair.name.encode()]).permutation(len(examples))
    place = work / f"{pair.name}-{method}-{draw}"
    place.mkdir(parents=True, exist_ok=True)
    drawn = replace(pair, examples_file=_written([examples[i] for i in sorted(order[:EXAMPLES])], place, "drawn"))
    chosen = list(_chosen(drawn, place, method, draw))
    rest = [examples[i] for i in sorted(order[EXAMPLES:])]
    aside = replace(pair, examples_file=_written(rest, place, "aside"))
    opened = OpenedPair(aside)
    settings = dict.fromkeys([BASE, *(one.setting for one in chosen)])
    answers = {setting: opened.merged(setting, "validation", "test").scores for setting in settings}
    base, ours = answers[BASE], answers[chosen[0].setting]
    rows = []
    for one in chosen:
        own = answers[one.setting]
        more = 100 * np.array([(own - other).mean() for other in (base, ours)])
        errors = [100 * error_of_difference(own - other) for other in (base, ours)]
        errors[1] *= one.setting != chosen[0].setting
        rows.append(
            (pair.name, method, draw, one.way, one.settings, one.evaluations, len(own), own.mean(), base.mean(),
             errors[0], more[1], errors[1])
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _chosen(pair: Pair, work: Path, method: str, draw: int) -> Iterator[_Choice]:
    """What the plan and the study's protocol recommend, the plan first."""
    for name, hold_out in (("plan", False), ("study", True)):
        study = tune(pair, methods=method, hold_out=hold_out, seed=draw, study=name, studies=work)
        done = [one for one in study.trials if one.score is not None]
        own = next(one for one in done if study.result is not None and one.number == study.result.recommended)
        evaluations = len(done) * len(study.store.answers(own.number))
        study.store.close()
        yield _Choice(STUDY_MEAN if hold_out else PLAN, own.setting, len(done), evaluations)
        if hold_out:
            highest = max(done, key=lambda one: one.score or 0.0)
            yield _Choice(STUDY, highest.setting, len(done), evaluations)


def _written(examples: list[Example], folder: Path, name: str) -> Path:
    path = folder / f"{name}.parquet"
    if not path.exists():
        write_examples(examples, path)
    return path
