"""Merging and scoring with weights by group; what is scored is kept, so that a killed run goes on where it was."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hpo_bench.display.steps import Told
from hpo_bench.evaluation.examples import Split
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.experiments.groups.design import GroupedSetting, Partition, around, partitions, uniform
from hpo_bench.experiments.opened import OpenedPair
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.recipe import Engine, Recipe
from hpo_bench.merging.methods.task_arithmetic import task_arithmetic
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair
from hpo_bench.recording.journal import Journal, RecordedScores

VALIDATION: Split = "validation"
TEST: Split = "test"


@dataclass(frozen=True, slots=True, eq=False)
class GroupedPair:
    """A pair's answers at all settings that were compared.

    Attributes:
        pair: Its name.
        domain: What its expert is good at.
        settings: What was merged, in order.
        answers: Scores of the test examples at each, of shape (n, m).
        start: The uniform setting that validation examples chose, around which the others lie.
    """

    pair: str
    domain: str
    settings: tuple[GroupedSetting, ...]
    answers: NDArray[np.float64]
    start: GroupedSetting

    def among(self, *names: str) -> NDArray[np.float64]:
        """Answers at the settings that were tried for these, of shape (k, m)."""
        return self.answers[[setting.among in names for setting in self.settings]]


def measure_pair(pair: Pair, out: Path, *, progress: Told) -> GroupedPair:
    """Merge and score a pair with one expert weight, and with weights by group around the best of these.

    Args:
        pair: The pair.
        out: Folder that keeps the answers.
        progress: Told of every merge.

    Raises:
        UsageError: If its language model has a single layer, or there are no examples.
        MergeError: If the pair cannot be merged.
        EvaluationError: If a merge cannot be scored.
        RecordingError: If the answers that are kept are of other weights, options or versions.
    """
    bench = _Bench(pair, out)
    first = list(uniform())
    count = len(first) * (2 + len(partitions(bench.names)))

    def told(done: int) -> None:
        progress(done, count, pair.name)

    bench.score(first, told)
    validation = [np.mean(entry.scores[VALIDATION]) for entry in bench.journal.entries[: len(first)]]
    start = first[int(np.argmax(validation))]
    settings = (*first, *around(start, bench.names))
    bench.score(settings, told)
    answers = np.array([entry.scores[TEST] for entry in bench.journal.entries], dtype=np.float64)
    return GroupedPair(pair.name, pair.domain, settings, answers, start)


@dataclass(frozen=True, slots=True)
class GroupedTaskArithmetic(MergeMethod):
    """Base plus both task vectors, the expert's weighted by group.

    Attributes:
        setting: The weights.
        partition: The groups; None for one weight.
    """

    name: ClassVar[str] = "grouped-ta"
    label: ClassVar[str] = "Task Arithmetic by group"
    by_tensor: ClassVar[bool] = True

    setting: GroupedSetting
    partition: Partition | None = None

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """By the formula, tensor by tensor."""
        return {
            name: vectors.added(
                name, self.setting.vl_weight * vectors.vlm[name] + self._weight(name) * vectors.expert[name]
            )
            for name in vectors.base
        }

    def recipe(self, engine: Engine) -> Recipe:
        """Task Arithmetic's kernel, with the expert's weight of each tensor's group."""
        numbers = {
            weight: engine.rounded(self.setting.vl_weight, weight)
            for weight in (self.setting.first, self.setting.second)
        }
        weights = [self._weight(name) for name in engine.tensors]
        return Recipe(task_arithmetic, lambda line: numbers[weights[line.tensor]](line), apart=True)

    def _weight(self, name: str) -> float:
        first = self.partition is None or self.partition.first(name)
        return self.setting.first if first else self.setting.second


class _Bench(OpenedPair):
    """A pair with its answers so far; models are loaded when one is missing."""

    def __init__(self, pair: Pair, out: Path) -> None:
        super().__init__(pair)
        asked = without_secrets(pair.evaluation)
        header = {
            "pair": pair.name,
            "checkpoints": pair.file_hashes(),
            "versions": {package: version(package) for package in ("hpo-bench", "torch", "transformers")},
            **({"evaluation": asked} if asked else {}),
        }
        self.journal = Journal(out / f"{pair.name}.jsonl", header=header)

    @cached_property
    def names(self) -> list[str]:
        return list(self.loaded.base)

    @cached_property
    def groups(self) -> dict[str, Partition]:
        return {partition.name: partition for partition in partitions(self.names)}

    def score(self, settings: Iterable[GroupedSetting], progress: Callable[[int], None]) -> None:
        """Score those that are not in the journal yet, in order."""
        for place, setting in enumerate(settings):
            if place >= len(self.journal.entries):
                self.engine.write(GroupedTaskArithmetic(setting, self.groups.get(setting.among)))
                where = {"vl_weight": setting.vl_weight, "first": setting.first, "second": setting.second}
                scores = {split: self.answers(split).scores.tolist() for split in (VALIDATION, TEST)}
                self.journal.append(RecordedScores(where, 0.0, {}, scores))
            progress(place + 1)
