"""Does injection still pay in larger models? A language and a maths pair at three sizes (the study's appendix D)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpo_bench.display.steps import Told
from hpo_bench.display.table import TextTable
from hpo_bench.errors import ResultsError
from hpo_bench.evaluation.examples import Split
from hpo_bench.experiments.opened import OpenedPair
from hpo_bench.experiments.page import Part
from hpo_bench.files import read_record, write_record
from hpo_bench.merging.methods.norm_aware import NAN
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.recording import designs
from hpo_bench.statistics.examples import error_of_difference

STUDY = (
    "The study gained, at 2B, 7B and 72B parameters, +29.6, +40.8 and +36.0 points by NaN on instruction following "
    "(its Table 6), and +0.46, +2.53 and +0.92 by Task Arithmetic on maths (its Table 7)."
)
PAGE = "scale.md"
HOW = """\
One language and one maths pair of nano models, trained from scratch by the same recipe at three sizes, and what merging
gains in each over the VLM as it is, in points of accuracy on the test split, plus or minus twice the standard error of
the paired difference. Each rung is one training: gains differ by its luck as well, which the intervals leave out.

- **NAN** sets both coefficients from the weights' norms and needs no tuning.
- **TA** is Task Arithmetic at the best of the study's 25 settings on the validation split.
- Both are given at (weight of the VLM's task vector, weight of the expert's).
"""


@dataclass(frozen=True, slots=True)
class Gain:
    """What one merge method gains over the VLM as it is.

    Attributes:
        method: "nan" or "ta".
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's.
        score: On the test split.
        gain: Score minus the unmerged VLM's.
        standard_error: Of the gain, paired over examples; see `error_of_difference`.
    """

    method: str
    vl_weight: float
    exp_weight: float
    score: float
    gain: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Rung:
    """One pair, which is one size of one ladder.

    Attributes:
        pair: Its name.
        domain: Of its benchmark.
        parameters: Of its language model.
        n_examples: On the test split.
        vlm: The unmerged VLM's test score.
        gains: Of NAN, which needs no tuning, and of Task Arithmetic, tuned on the validation split.
    """

    pair: str
    domain: str
    parameters: int
    n_examples: int
    vlm: float
    gains: tuple[Gain, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file of measurements holds: of which files, and what."""

    checkpoints: Mapping[str, Mapping[str, str]]
    rung: Rung


def climb(pairs: Iterable[Pair], folder: Path, *, progress: Told = lambda *_: None) -> list[Rung]:
    """Measure every pair, or read what was measured of the same weights before.

    Args:
        pairs: The ladder's rungs.
        folder: Where measurements are kept, one JSON file a pair.
        progress: Told of every evaluation.

    Raises:
        MergeError: If a pair cannot be loaded.
        EvaluationError: If a merged model cannot be scored.
        ResultsError: If a file of measurements is broken.
    """
    return [_read_or_measure(pair, folder / f"{pair.name}.json", progress) for pair in pairs]


def measure(pair: Pair, *, progress: Told = lambda *_: None) -> Rung:
    """Score the unmerged VLM, NAN, and Task Arithmetic at the best of the study's 25 settings.

    The best is the one with the highest validation score, the first of equals; gains are on the test split.

    Raises:
        MergeError: If the pair cannot be loaded.
        EvaluationError: If a merged model cannot be scored.
    """
    opened = OpenedPair(pair)
    grid = [point.setting for point in designs.grid("ta").points]
    total = len(grid) + 3
    done = 0

    def score(setting: MergeSetting, split: Split) -> np.ndarray:
        nonlocal done
        scores = opened.merged(setting, split).scores
        done += 1
        progress(done, total, f"{split} at {setting.vl_weight:g} {setting.exp_weight:g}: {scores.mean():.3f}")
        return scores

    tuned = grid[int(np.argmax([score(setting, "validation").mean() for setting in grid]))]
    untuned = MergeSetting("ta", *NAN().coefficients(TaskVectors.of(opened.loaded)))
    vlm = score(MergeSetting("ta", 1.0, 0.0), "test")
    gains = []
    for method, setting in (("nan", untuned), ("ta", tuned)):
        scores = score(setting, "test")
        change = scores - vlm
        gains.append(
            Gain(
                method=method,
                vl_weight=setting.vl_weight,
                exp_weight=setting.exp_weight,
                score=float(scores.mean()),
                gain=float(change.mean()),
                standard_error=error_of_difference(change),
            )
        )
    return Rung(
        pair=pair.name,
        domain=pair.domain,
        parameters=sum(weight.numel() for weight in opened.loaded.base.values()),
        n_examples=len(vlm),
        vlm=float(vlm.mean()),
        gains=tuple(gains),
    )


def page(rungs: Sequence[Rung]) -> list[Part]:
    """What stands on the page."""
    return ["# Does injection still pay in larger models?", HOW, table(rungs), STUDY]


def table(rungs: Sequence[Rung]) -> TextTable:
    """Gains in points with twice their standard error, a row a rung."""
    rows = []
    for rung in rungs:
        cells = [rung.pair, f"{rung.parameters / 1e6:.1f}M", str(rung.n_examples), f"{100 * rung.vlm:.1f}"]
        for gain in rung.gains:
            cells += [
                f"({gain.vl_weight:.2f}, {gain.exp_weight:.2f})",
                f"{100 * gain.gain:+.1f} ± {200 * gain.standard_error:.1f}",
            ]
        rows.append(cells)
    columns = ("pair", "language model", "examples", "VLM", "NAN at", "gain of NAN", "TA at", "gain of TA")
    return TextTable.of(columns, rows)


def _read_or_measure(pair: Pair, path: Path, progress: Told) -> Rung:
    checkpoints = pair.file_hashes()
    if path.exists():
        kept = read_record(path, _Kept, wrong=ResultsError, cure="delete it to measure again")
        if kept.checkpoints == checkpoints:
            return kept.rung
    rung = measure(pair, progress=progress)
    write_record(path, _Kept(checkpoints, rung))
    return rung
