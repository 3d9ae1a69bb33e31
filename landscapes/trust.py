"""How far a landscape's surrogate can be trusted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from landscapes.card import Card
from landscapes.errors import FlatLandscapeError, InvalidGridError
from landscapes.problem import Problem
from landscapes.recording import Recorded, Truth
from surrogates.loocv import exact_loocv, study_loocv
from surrogates.scale import root_mean_square

Array = NDArray[np.float64]

NOT_MEASURED = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Measures of trust; per cents are of the range of the recorded scores of the same split, NaN is not measured.

    Attributes:
        study_loocv: RMSE % by the protocol of the study's appendix I: 20 random interior points; NaN without any.
        exact_loocv: RMSE % of leaving out every point once.
        exact_loocv_interior: RMSE % of leaving out every interior point once; NaN without any.
        argmax_shift: Distance from the surrogate's optimum to the best recorded setting (the nearest of equals), in the
            unit cube.
        noise_percent: Standard error of one evaluation near the optimum, in %; NaN where unknown.
        typical_noise_percent: Median standard error of one evaluation over the recorded settings, in %.
        overshoot_percent: By how much the surrogate's maximum exceeds the best recorded score, in %.
        held_out: Number of held-out settings inside the box.
        held_out_rmse: RMSE % of interpolation alone: the surrogate through the grid's test scores against the real test
            scores of held-out settings, the same examples on both sides.
        spearman: Rank correlation between the objective that optimisers see (tuning split) and the real test scores of
            held-out settings; sampling noise of the tuning split counts, because it misleads optimisers too.
        argmax_regret: What the held-out setting that the objective ranks first loses in real test score to the best of
            them, in % of their range.
        real_overshoot_percent: By how much the maximum of the surrogate through the test scores exceeds every test
            score ever measured in the box: grid, held-out and dense settings; negative if something real was better.
        mask_noise_percent: Standard deviation of the test score over mask seeds, root mean square over the settings at
            which it was recorded, in %; NaN for methods without masks.
    """

    study_loocv: float
    exact_loocv: float
    exact_loocv_interior: float
    argmax_shift: float
    noise_percent: float
    typical_noise_percent: float
    overshoot_percent: float
    held_out: int = 0
    held_out_rmse: float = NOT_MEASURED
    spearman: float = NOT_MEASURED
    argmax_regret: float = NOT_MEASURED
    real_overshoot_percent: float = NOT_MEASURED
    mask_noise_percent: float = NOT_MEASURED


def measure(landscape: Recorded, *, seed: int = 0) -> Fidelity:
    """Measure a landscape's surrogate against itself and against everything that was held out of it.

    Args:
        landscape: Which one.
        seed: Which points the study's protocol withholds.

    Raises:
        LandscapeError: If what was held out cannot be read or belongs to something else.
    """
    grid, surrogate = landscape.grid, landscape.surrogate
    nodes, y = landscape.space.to_unit(grid.X), grid.scores
    spread, best = float(np.ptp(y)), float(y.max())
    top = landscape.space.to_unit(landscape.optimum.x[None])
    return Fidelity(
        study_loocv=study_loocv(surrogate, nodes, y, rng=np.random.default_rng(seed)),
        exact_loocv=exact_loocv(surrogate, nodes, y, only_interior=False),
        exact_loocv_interior=exact_loocv(surrogate, nodes, y, only_interior=True),
        argmax_shift=float(np.linalg.norm(nodes[y == best] - top, axis=1).min()),
        noise_percent=100 * landscape.noise / spread,
        typical_noise_percent=100 * float(np.median(grid.standard_errors)) / spread,
        overshoot_percent=100 * (landscape.optimum.score - best) / spread,
        **_against_truth(landscape),
    )


def _against_truth(landscape: Recorded) -> dict:
    """Everything that needs real evaluations beside the grid, as far as they and the grid's test scores exist."""
    held_out, masks = landscape.held_out, landscape.masks
    if held_out is None and masks is None:
        return {}
    try:
        test = landscape.on("test")
    except (FlatLandscapeError, InvalidGridError):
        test = None  # Without a test surrogate and its range, only the order of the settings can be compared.
    found: dict = {}
    if held_out is not None:
        X, truth = _inside(landscape, held_out)
        seen = landscape.score(X)
        found |= {
            "held_out": len(truth),
            "spearman": float(np.corrcoef(rankdata(seen), rankdata(truth))[0, 1])
            if np.ptp(truth) > 0 < np.ptp(seen)
            else NOT_MEASURED,
            "argmax_regret": _percent(truth.max() - truth[np.argmax(seen)], float(np.ptp(truth))),
        }
        if test is not None:
            error = root_mean_square(test.score(X) - truth)
            measured = [test.grid.scores.max(), truth.max()]
            if landscape.dense is not None:
                measured.extend(_inside(landscape, landscape.dense)[1])
            found["held_out_rmse"] = _percent(error, test.grid.range)
            found["real_overshoot_percent"] = _percent(test.optimum.score - max(measured), test.grid.range)
    if masks is not None and test is not None:
        found["mask_noise_percent"] = _percent(mask_noise(masks), test.grid.range)
    return found


def mask_noise(masks: Truth) -> float:
    """Standard deviation of the score over mask seeds, in score units.

    Args:
        masks: Settings recorded with several mask seeds each.

    Returns:
        The root mean square over settings of their standard deviations; NaN if no setting has two seeds.
    """
    X, scores = masks.grid.X, masks.grid.scores
    _, setting = np.unique(X, axis=0, return_inverse=True)
    groups = [scores[setting.ravel() == one] for one in np.unique(setting)]
    deviations = [group.std(ddof=1) for group in groups if len(group) > 1]
    return root_mean_square(deviations) if deviations else NOT_MEASURED


def _inside(landscape: Recorded, truth: Truth) -> tuple[Array, Array]:
    """Settings inside the recorded box, of shape (m, d), and their real scores, of shape (m,)."""
    inside = landscape.space.contains(truth.grid.X)
    if not inside.any():
        raise InvalidGridError(
            f"{truth.grid.path} has no setting inside the box of {landscape.grid.path}; record it again"
        )
    return truth.grid.X[inside], truth.grid.scores[inside]


def _percent(value: float, spread: float) -> float:
    return 100 * float(value) / spread if spread > 0 else NOT_MEASURED


MOST_PERCENT = 10.0
"""No error may exceed this share of the range of recorded scores, in %."""
LEAST_SPEARMAN = 0.8
MARK = "†"
"""Stands after the name of a weak landscape in tables and figures."""
RULE = (
    f"weak ({MARK}): an error above {MOST_PERCENT:.0f}% of the range (noise of one evaluation, held-out RMSE, argmax "
    f"regret, overshoot, mask noise), a held-out Spearman below {LEAST_SPEARMAN:g}, or one of them not measured"
)


ERRORS = {
    "typical_noise_percent": "noise of one evaluation",
    "held_out_rmse": "held-out RMSE",
    "argmax_regret": "argmax regret",
    "overshoot_percent": "overshoot",
    "mask_noise_percent": "mask noise",
}
"""Those of `Fidelity` that judge, and what messages call them; only DARE has masks."""


def judge(fidelity: Fidelity, card: Card) -> tuple[str, ...]:
    """What the rule finds against a landscape.

    Args:
        fidelity: Its measures of trust.
        card: Its card, which says whether it has masks.

    Returns:
        A few words for each criterion that it fails or that was not measured; empty if it is not weak.
    """
    found = []
    for key, name in ERRORS.items():
        value = getattr(fidelity, key)
        if key == "mask_noise_percent" and card.method != "dare":
            continue
        if np.isnan(value):
            found.append(f"{name} not measured")
        elif value > MOST_PERCENT:
            found.append(f"{name} {_told(value, MOST_PERCENT, 1)}% > {MOST_PERCENT:.0f}%")
    if np.isnan(fidelity.spearman):
        found.append("held-out Spearman not measured")
    elif fidelity.spearman < LEAST_SPEARMAN:
        found.append(f"held-out Spearman {_told(fidelity.spearman, LEAST_SPEARMAN, 2)} < {LEAST_SPEARMAN:g}")
    return tuple(found)


def _told(value: float, limit: float, digits: int) -> str:
    """So many decimals, or as many more as tell the value from the limit."""
    while f"{value:.{digits}f}" == f"{limit:.{digits}f}" and value != limit:
        digits += 1
    return f"{value:.{digits}f}"


AnyProblem = TypeVar("AnyProblem", bound=Problem)


def marked(landscape: Problem) -> str:
    """The landscape's name, with a mark if it is weak."""
    return landscape.name + (MARK if landscape.weaknesses else "")


def split(landscapes: Iterable[AnyProblem]) -> tuple[list[AnyProblem], list[AnyProblem]]:
    """Sound and weak landscapes, each in the given order, so that a headline can be given with and without the weak."""
    sound: list[AnyProblem] = []
    weak: list[AnyProblem] = []
    for landscape in landscapes:
        (weak if landscape.weaknesses else sound).append(landscape)
    return sound, weak
