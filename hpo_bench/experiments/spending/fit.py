"""The model behind a plan, fitted to replays and checked on pairs and domains that it was not fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from hpo_bench.experiments.spending.whole import MEAN
from hpo_bench.tuning.planning.spending import LEAST_SETTINGS, LossModel

SLOWEST = 10.0
"""The most settings that the search needs to come a factor of e nearer."""
FEWEST = 40
"""Examples below which the model is not fitted."""


@dataclass(frozen=True, slots=True)
class Check:
    """How the model does where it was not fitted.

    Attributes:
        left_out: What was left out, each in turn: pair or domain.
        error: Root of the mean squared error of the logarithm of the mean loss over what was left out together, over
            numbers of settings and examples.
        chosen: For each budget the mean loss of what the model chooses on what it did not see.
        hindsight: Of the choice that was best there.
    """

    left_out: str
    error: float
    chosen: dict[int, float]
    hindsight: dict[int, float]


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean losses of GP-BO by pair, domain, settings and examples; pools of a pair count equally."""
    own = rows[(rows["plan"] == "gp-bo") & (rows["rule"] == MEAN) & (rows["settings"] >= LEAST_SETTINGS)]
    own = own[own["size"] >= FEWEST]
    keys = ["pair", "domain", "settings", "size"]
    return own.groupby([*keys, "pool"])["loss"].mean().groupby(keys).mean().reset_index()


def fit(table: pd.DataFrame) -> LossModel:
    """Least squares in the logarithm, to mean losses over pairs.

    Args:
        table: As of `cells`.
    """
    mean = table.groupby(["settings", "size"])["loss"].mean().clip(lower=1e-3).reset_index()
    settings, size, loss = (mean[name].to_numpy(float) for name in ("settings", "size", "loss"))

    def residual(logs: np.ndarray) -> np.ndarray:
        return np.log(_losses(LossModel(*np.exp(logs)), settings, size)) - np.log(loss)

    # A search that never ends would stand for what is lost whatever is done.
    bounds = np.log([[1e-4, 0.5, 1e-4], [100.0, SLOWEST, 100.0]])
    found = np.exp(least_squares(residual, np.log([0.3, 3.0, 0.6]), bounds=bounds).x)
    return LossModel(*(float(value) for value in found))


def miss(model: LossModel, table: pd.DataFrame) -> float:
    """Root of the mean squared error of the logarithm of mean losses over pairs.

    Args:
        model: Fitted to something else.
        table: As of `cells`.
    """
    mean = table.groupby(["settings", "size"])["loss"].mean().clip(lower=1e-3).reset_index()
    expected = _losses(model, mean["settings"].to_numpy(float), mean["size"].to_numpy(float))
    return float(np.sqrt(np.square(np.log(expected / mean["loss"])).mean()))


def choice(model: LossModel, table: pd.DataFrame, budget: int) -> tuple[int, int]:
    """Of the measured numbers of settings and examples that the budget buys, those the model expects to lose least."""
    pairs = table[["settings", "size"]].drop_duplicates()
    able = pairs[pairs["settings"] * pairs["size"] <= budget]
    losses = _losses(model, able["settings"].to_numpy(float), able["size"].to_numpy(float))
    best = able.iloc[int(np.argmin(losses))]
    return int(best["settings"]), int(best["size"])


def check(table: pd.DataFrame, *, by: str, budgets: Sequence[int]) -> Check:
    """Leave one out, fit to the others, predict it.

    Args:
        table: As of `cells`.
        by: What to leave out: pair or domain.
        budgets: In example evaluations.
    """
    predicted, chosen, hindsight = [], {b: [] for b in budgets}, {b: [] for b in budgets}
    for left, own in table.groupby(by):
        model = fit(table[table[by] != left])
        expected = _losses(model, own["settings"].to_numpy(float), own["size"].to_numpy(float))
        predicted.append(own.assign(expected=expected))
        means = own.groupby(["settings", "size"])["loss"].mean()
        for budget in budgets:
            able = means[[s * m <= budget for s, m in means.index]]
            chosen[budget] += [float(means[choice(model, own, budget)])] * own["pair"].nunique()
            hindsight[budget] += [float(able.min())] * own["pair"].nunique()
    mean = pd.concat(predicted).groupby(["settings", "size"])[["loss", "expected"]].mean()
    error = float(np.sqrt(np.square(np.log(mean["expected"] / mean["loss"].clip(lower=1e-3))).mean()))
    return Check(
        by,
        error,
        {b: float(np.mean(v)) for b, v in chosen.items()},
        {b: float(np.mean(v)) for b, v in hindsight.items()},
    )


def _losses(model: LossModel, settings: np.ndarray, examples: np.ndarray) -> np.ndarray:
    return np.array([model.loss(t, m) for t, m in zip(settings, examples, strict=True)])
