"""Whether a study told any of its merges from another."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import f as f_distribution

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers

LEVEL = 0.05
"""Merges count as told apart where equally good ones would look so different in fewer cases than this."""


def chance_of_luck(scored: Sequence[Answers]) -> float:
    """How likely merges that are equally good would differ as much as these do.

    A repeated-measures analysis of variance: every merge answered the same examples, and what counts is whether their
    mean scores differ by more than the examples disagree on which merge is better. Merges that lie near each other
    answer alike, which the test allows for (Greenhouse & Geisser, "On methods in the analysis of profile data", 1959).

    Args:
        scored: How n merges did on the same m examples.

    Returns:
        The p-value; 1 where every merge scored the same on every example, or there are too few to tell.

    Raises:
        TuningError: If they answered different examples.
    """
    if len({one.ids for one in scored}) > 1:
        raise TuningError("two merges answered different examples; the benchmark changed between them")
    if len(scored) < 2 or len(scored[0]) < 2:
        return 1.0
    scores = np.array([one.scores for one in scored])
    n, m = scores.shape
    means = scores.mean(axis=1)
    # What is left when neither the example nor the merge explains it.
    rest = scores - scores.mean(axis=0) - means[:, None] + scores.mean()
    between, within = m * np.square(means - means.mean()).sum(), np.square(rest).sum()
    # Sums of n m squares of numbers of about 1, whose rounding is all that is left where nothing differs.
    rounding = n * m * np.finfo(float).eps
    if between <= rounding:
        return 1.0
    if within <= rounding:
        return 0.0
    spread = np.linalg.svd(rest, compute_uv=False) ** 2
    evenness = float(np.clip(spread.sum() ** 2 / ((n - 1) * np.square(spread).sum()), 1 / (n - 1), 1.0))
    ratio = between / (n - 1) / (within / ((n - 1) * (m - 1)))
    return float(f_distribution.sf(ratio, evenness * (n - 1), evenness * (n - 1) * (m - 1)))
