"""Measuring everybody on one pair; what is measured is kept, so that a killed run goes on where it was."""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hpo_bench.display.steps import Told
from hpo_bench.evaluation.calibration.sets import calibration_set
from hpo_bench.evaluation.calibration.statistics import CalibrationSet, statistics
from hpo_bench.evaluation.examples import Split
from hpo_bench.experiments.methods.lineup import BASE, CLASSIC, EVERYBODY, SWAP, VARIANTS, ComparedMethod
from hpo_bench.experiments.methods.measured import GridCost, Measured, PairResult
from hpo_bench.experiments.opened import OpenedPair
from hpo_bench.files import write_record
from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.metagpt import MetaGPT
from hpo_bench.merging.methods.norm_aware import NAN
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.nano.texts import new_texts
from hpo_bench.recording.record import record
from landscapes import catalogue
from landscapes.card import FILE as CARD
from landscapes.card import Card
from landscapes.grid import FILE as GRID
from landscapes.grid import RecordedGrid
from landscapes.outcomes import FILE as OUTCOMES
from landscapes.outcomes import Outcomes, fingerprint

REPEATS, ENOUGH = 5, 2.0
"""Merges that are timed at most, and processor seconds after which no further one is. The fewest count: what else runs
can only add to them, through the caches."""
CLOCK = "processor"
"""What is read for seconds of merges and statistics: wall times are as long as a machine is busy."""
TEST: Split = "test"
VALIDATION: Split = "validation"


def measure_pair(
    pair: Pair, out: Path, *, landscapes: Path | None, samples: int, variants: bool, progress: Told
) -> PairResult:
    """Measure everybody on a pair.

    Tuned methods are tuned by the study's grid on validation examples, by a recorded landscape of the same checkpoints
    where there is one, else by recording one; all are scored on test examples.

    Args:
        pair: The pair.
        out: Folder that keeps measurements, and landscapes that had to be recorded.
        landscapes: Folder of recorded landscapes; those that ship by default.
        samples: Calibration samples for each model, at most.
        variants: Whether to measure variants of methods, too.
        progress: Told of every contender.

    Raises:
        UsageError: If the calibration set holds test examples.
        MergeError: If the pair cannot be merged.
        EvaluationError: If a merge cannot be scored.
        ResultsError: If a measurement cannot be stored.
    """
    measurement = _Measurement(pair, out, landscapes, samples, progress)
    contenders = (*EVERYBODY, *VARIANTS) if variants else EVERYBODY
    measured = {}
    for done, contender in enumerate(contenders):
        progress(done, len(contenders), f"{pair.name}: {contender.label}{contender.how and f', {contender.how}'}")
        measured[contender.name] = measurement.measure(contender)
    progress(len(contenders), len(contenders), f"{pair.name}: done")
    nano = (pair.folder / "recipe.json").is_file()
    return PairResult(pair.name, pair.domain, pair.benchmark, nano, measured)


class _Measurement(OpenedPair):
    """A pair with everything that measuring needs, each part made when it is first needed."""

    def __init__(self, pair: Pair, out: Path, landscapes: Path | None, samples: int, progress: Told) -> None:
        super().__init__(pair)
        self.out = out
        self.landscapes = catalogue.ROOT if landscapes is None else landscapes
        self.samples = samples
        self.progress = progress
        self.hashes = pair.file_hashes()

    @cached_property
    def vectors(self) -> TaskVectors:
        return TaskVectors.of(self.loaded)

    def calibration(self, expert_reads: Literal["texts", "pictures"]) -> CalibrationSet:
        return calibration_set(
            self.pair,
            validation=self.evaluator.examples(VALIDATION),
            test=self.evaluator.examples(TEST),
            samples=self.samples,
            texts=new_texts(self.pair.folder, self.samples),
            expert_reads=expert_reads,
        )

    def measure(self, contender: ComparedMethod) -> Measured:
        name = contender.name
        path = self.out / self.pair.name / f"{name}.json"
        provenance = {
            "checkpoints": self.hashes,
            "versions": {package: version(package) for package in ("hpo-bench", "mergekit", "torch", "transformers")},
            "options": {
                **contender.options,
                **({"samples": self.samples} if contender.family == "data-aware" else {}),
            },
            "clock": CLOCK,
        }
        if name in CLASSIC:
            provenance["landscape"] = fingerprint(self._recorded(name) / OUTCOMES)
        stored = Measured.stored(path, provenance)
        if stored is not None:
            return stored
        if name in CLASSIC:
            measured = self._tuned(name, provenance)
        elif contender.family == "unmerged":
            measured = self._unmerged(name, provenance)
        else:
            measured = self._direct(contender, provenance)
        write_record(path, measured)
        return measured

    def _unmerged(self, name: str, provenance: Mapping[str, Any]) -> Measured:
        self.loaded.write_language(self.loaded.tuned if name == BASE.name else self.loaded.expert)
        where = {"vl_weight": float(name == BASE.name), "exp_weight": float(name == SWAP.name)}
        return Measured(name, provenance, **self._scored(), parameters=where)

    def _direct(self, contender: ComparedMethod, provenance: Mapping[str, Any]) -> Measured:
        method, statistics_seconds, note = self._method(contender)
        seconds = _seconds(lambda: self.loaded.write_language(method.merge(self.vectors)))
        answers = self._scored()
        chosen = method.coefficients(self.vectors) if isinstance(method, MetaGPT | NAN) else ()
        return Measured(
            contender.name,
            provenance,
            **answers,
            seconds={"here": seconds},
            statistics_seconds=statistics_seconds,
            parameters=dict(zip(("vl_weight", "exp_weight"), chosen, strict=False)),
            note=note,
        )

    def _method(self, contender: ComparedMethod) -> tuple[MergeMethod, float, str]:
        """The method with its statistics, the seconds that these took, and where they come from."""
        kind: Any = registry.get(contender.method)
        if not kind.needs:
            return kind(**contender.options), 0.0, ""
        examples = self.calibration(**contender.options)
        begin = time.process_time()
        vlm, expert = statistics(self.loaded, kind.needs, examples)
        return kind(vlm=vlm, expert=expert), time.process_time() - begin, f"calibrated on {examples.source}"

    def _tuned(self, name: str, provenance: Mapping[str, Any]) -> Measured:
        folder = self._recorded(name)
        card = Card.read(folder / CARD)
        grid = RecordedGrid.read(folder / GRID, card.space, split=VALIDATION)
        answers = Outcomes.read(folder / OUTCOMES, card.space, split=TEST)
        best = grid.X[grid.best]
        row = int(np.abs(answers.X - best).max(axis=1).argmin())
        test = RecordedGrid.read(folder / GRID, card.space, split=TEST)
        setting = MergeSetting(name, *(float(value) for value in best))
        return Measured(
            name,
            provenance,
            scores=dict(zip(map(str, answers.ids), answers.correct[row].tolist(), strict=True)),
            categories=dict(zip(map(str, answers.ids), map(str, answers.categories), strict=True)),
            eval_seconds=float(test.eval_seconds[int(np.abs(test.X - best).max(axis=1).argmin())]),
            seconds={
                "here": _seconds(lambda: self.engine.merge(setting)),
                "mergekit": _seconds(
                    lambda: self.loaded.write_language(mergekit.merge(self.loaded, setting, mask_seed=0))
                ),
            },
            parameters=setting.parameters,
            grid=GridCost(len(grid), float(grid.merge_seconds.sum()), float(grid.eval_seconds.sum())),
        )

    def _recorded(self, method: str) -> Path:
        """A landscape of these very checkpoints; recorded now if nobody has one."""
        folder = self.landscapes / self.pair.name / method
        if (folder / CARD).is_file() and Card.read(folder / CARD).checkpoints == self.hashes:
            return folder
        return record(
            self.pair,
            method,
            self.out / "landscapes",
            mask_seed=0,
            progress=lambda done, total, _: self.progress(done, total, f"{self.pair.name}: recording {method}"),
        )

    def _scored(self) -> dict[str, Any]:
        """What is measured of the live VLM as it is."""
        _ = self.evaluator.examples(TEST)  # read before the clock starts
        begin = time.perf_counter()
        found = self.answers(TEST)
        return {
            "scores": dict(zip(found.ids, np.asarray(found.scores, float).tolist(), strict=True)),
            "categories": dict(zip(found.ids, found.categories, strict=True)),
            "eval_seconds": time.perf_counter() - begin,
        }


def _seconds(merge: Callable[[], object]) -> float:
    """Fewest processor seconds of a merge; the first, which warms up, counts where it alone takes long."""
    taken: list[float] = []
    while len(taken) <= REPEATS and sum(taken) < ENOUGH:
        begin = time.process_time()
        merge()
        taken.append(time.process_time() - begin)
    return min(taken[1:] or taken)
