"""When to end: what the rest of a budget can be expected to gain on unseen examples."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc

from optimizers.gp.fit import fit_map, hyperparameters, typical
from optimizers.gp.kernels import Priors
from optimizers.gp.model import standardised
from optimizers.gp.posterior import covariance

Array = NDArray[np.float64]

LEAST_TRIALS = 5
"""Four are a search's first look, and a model of fewer says nothing of what it did not see."""
PLACES = 8
"""Two to this power settings of the box are candidates."""
AT_ONCE = 16
"""More further settings than these are thought of as these."""
DRAWS = 512
_ROUNDING = 1e-8


@torch.no_grad()
def gain_ahead(
    X: Array, answers: Array, *, further: int, able: NDArray[np.bool_] | None = None, rival: float = -np.inf
) -> float:
    """What further settings are expected to add, on unseen examples, to the setting that is recommended.

    Every setting answers the same examples. What an example adds to all scores alike is no noise between settings; what
    is left when example and setting are accounted for says how uncertain differences are, and its covariance over
    examples is the covariance of the errors of scores: a two-way model of a surface over settings (a Gaussian process),
    an effect of each example, and a surface of each example's own. It costs the number of settings cubed, and the
    number of examples once.

    Further settings are where draws of the surface have their maxima (Thompson, 1933), and the gain is how much higher
    the highest posterior mean is expected to be when all of them are scored (the parallel knowledge gradient of Wu and
    Frazier, 2016, without the search for the best batch).

    Args:
        X: Settings in the unit cube, of shape (n, d), n at least 2.
        answers: Scores of m examples at each, of shape (n, m).
        further: How many more settings the budget buys.
        able: Which of the settings may be recommended, of shape (n,); by default all.
        rival: A score that is to be had anyhow.

    Returns:
        The gain in units of the scores, at least 0; the same for the same arguments. Infinite if nothing may be
        recommended so far.
    """
    if further < 1:
        return 0.0
    (n, m), scores = answers.shape, answers.mean(axis=1)
    rest = answers - answers.mean(axis=0) - (scores - scores.mean())[:, None]
    y, offset, scale = standardised(scores[None])
    size = float(scale[0, 0])
    errors = torch.from_numpy(rest @ rest.T / max(m - 1, 1) / m / size**2)
    points, told = torch.from_numpy(np.array(X, dtype=np.float64))[None], torch.from_numpy(np.array(y))
    priors = Priors()
    start = typical(X.shape[1]).expand(1, 1, -1)
    kernel = hyperparameters(fit_map(points, told, errors.diagonal()[None].clone(), start, priors), priors)
    box = qmc.Sobol(X.shape[1], rng=np.random.default_rng(0)).random_base2(PLACES)
    every = torch.cat((points, torch.from_numpy(box)[None]), 1)
    prior = covariance(every, every, kernel)[0]
    noise = float(kernel.noise[0])
    own = prior[:n, :n] + errors + noise * torch.eye(n, dtype=torch.double)
    whitener = torch.linalg.inv(torch.linalg.cholesky(own))
    ones, white_y = whitener.sum(1), whitener @ told[0]
    level = (ones * white_y).sum() / ones.square().sum()
    cross = whitener @ prior[:n]
    mean = level + cross.T @ (white_y - level * ones)
    # The level is known no better than the scores are, which a difference of two settings does not feel.
    spread = prior - cross.T @ cross
    root = torch.linalg.cholesky(spread + _ROUNDING * float(kernel.outputscale[0]) * torch.eye(len(spread)))
    generator = torch.Generator().manual_seed(0)
    surfaces = mean[:, None] + root @ torch.randn(
        len(spread), min(further, AT_ONCE), generator=generator, dtype=torch.double
    )
    tried = surfaces[n:].argmax(0).unique() + n
    seen = spread[tried][:, tried] + (float(errors.diagonal().mean()) + noise) * torch.eye(len(tried))
    held = torch.arange(n) if able is None else torch.from_numpy(np.flatnonzero(able))
    at = torch.cat((held, tried))
    moves = torch.linalg.solve_triangular(torch.linalg.cholesky(seen), spread[tried][:, at], upper=False)
    drawn = torch.randn(DRAWS // 2, len(tried), generator=generator, dtype=torch.double)
    shifts = torch.cat((drawn, -drawn)) @ moves
    known = float(mean[held].max()) if len(held) else -np.inf
    floor = max(known, (rival - float(offset[0, 0])) / size)
    later = (mean[at] + shifts).max(1).values.clamp_min(floor)
    return max(float(later.mean()) - floor, 0.0) * size
