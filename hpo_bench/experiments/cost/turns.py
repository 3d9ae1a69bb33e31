"""Trials by several routes in turns, so that whatever else the machine does falls on all of them."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from hpo_bench.evaluation.base import Answers, Evaluator, checked
from hpo_bench.evaluation.serving.evaluator import VllmEvaluator
from hpo_bench.experiments.cost.on_disk import processor_seconds
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.space import MergeSpace

Clock = Literal["wall", "processor"]
CLOCKS: tuple[Clock, ...] = ("wall", "processor")
Part = Literal["merge", "evaluation", "trial"]
PARTS: tuple[Part, ...] = ("merge", "evaluation", "trial")
Route = Callable[[MergeSetting, Path], tuple[Any, Evaluator]]
"""Makes a merge, with a folder for what it writes, which is then thrown away; the merged model, and who asks it."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """What one trial took by both clocks; the processor's seconds include those of processes it started.

    Attributes:
        merge: Until the merged model could be asked.
        evaluation: Until all validation examples were answered.
        load: By the wall clock, of the evaluation, until an engine that is handed merges had this one; else None.
    """

    merge: dict[Clock, float]
    evaluation: dict[Clock, float]
    load: float | None = None

    def trial(self, clock: Clock) -> float:
        """Both together."""
        return self.merge[clock] + self.evaluation[clock]


@dataclass(frozen=True, slots=True)
class TrialTiming:
    """Trials of one method by one route.

    Attributes:
        method: "ta", "dare" or "ties".
        route: Its name.
        seconds: Trial by trial, without the first, which is not counted.
        unlike: How many validation answers, of all trials, differ from those of the first route at the same setting.
        answers: How many answers there were.
    """

    method: str
    route: str
    seconds: tuple[Seconds, ...]
    unlike: int
    answers: int

    def median(self, part: Part, clock: Clock) -> float:
        """Median seconds of a part."""
        taken = [one.trial(clock) if part == "trial" else getattr(one, part)[clock] for one in self.seconds]
        return statistics.median(taken)


def settings(method: str, count: int) -> list[MergeSetting]:
    """Settings from `tune`'s box, drawn with a fixed seed."""
    space, rng = MergeSpace(method), np.random.default_rng(0)
    return [space.setting(rng.random(space.dim)) for _ in range(count)]


def in_turns(
    routes: Mapping[str, Route],
    methods: Sequence[str],
    *,
    trials: int,
    scratch: Path,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[TrialTiming]:
    """Time trials by all routes, each turn at a setting of its own; the first turn is not counted.

    Args:
        routes: By name; the others' answers are compared with those of the first.
        methods: "ta", "dare", "ties".
        trials: How many to count.
        scratch: Where routes may write.
        told: Called with what is being timed.

    Raises:
        MergeError: If a merge fails.
        EvaluationError: If the examples cannot be answered.
    """
    for method in methods:
        taken: dict[str, list[Seconds]] = {route: [] for route in routes}
        unlike, answers = dict.fromkeys(routes, 0), 0
        for turn, setting in enumerate(settings(method, trials + 1)):
            first: Answers | None = None
            for name, route in routes.items():
                told(f"{method}, {name}, {turn} of {trials}")
                seconds, found = _trial(route, setting, scratch)
                first = first or found
                if turn:
                    taken[name].append(seconds)
                    unlike[name] += _differing(first, found)
            answers += len(first) if turn and first is not None else 0
        for name in routes:
            yield TrialTiming(method, name, tuple(taken[name]), unlike[name], answers)


def _trial(route: Route, setting: MergeSetting, scratch: Path) -> tuple[Seconds, Answers]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        start = _now()
        model, evaluator = route(setting, Path(folder))
        merged = _now()
        examples = evaluator.examples("validation")
        answers = checked(evaluator.evaluate(model, examples), examples)
        answered = _now()
    load = evaluator.served.load_seconds if isinstance(evaluator, VllmEvaluator) else None
    return Seconds(_between(start, merged), _between(merged, answered), load), answers


def _differing(one: Answers, other: Answers) -> int:
    """How many answers are other texts, or score otherwise where an evaluator tells no texts."""
    ours, theirs = (each.responses or each.scores.tolist() for each in (one, other))
    known = dict(zip(one.ids, ours, strict=True))
    return sum(known[name] != said for name, said in zip(other.ids, theirs, strict=True))


def _now() -> dict[Clock, float]:
    """Seconds so far; of the processor those of this process and all that it started."""
    spent = processor_seconds()
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:  # it has just ended, and is among those that have
            continue
        spent += times.user + times.system
    return {"wall": time.perf_counter(), "processor": spent}


def _between(start: dict[Clock, float], end: dict[Clock, float]) -> dict[Clock, float]:
    return {clock: end[clock] - start[clock] for clock in CLOCKS}
