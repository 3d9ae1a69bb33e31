"""What a study says about its whole box: the setting to recommend, and how much care the choice needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.models import SingleTaskGP
from numpy.typing import NDArray
from scipy.stats import qmc

from hpo_bench.errors import TuningError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.trial import Trial
from optimizers.gp.constraint import LIKELY, chance
from optimizers.gp_bo import GpBo

Array = NDArray[np.float64]

SAMPLE_BITS = 13
LEAST_TRIALS = 3
"""A model of fewer results says nothing."""
AT_ONCE = 512
"""So many points are looked at together, which takes some memory for each and every result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearOptimal:
    """How far the settings of one method reach that are as good as the best; see `NearOptimalSet`.

    Attributes:
        share: Share of the method's box that they are.
        ranges: For each hyperparameter the lowest and the highest value among them.
        within: How far below the best a posterior mean may be, in score units.
    """

    share: float
    ranges: Mapping[str, tuple[float, float]]
    within: float


@dataclass(frozen=True, slots=True, eq=False)
class NearOptimalSet:
    """The settings of one method that are as good as the best, as far as anybody can tell.

    Those whose posterior mean is within one standard error of an evaluation of the highest (the rule of Breiman et al.,
    1984, for choosing among models), all among those that likely keep what must be kept.

    Attributes:
        method: Whose box.
        extent: How far it reaches.
        settings: An even sample of the box, of shape (n, d), in the hyperparameters' own units.
        means: Posterior means there, of shape (n,).
        inside: Which of these lie in the near-optimal set, of shape (n,).
    """

    method: str
    extent: NearOptimal
    settings: Array
    means: Array
    inside: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """The posterior over one method's box.

    Attributes:
        method: Whose.
        trials: What it rests on.
        means: Posterior means at these trials' settings, without noise.
        deviations: Their standard deviations.
        model: The posterior; None where there are too few trials for one, and the means are the scores.
        chances: Probabilities that these settings lose no more than allowed of what must be kept; 1 where nothing must.
        margins: The posterior of the margin; None where nothing must be kept, or there are too few trials.
        margin_means: Its means at these settings; None likewise.
    """

    method: str
    trials: Sequence[Trial]
    means: Array
    deviations: Array
    model: SingleTaskGP | None
    chances: Array
    margins: SingleTaskGP | None = None
    margin_means: Array | None = None

    @classmethod
    def of(cls, config: StudyConfig, method: str, trials: Sequence[Trial]) -> "Belief | None":
        """What the complete trials of a method tell; None if there is none."""
        done = [t for t in trials if t.setting.method == method and t.score is not None]
        if not done:
            return None
        scores = np.array([trial.score for trial in done], dtype=np.float64)
        errors = np.array([np.nan if t.standard_error is None else t.standard_error for t in done])
        if len(done) < LEAST_TRIALS:
            return cls(method, done, scores, errors, None, np.array([float(trial.feasible) for trial in done]))
        space = config.space(method)
        X = np.array([space.point(trial.setting) for trial in done])
        model = fitted(X, scores, errors)
        means, deviations = predict(model, X)
        if config.keep is None:
            return cls(method, done, means, deviations, model, np.ones(len(done)))
        left = np.array([trial.margin for trial in done], dtype=np.float64)
        doubts = np.array([np.nan if trial.margin_error is None else trial.margin_error for trial in done])
        margins = fitted(X, left, doubts)
        expected, doubt = predict(margins, X)
        return cls(method, done, means, deviations, model, chance(expected, doubt), margins, expected)

    @property
    def best(self) -> int:
        """Which of the trials ranks first."""
        return max(range(len(self.trials)), key=self.rank)

    def rank(self, index: int) -> tuple[bool, float]:
        """By what trials are compared: the posterior mean if what must be kept likely is, else the probability of that.

        Args:
            index: Which of the trials.
        """
        likely = bool(self.chances[index] >= LIKELY)
        return likely, float(self.means[index] if likely else self.chances[index])


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The setting that a study recommends.

    One that was merged and evaluated: of these the one with the highest posterior mean, over all methods, among those
    that likely keep what must be kept; if none does, the one that does with the highest probability. The highest score
    would be the luckiest draw.

    Attributes:
        trial: The trial that was made there.
        mean: Posterior mean of its score, from 0 to 1 as scores are.
        deviation: Posterior standard deviation.
        chance: Posterior probability that it keeps what must be kept; 1 where nothing must.
    """

    trial: Trial
    mean: float
    deviation: float
    chance: float

    @property
    def setting(self) -> MergeSetting:
        """What to merge."""
        return self.trial.setting


def fitted(X: Array, values: Array, errors: Array) -> SingleTaskGP:
    """GP-BO's model of results, whichever optimiser chose them.

    Args:
        X: Points in the unit cube, of shape (n, d).
        values: What came of them, of shape (n,).
        errors: Standard errors of that, of shape (n,); NaN where unknown.
    """
    optimizer = GpBo(X.shape[1], seed=0, budget=len(X))
    for x, value, error in zip(X, values.tolist(), errors.tolist(), strict=True):
        optimizer.tell(x, value, standard_error=None if np.isnan(error) else error, known=True)
    return optimizer.model


@torch.no_grad()
def predict(model: SingleTaskGP, X: Array) -> tuple[Array, Array]:
    """What a result would be without noise, and how sure that is.

    Args:
        model: The posterior.
        X: Points in the unit cube, of shape (m, d).

    Returns:
        Means and standard deviations, each of shape (m,).
    """
    # One by one and not jointly, as nobody asks for the covariance of thousands of points.
    parts = [model.posterior(part[:, None]) for part in torch.from_numpy(X).split(AT_ONCE)]
    means, variances = (torch.cat([getattr(one, name)[:, 0, 0] for one in parts]) for name in ("mean", "variance"))
    return means.numpy(), variances.sqrt().numpy()


def beliefs(config: StudyConfig, trials: Sequence[Trial]) -> list[Belief]:
    """The posteriors of all methods that have a complete trial."""
    return [belief for method in config.methods if (belief := Belief.of(config, method, trials)) is not None]


def recommend(held: Sequence[Belief]) -> Recommendation:
    """The evaluated setting that ranks first; see `Recommendation`.

    Raises:
        TuningError: If no trial was completed.
    """
    if not held:
        raise TuningError("no trial was completed, so there is nothing to recommend")
    top = max(held, key=lambda belief: belief.rank(belief.best))
    index = top.best
    return Recommendation(
        top.trials[index], within_scores(top.means[index]), float(top.deviations[index]), float(top.chances[index])
    )


def within_scores(mean: float) -> float:
    """A posterior mean of a score, which knows no bounds, brought back to where scores are, from 0 to 1."""
    return float(np.clip(mean, 0.0, 1.0))


def near_optimal(config: StudyConfig, belief: Belief) -> NearOptimalSet | None:
    """The near-optimal settings of a method; None where there are too few trials to tell."""
    if belief.model is None:
        return None
    space = config.space(belief.method)
    # A fixed seed: the near-optimal set is a property of the study and must not vary between calls.
    unit = qmc.Sobol(space.dim, rng=np.random.default_rng(0)).random_base2(SAMPLE_BITS)
    best = belief.trials[belief.best]
    # The best trial itself belongs to the near-optimal set, however small that is.
    unit = np.concatenate((unit, space.point(best.setting)[None]))
    means = predict(belief.model, unit)[0]
    within = best.standard_error or 0.0
    chances = np.ones(len(unit)) if belief.margins is None else chance(*predict(belief.margins, unit))
    likely = chances >= LIKELY
    inside = likely & (means >= means[likely].max(initial=-np.inf) - within)
    inside[-1] = True
    settings = space.values(unit)
    ranges = {
        name: (float(column.min()), float(column.max()))
        for name, column in zip(space.box.names, settings[inside].T, strict=True)
    }
    extent = NearOptimal(share=float(inside[:-1].mean()), ranges=ranges, within=within)
    return NearOptimalSet(belief.method, extent, settings, means, inside)
