"""What recommendations are worth on examples that nobody tuned on, where these were replayed one by one."""

from collections.abc import Sequence

import numpy as np

from hpo_bench.analyses.transfer import in_short
from hpo_bench.benchmark.replay.problem import ReplayedLandscape
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.statistics.intervals import Intervals

JUDGED = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50)
"""After so many evaluations a recommendation is asked for, besides the first and the last; it holds until the next."""


def replayed(benchmark: Benchmark) -> list[ReplayedLandscape]:
    """The landscapes, if they were replayed example by example; else none."""
    found = [one for one in benchmark.landscapes if isinstance(one, ReplayedLandscape)]
    return found if len(found) == len(benchmark.landscapes) else []


def figures(benchmark: Benchmark, points: Sequence[str]) -> dict | None:
    """Losses in points, how often the base VLM is beaten, and how much too high the reported score is.

    How much too high may be below 0, and has the interval of a difference; the scores themselves are from 0 to 1.

    Args:
        benchmark: What was run.
        points: After how many evaluations, or "end".

    Returns:
        Plain JSON values, as `transfer.losses` gives them, and by point and optimiser the share of runs whose
        recommendation scores above the VLM as it is (`beats`) and the points by which the reported score is above that
        on unseen examples (`optimism`); how many examples a setting answers on each landscape, and by how much the best
        score on unseen examples is lucky itself (`luck`). None where nothing was replayed.
    """
    found = replayed(benchmark)
    if not found:
        return None
    worth, told = benchmark.cube("best_so_far"), benchmark.cube("reported")
    top, base = (np.array(own)[:, None] for own in zip(*((one.optimum.score, one.base) for one in found), strict=True))
    intervals, ones = Intervals(benchmark.pairs), np.ones(len(found))
    lost, beats, optimism = {}, {}, {}
    for point in points:
        t = None if point == "end" else int(point)
        here, said = worth.at(t), told.at(t)
        lost[point] = {one: 100 * (top - own) for one, own in here.items()}
        beats[point] = {one: float((own > base).mean()) for one, own in here.items()}
        optimism[point] = {
            one: intervals.difference(100 * said[one], 100 * own, ones).as_json() for one, own in here.items()
        }
    return {
        "landscapes": len(found),
        "unit": "points",
        **in_short(lost, benchmark.pairs, reference=benchmark.reference),
        "beats": beats,
        "optimism": optimism,
        "examples": [one.examples for one in found],
        "luck": 100 * float(np.mean([one.luck for one in found])),
    }
