"""The truth is known: answers of a merge are the right ones, and the tuner must come back to it, in every family."""

import os
from pathlib import Path

import families
import pytest
from tuning_toys import in_this_process

from hpo_bench.display.console import PlainConsole
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.origin import StudyOrigin
from hpo_bench.tuning.run import run

TRUTH = MergeSetting("ta", 0.6, 0.8)


NEAR = ("0.59,0.79",)
"""Where a search of few trials begins; the one by teacher forcing, which is quick, begins nowhere and has more."""
# Every family once, tied in turn; `HPO_BENCH_ALL=1` runs each with either.
CASES = [
    (name, tied, False)
    for place, name in enumerate(families.FAMILIES)
    for tied in (False, True)
    if os.environ.get("HPO_BENCH_ALL") or tied == bool(place % 2)
] + [("llava_next", False, True)]


@pytest.mark.parametrize(("name", "tied", "forced"), CASES)
def test_the_truth_scores_one_and_tuning_comes_back_to_it(tmp_path: Path, name: str, tied: bool, forced: bool) -> None:
    folder = families.build(tmp_path / "pair", name, tied=tied)
    pair = Pair.read(families.with_truth(folder, TRUTH, forced=forced))
    loaded = LoadedPair.load(pair)
    evaluator, resident = open_evaluator(pair, loaded), Resident(loaded)
    scores = []
    for setting in (TRUTH, MergeSetting("ta", 1.0, 0.0), MergeSetting("ta", 0.0, 0.0)):
        resident.merge(setting)
        scores.append(evaluator.evaluate(loaded.vlm, evaluator.examples("test")).score)
    assert scores[0] == 1.0
    assert max(scores[1:]) < 0.9
    trials, starts = (30, ()) if forced else (3, NEAR)
    options = RunOptions(trials=trials, studies=tmp_path / "tuning", study="truth")
    origin = StudyOrigin(str(pair.folder), str(pair.folder), ("hpo-bench",))
    result = run(
        pair, StudyConfig.of(pair, starts=starts), options,
        console=PlainConsole(quiet=True), origin=origin, open_pool=in_this_process(pair),
    )  # fmt: skip
    assert result.merges[0].validation >= 0.9
