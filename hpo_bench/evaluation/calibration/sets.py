"""What the data-aware methods are calibrated on, pair by pair.

As in the study's appendix C the VLM is calibrated on what VLMs are tuned on, plain visual questions, and the expert on
texts of its own skill; 500 of each, or as many as there are. A test example is never among them, and no score is
looked at: what tuned methods read off validation questions, these do not.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.calibration.statistics import CalibrationSet, statistics
from hpo_bench.evaluation.examples import SPLITS, Example
from hpo_bench.evaluation.local import FileEvaluator
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod, Statistics
from hpo_bench.merging.methods.vectors import Weights
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import parse_path

FILE = "calibration.parquet"
"""A set of the user's own, in a pair's folder: examples with the columns of `examples.parquet`, with pictures for the
VLM and without for the expert."""


def calibration_set(
    pair: Pair,
    *,
    validation: Sequence[Example],
    test: Sequence[Example],
    samples: int,
    texts: Sequence[Example] = (),
    expert_reads: Literal["texts", "pictures"] = "texts",
) -> CalibrationSet:
    """The calibration set of a pair.

    In this order: the file that its `pair.yaml` names as `examples` under `calibration`, or else `calibration.parquet`
    in its folder; where the caller has new texts of the expert's skill general validation questions and these; else
    general validation questions, and for the expert those of its skill, pictures and all, which it then reads in the
    VLM's place.

    Args:
        pair: The pair.
        validation: The benchmark's examples for tuning.
        test: Those that everybody is scored on.
        samples: At most so many for each model.
        texts: New texts of the expert's skill; for a nano pair `hpo_bench.nano.texts.new_texts` draws them.
        expert_reads: "pictures" gives the expert questions with pictures even where there are texts.

    Raises:
        UsageError: If the pair's file holds test examples, or the pair names data that is not here.
        MergeError: If nothing is left for one of the models.
    """
    rng = np.random.default_rng(0)
    path = pair.folder / FILE
    named = pair.calibration.get("examples")
    if named:
        path = parse_path(named, pair.folder, confined=True, where=f"{pair.folder}: calibration")
    if named or path.is_file():
        chosen = read_examples(path)
        _refuse_test_examples(path, chosen, test)
        pictured = [example for example in chosen if example.images]
        without = [example for example in chosen if not example.images and expert_reads == "texts"]
        return CalibrationSet(_draw(pictured, samples, rng), _draw(without or pictured, samples, rng), source=path.name)
    if {"vlm", "expert"} & set(pair.calibration):
        raise UsageError(
            f"pair {pair.name!r} names calibration data on the hub, which is not fetched: write {samples} questions "
            f"with pictures and {samples} texts with `hpo_bench.evaluation.examples.write_examples` to {path}"
        )
    general = [example for example in validation if example.category == "general"] or validation
    vlm = _draw(general, samples, rng)
    if texts and expert_reads == "texts":
        new = tuple(texts[:samples])
        source = (
            f"{len(vlm)} general validation questions for the VLM, {len(new)} new texts of its skill for the expert"
        )
        return CalibrationSet(vlm, new, source=source)
    skill = _draw([example for example in validation if example.category != "general"] or validation, samples, rng)
    source = (
        f"{len(vlm)} general validation questions for the VLM, {len(skill)} of the skill, with pictures, for the expert"
    )
    return CalibrationSet(vlm, skill, source=source)


def calibrated(
    pair: Pair, loaded: LoadedPair, kind: type[MergeMethod], samples: int, *, texts: Sequence[Example] = ()
) -> Mapping[Statistics, tuple[Weights, Weights]]:
    """The statistics that a merge method needs, of the pair's own calibration set; empty where it needs none.

    Args:
        pair: The pair.
        loaded: The same in memory; left as it was.
        kind: The merge method.
        samples: At most so many for each model.
        texts: New texts of the expert's skill, where there are some.

    Raises:
        UsageError: If the calibration set or the benchmark cannot be used.
        MergeError: If nothing is there to calibrate a model on, or no processor to read it with.
    """
    if kind.needs is None:
        return {}
    try:
        evaluator = open_evaluator(pair, loaded)
        examples = {split: evaluator.examples(split) for split in SPLITS}
    except (UsageError, EvaluationError) as error:
        raise UsageError(
            f"{kind.label} is calibrated on examples: write {samples} questions with pictures and {samples} texts to "
            f"{pair.folder / FILE}, or name them under `calibration: examples:` in pair.yaml ({error})"
        ) from error
    chosen = calibration_set(
        pair, validation=examples["validation"], test=examples["test"], samples=samples, texts=texts
    )
    prompts = evaluator.prompts if isinstance(evaluator, FileEvaluator) else None
    return {kind.needs: statistics(loaded, kind.needs, chosen, prompts=prompts)}


def _draw(examples: Sequence[Example], samples: int, rng: np.random.Generator) -> tuple[Example, ...]:
    kept = np.sort(rng.permutation(len(examples))[:samples])
    return tuple(examples[int(index)] for index in kept)


def _refuse_test_examples(path: Path, chosen: Sequence[Example], test: Sequence[Example]) -> None:
    ids = {example.id for example in test}
    asked = {(example.question, example.images) for example in test}
    leaked = [one.id for one in chosen if one.id in ids or (one.question, one.images) in asked]
    if leaked:
        raise UsageError(f"{path}: {len(leaked)} of its examples are test examples ({leaked[0]} first); take them out")
