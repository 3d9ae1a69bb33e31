"""Measuring everybody on one pair; what is measured is kept, so that a killed run goes on where it was."""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo_bench.evaluation.base import Outcome, checked
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging import calibration, mergekit_engine
from hpo_bench.merging.methods import metagpt, nan
from hpo_bench.merging.methods.base import Method, TaskVectors, Weights
from hpo_bench.merging.methods.fisher import Fisher
from hpo_bench.merging.methods.regmean import RegMean
from hpo_bench.merging.methods.tsv import TsvMerge
from hpo_bench.merging.methods.wudi import Wudi
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.merging.resident import Resident
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.methods_table.calibration_sets import calibration_set
from hpo_bench.methods_table.lineup import BASE, CLASSIC, EVERYBODY, SWAP, Choices
from hpo_bench.methods_table.measured import Grid, Measured, PairResult
from hpo_bench.recording import record
from landscapes import catalogue
from landscapes.card import FILE as CARD
from landscapes.card import Card
from landscapes.grid import FILE as GRID
from landscapes.grid import RecordedGrid
from landscapes.outcomes import FILE as OUTCOMES
from landscapes.outcomes import Outcomes, fingerprint

REPEATS = 5
"""Merges that are timed; the shortest counts, since whatever else runs can only lengthen one."""
TEST, VALIDATION = "test", "validation"

Progress = Callable[[int, int, str], None]
"""Called with contenders done, contenders in all, and a word on what is under way."""


def measure_pair(pair: Pair, out: Path, *, landscapes: Path | None, choices: Choices, progress: Progress) -> PairResult:
    """Measure everybody on a pair.

    Tuned methods are tuned by the study's grid on validation examples, by a recorded landscape of the same checkpoints
    where there is one, else by recording one; all are scored on test examples.

    Args:
        pair: The pair.
        out: Folder that keeps measurements, and landscapes that had to be recorded.
        landscapes: Folder of recorded landscapes; those that ship by default.
        choices: About single methods.
        progress: Told of every contender.

    Raises:
        UsageError: If the calibration set holds test examples.
        MergeError: If the pair cannot be merged.
        EvaluationError: If a merge cannot be scored.
        ResultsError: If a measurement cannot be stored.
    """
    bench = _Bench(pair, out, landscapes, choices, progress)
    measured = {}
    for done, contender in enumerate(EVERYBODY):
        progress(done, len(EVERYBODY), f"{pair.name}: {contender.label}")
        measured[contender.name] = bench.measure(contender.name)
    progress(len(EVERYBODY), len(EVERYBODY), f"{pair.name}: done")
    nano = (pair.folder / "recipe.json").is_file()
    return PairResult(pair.name, pair.domain, pair.benchmark, nano, measured)


class _Bench:
    """A pair with everything that measuring needs, each part made when it is first needed."""

    def __init__(self, pair: Pair, out: Path, landscapes: Path | None, choices: Choices, progress: Progress) -> None:
        self.pair = pair
        self.out = out
        self.landscapes = catalogue.ROOT if landscapes is None else landscapes
        self.choices = choices
        self.progress = progress
        self.hashes = pair.file_hashes()

    @cached_property
    def loaded(self) -> LoadedPair:
        return LoadedPair.load(self.pair)

    @cached_property
    def vectors(self) -> TaskVectors:
        return TaskVectors.of(self.loaded)

    @cached_property
    def resident(self) -> Resident:
        return Resident(self.loaded)

    @cached_property
    def evaluator(self) -> Any:
        return open_evaluator(self.pair, self.loaded)

    @cached_property
    def calibration(self) -> calibration.CalibrationSet:
        examples = {split: self.evaluator.examples(split) for split in (VALIDATION, TEST)}
        return calibration_set(
            self.pair,
            validation=examples[VALIDATION],
            test=examples[TEST],
            samples=self.choices.samples,
            expert_reads=self.choices.expert_reads,
        )

    def measure(self, name: str) -> Measured:
        path = self.out / self.pair.name / f"{name}.json"
        provenance = {
            "checkpoints": self.hashes,
            "versions": {package: version(package) for package in ("hpo-bench", "mergekit", "torch", "transformers")},
            "options": self.choices.of(name),
        }
        if name in CLASSIC:
            provenance["landscape"] = fingerprint(self._recorded(name) / OUTCOMES)
        stored = Measured.stored(path, provenance)
        if stored is not None:
            return stored
        if name in CLASSIC:
            measured = self._tuned(name, provenance)
        elif name in (BASE.name, SWAP.name):
            measured = self._unmerged(name, provenance)
        else:
            measured = self._direct(name, provenance)
        measured.store(path)
        return measured

    def _unmerged(self, name: str, provenance: Mapping[str, Any]) -> Measured:
        weights = self.loaded.tuned if name == BASE.name else self.loaded.expert
        outcome = self._score(weights)
        where = {"vl_weight": float(name == BASE.name), "exp_weight": float(name == SWAP.name)}
        return Measured(name, provenance, **_answers(outcome), parameters=where)

    def _direct(self, name: str, provenance: Mapping[str, Any]) -> Measured:
        method, statistics_seconds, note = self._method(name)
        merged = method.merge(self.vectors)
        outcome = self._score(merged)
        chosen: tuple[float, ...] = ()
        if name == "metagpt":
            chosen = metagpt.coefficients(self.vectors)
        elif name == "nan":
            chosen = nan.coefficients(self.vectors, norm=self.choices.nan)
        return Measured(
            name,
            provenance,
            **_answers(outcome),
            seconds={"here": _seconds(lambda: self.loaded.write_language(method.merge(self.vectors)))},
            statistics_seconds=statistics_seconds,
            parameters=dict(zip(("vl_weight", "exp_weight"), chosen, strict=False)),
            note=note,
        )

    def _method(self, name: str) -> tuple[Method, float, str]:
        """The method with its statistics, the seconds that these took, and where they come from."""
        simple: dict[str, Method] = {
            "wudi": Wudi(solver=self.choices.wudi),
            "tsv": TsvMerge(),
            "metagpt": metagpt.MetaGPT(),
            "nan": nan.NAN(self.choices.nan),
        }
        if name in simple:
            return simple[name], 0.0, ""
        compute, build = {"fisher": (calibration.fisher, Fisher), "regmean": (calibration.grams, RegMean)}[name]
        examples = self.calibration
        begin = time.perf_counter()
        vlm = compute(self.loaded, self.loaded.tuned, examples.vlm)
        expert = compute(self.loaded, self.loaded.expert, examples.expert)
        return build(vlm, expert), time.perf_counter() - begin, f"calibrated on {examples.source}"

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
                "here": _seconds(lambda: self.resident.merge(setting)),
                "mergekit": _seconds(
                    lambda: self.loaded.write_language(mergekit_engine.merge(self.loaded, setting, mask_seed=0))
                ),
            },
            parameters=setting.parameters,
            grid=Grid(len(grid), float(grid.merge_seconds.sum()), float(grid.eval_seconds.sum())),
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

    def _score(self, weights: Weights) -> Outcome:
        self.loaded.write_language(weights)
        examples = self.evaluator.examples(TEST)
        return checked(self.evaluator.evaluate(self.loaded.vlm, examples), examples)


def _answers(outcome: Outcome) -> dict[str, Any]:
    ids = [example.id for example in outcome.examples]
    return {
        "scores": dict(zip(ids, np.asarray(outcome.scores, float).tolist(), strict=True)),
        "categories": {example.id: example.category for example in outcome.examples},
        "eval_seconds": outcome.seconds,
    }


def _seconds(merge: Callable[[], object]) -> float:
    """Shortest wall time of a merge, after one to warm up."""
    taken = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        merge()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])
