"""Rankings of optimisers under several guises, and how far they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.statistics.intervals import TAILS
from hpo_bench.statistics.luck import REPLICATES
from hpo_bench.statistics.rounding import told_apart

Array = NDArray[np.float64]

FLOOR = 1e-3
"""Mean regrets below a thousandth of the range tie: no evaluation could tell them apart."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the ranking under one guise agrees with that of a reference.

    Attributes:
        tau: Kendall's tau-b of both rankings; NaN where one of them is a single tie.
        low: Lower end of its 95% interval.
        high: Upper end.
        winners: Who is first under this guise, several where they tie.
        same_winner: Whether those who are first under the reference are among them.
        same_winner_share: In which share of resamples, of those with a ranking on both sides, that is so.
    """

    tau: float
    low: float
    high: float
    winners: tuple[str, ...]
    same_winner: bool
    same_winner_share: float


def tau_b(a: Array, b: Array) -> Array:
    """Kendall's tau-b (Kendall 1945) along the last axis, ties counted as ties.

    Args:
        a: Values to rank, of shape (..., k).
        b: Values of that shape.

    Returns:
        Of shape (...,); NaN where all of a or all of b tie.
    """
    signs = [np.sign(values[..., :, None] - values[..., None, :]) for values in (a, b)]
    both = (signs[0] * signs[1]).sum((-2, -1))
    size = np.sqrt((signs[0] ** 2).sum((-2, -1)) * (signs[1] ** 2).sum((-2, -1)))
    return np.divide(both, size, out=np.full(np.shape(both), np.nan), where=size > 0)


def agree(
    guise: Mapping[str, Array],
    reference: Mapping[str, Array],
    *,
    pairs: Sequence[str],
    reference_pairs: Sequence[str] | None = None,
    seed: int = 0,
) -> Agreement:
    """Compare two rankings by mean regret over landscapes and seeds.

    The interval is a percentile bootstrap that draws whole pairs, whose landscapes share models, and seeds within each
    landscape, apart for both. Pairs are drawn the same for both, if the reference's are these or more; and apart if it
    has others. An interval over few pairs is rough, and one over a single pair holds the luck of seeds alone.

    Args:
        guise: For each optimiser its regrets, of shape (landscapes, seeds).
        reference: The same under the reference, for the same optimisers.
        pairs: The pair of each landscape.
        reference_pairs: The same of the reference's landscapes, where these are others.
        seed: Of the resampling.
    """
    names = list(guise)
    stacks = [np.stack([of[name] for name in names]) for of in (guise, reference)]
    means = [_floored(stack.mean((1, 2))) for stack in stacks]
    rng = np.random.default_rng(seed)
    if reference_pairs is None:
        weights = [_weights(pairs, rng)] * 2
    elif set(pairs) <= set(reference_pairs):
        ours = _weights(reference_pairs, rng)
        weights = [ours[:, [list(reference_pairs).index(pair) for pair in pairs]], ours]
    else:
        weights = [_weights(of, rng) for of in (pairs, reference_pairs)]
    drawn = [_floored(_resampled(stack, weight, rng)) for stack, weight in zip(stacks, weights, strict=True)]
    taus = tau_b(*drawn)
    known = taus[np.isfinite(taus)]
    low, high = np.quantile(known, TAILS) if len(known) else (np.nan, np.nan)
    first = [one == one.min(-1, keepdims=True) for one in means]
    ranked = np.isfinite(drawn[0]).all(-1) & np.isfinite(drawn[1]).all(-1)
    resampled = [one == one.min(-1, keepdims=True) for one in drawn]
    return Agreement(
        tau=float(tau_b(*means)),
        low=float(low),
        high=float(high),
        winners=tuple(name for name, is_first in zip(names, first[0], strict=True) if is_first),
        same_winner=bool((first[0] & first[1]).any()),
        same_winner_share=float((resampled[0] & resampled[1]).any(-1)[ranked].mean()),
    )


def _floored(values: Array) -> Array:
    return np.maximum(told_apart(values, 1.0), FLOOR)


def _weights(pairs: Sequence[str], rng: np.random.Generator) -> Array:
    """How often each landscape is in each resample, shape (replicates, landscapes)."""
    _, cluster = np.unique(np.asarray(pairs), return_inverse=True)
    clusters = int(cluster.max()) + 1
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=REPLICATES)[:, cluster].astype(float)


def _resampled(stack: Array, weight: Array, rng: np.random.Generator) -> Array:
    """Mean regret of each optimiser in each resample, shape (replicates, optimisers)."""
    optimizers, landscapes, seeds = stack.shape
    means = np.empty((len(weight), optimizers, landscapes))
    for place in range(landscapes):
        # Each optimiser has seeds of its own, but for luck that they share.
        times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(weight)) / seeds
        means[:, :, place] = times @ stack[:, place].T
    # None of a few pairs may be drawn; there is no ranking then.
    with np.errstate(invalid="ignore"):
        return (means * weight[:, None]).sum(-1) / weight.sum(-1)[:, None]
