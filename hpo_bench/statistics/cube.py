"""A figure of many runs as one array with named axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

TAKEN = frozenset(
    {
        "landscape", "pair", "domain", "task", "method", "optimizer", "optimiser", "seed", "t", "score", "best_so_far",
        "regret", "restart", "restart_reason", "ask_seconds", "recommended", "reported", "key",
    }
)  # fmt: skip
"""Columns that tables of runs have beside those of hyperparameters, in memory or in a file."""


def column_of(hyperparameter: str) -> str:
    """Its column in tables of runs: its name, but where they have another of that name, such as t (of SLERP).

    Examples:
        >>> column_of("density"), column_of("t")
        ('density', 'hyperparameter t')
    """
    # No hyperparameter has a blank in its name.
    return f"hyperparameter {hyperparameter}" if hyperparameter in TAKEN else hyperparameter


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A figure, such as the regret, by problem, optimiser, seed and evaluation.

    Attributes:
        problems: Names along the first axis.
        optimizers: Identities along the second.
        budgets: Evaluations of the runs on each problem, of shape (problems,).
        values: Of shape (problems, optimizers, seeds, evaluations); NaN beyond a problem's budget.
    """

    problems: tuple[str, ...]
    optimizers: tuple[str, ...]
    budgets: NDArray[np.int64]
    values: FloatArray

    @classmethod
    def of(
        cls,
        runs: pd.DataFrame,
        figure: str,
        *,
        problems: Sequence[str] | None = None,
        optimizers: Sequence[str] | None = None,
    ) -> Self:
        """From one row an evaluation, in whatever order.

        Args:
            runs: With the columns landscape, optimizer, seed (from 0), t (from 1) and the figure.
            figure: Which column.
            problems: Which landscapes, in which order; None for all, as they come.
            optimizers: Which optimisers, in which order; None for all, as they come.
        """
        problem, problems = _places(runs["landscape"], problems)
        optimizer, optimizers = _places(runs["optimizer"], optimizers)
        wanted = (problem >= 0) & (optimizer >= 0)
        problem, optimizer, seed, t = (
            np.asarray(axis)[wanted] for axis in (problem, optimizer, runs["seed"], runs["t"])
        )
        shape = len(problems), len(optimizers), int(seed.max(initial=-1)) + 1, int(t.max(initial=0))
        values = np.full(shape, np.nan)
        values[problem, optimizer, seed, t - 1] = runs[figure].to_numpy(np.float64)[wanted]
        budgets = np.zeros(len(problems), dtype=np.int64)
        np.maximum.at(budgets, problem, t)
        return cls(tuple(problems), tuple(optimizers), budgets, values)

    def curve(self, problem: str, optimizer: str) -> FloatArray:
        """After each evaluation of each run, of shape (seeds, budget)."""
        place = self.problems.index(problem)
        return self.values[place, self.optimizers.index(optimizer), :, : self.budgets[place]]

    def at(self, t: int | None = None) -> Mapping[str, FloatArray]:
        """After t evaluations, or at the end of each budget: for each optimiser, of shape (problems, seeds)."""
        last = self.budgets if t is None else np.full_like(self.budgets, t)
        return {
            name: np.stack([own[place, :, end - 1] for own, end in zip(self.values, last, strict=True)])
            for place, name in enumerate(self.optimizers)
        }

    def since(self, t: int) -> Mapping[str, FloatArray]:
        """The mean from the t-th evaluation on: for each optimiser, of shape (problems, seeds)."""
        return {
            name: np.stack([self.curve(problem, name)[:, t - 1 :].mean(axis=1) for problem in self.problems])
            for name in self.optimizers
        }


def _places(names: pd.Series, order: Sequence[str] | None) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Where each name stands in an order, -1 for those that do not; and the order."""
    code, found = pd.factorize(names)
    order = [str(one) for one in found] if order is None else list(order)
    index = {name: place for place, name in enumerate(order)}
    return np.array([index.get(str(one), -1) for one in found], dtype=np.int64)[code], order
