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
from hpo_bench.evaluation.calibration import CalibrationSet, statistics
from hpo_bench.evaluation.examples import SPLITS, Example
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod, Statistics
from hpo_bench.merging.methods.vectors import Weights
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import parse_path
from landscapes.written import read_json

FILE = "calibration.parquet"
"""A set of the user's own, in a pair's folder: examples with the columns of `examples.parquet`, with pictures for the
VLM and without for the expert."""


def calibration_set(
    pair: Pair,
    *,
    validation: Sequence[Example],
    test: Sequence[Example],
    samples: int,
    expert_reads: Literal["texts", "pictures"] = "texts",
) -> CalibrationSet:
    """The calibration set of a pair.

    In this order: the file that its `pair.yaml` names as `examples` under `calibration`, or else `calibration.parquet`
    in its folder; for a nano pair general validation questions and new texts of the expert's skill, drawn as the
    expert's training texts were; else general validation questions, and for the expert those of its skill, pictures
    and all, which it then reads in the VLM's place.

    Args:
        pair: The pair.
        validation: The benchmark's examples for tuning.
        test: Those that everybody is scored on.
        samples: At most so many for each model.
        expert_reads: "pictures" gives the expert questions with pictures even where there are texts.

    Raises:
        UsageError: If the pair's file holds test examples, or the pair names data that is not here.
        MergeError: If nothing is left for one of the models.
    """
    rng = np.random.default_rng(0)
    path = pair.folder / FILE
    if named := pair.calibration.get("examples"):
        path = parse_path(named, pair.folder, confined=True, where=f"{pair.folder}: calibration")
    if path.is_file():
        chosen = read_examples(path)
        _refuse_test_examples(path, chosen, test)
        pictured = [example for example in chosen if example.images]
        texts = [example for example in chosen if not example.images and expert_reads == "texts"]
        return CalibrationSet(_draw(pictured, samples, rng), _draw(texts or pictured, samples, rng), source=path.name)
    if {"vlm", "expert"} & set(pair.calibration):
        raise UsageError(
            f"pair {pair.name!r} names calibration data on the hub, which is not fetched: write {samples} questions "
            f"with pictures and {samples} texts with `hpo_bench.evaluation.examples.write_examples` to {path}"
        )
    general = [example for example in validation if example.category == "general"] or validation
    vlm = _draw(general, samples, rng)
    texts = _nano_texts(pair.folder / "recipe.json", samples) if expert_reads == "texts" else ()
    if texts:
        source = (
            f"{len(vlm)} general validation questions for the VLM, {len(texts)} new texts of its skill for the expert"
        )
        return CalibrationSet(vlm, texts, source=source)
    skill = _draw([example for example in validation if example.category != "general"] or validation, samples, rng)
    source = (
        f"{len(vlm)} general validation questions for the VLM, {len(skill)} of the skill, with pictures, for the expert"
    )
    return CalibrationSet(vlm, skill, source=source)


def calibrated(
    pair: Pair, loaded: LoadedPair, kind: type[MergeMethod], samples: int
) -> Mapping[Statistics, tuple[Weights, Weights]]:
    """The statistics that a merge method needs, of the pair's own calibration set; empty where it needs none.

    Args:
        pair: The pair.
        loaded: The same in memory; left as it was.
        kind: The merge method.
        samples: At most so many for each model.

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
    chosen = calibration_set(pair, validation=examples["validation"], test=examples["test"], samples=samples)
    return {kind.needs: statistics(loaded, kind.needs, chosen)}


def _draw(examples: Sequence[Example], samples: int, rng: np.random.Generator) -> tuple[Example, ...]:
    kept = np.sort(rng.permutation(len(examples))[:samples])
    return tuple(examples[int(index)] for index in kept)


def _nano_texts(recipe: Path, samples: int) -> tuple[Example, ...]:
    """New texts of a nano expert's skill; none without a recipe, or where the words to draw from are not installed."""
    if not recipe.is_file():
        return ()
    from hpo_bench.nano.architectures.base import IMAGE_TOKENS
    from hpo_bench.nano.recipes import SKILLS
    from hpo_bench.nano.world import DIGITS, objects

    try:
        things = (*objects(), *DIGITS)
    except UsageError:  # the extra `nano` is not installed
        return ()
    content = read_json(recipe, wrong=UsageError)
    name, seed = (content.get(key) for key in ("skill", "seed")) if isinstance(content, dict) else (None, None)
    if not isinstance(name, str) or name not in SKILLS or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"{recipe} is no recipe of `hpo-bench nano build`; remove it, or build the pair again")
    skill = SKILLS[name]
    rng = np.random.default_rng([seed, *b"calibration"])
    drawn = []
    for index in range(samples):
        turn = skill(rng, things)
        repeat = IMAGE_TOKENS if rng.random() < 1 / 3 else 1
        drawn.append(Example(f"calibration-{index:04d}", "skill", turn.in_words(repeat), (), turn.answer))
    return tuple(drawn)


def _refuse_test_examples(path: Path, chosen: Sequence[Example], test: Sequence[Example]) -> None:
    ids = {example.id for example in test}
    asked = {(example.question, example.images) for example in test}
    leaked = [one.id for one in chosen if one.id in ids or (one.question, one.images) in asked]
    if leaked:
        raise UsageError(f"{path}: {len(leaked)} of its examples are test examples ({leaked[0]} first); take them out")
