"""What runs know, gathered so that one batched model learns from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from optimizers.base import Optimizer
from optimizers.gp.model import standardised


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What runs with equal numbers of points know.

    Attributes:
        X: Points with a score, of shape (B, n, d).
        y: Their scores, of shape (B, n), with mean 0 and variance 1 in each run.
        noise: Known variances of the scores in these units, of shape (B, n), zero where no standard error was told.
        told: Where a standard error was told, if only zero, of shape (B, n).
        failed: Points whose evaluation failed, of shape (B, k, d).
    """

    X: Tensor
    y: Tensor
    noise: Tensor
    told: Tensor
    failed: Tensor

    def rows(self, rows: slice) -> "Knowledge":
        """What some of the runs know."""
        return Knowledge(self.X[rows], self.y[rows], self.noise[rows], self.told[rows], self.failed[rows])

    @classmethod
    def of(cls, optimizers: Sequence[Optimizer]) -> Self:
        """Gathers the histories of runs."""
        known, scores, errors, failures = [], [], [], []
        for optimizer in optimizers:
            X, y = optimizer.history
            failed = np.isnan(y)
            known.append(X[~failed])
            scores.append(y[~failed])
            errors.append(optimizer.standard_errors[~failed])
            failures.append(X[failed])
        y, _, spread = standardised(np.array(scores))
        told = np.isfinite(errors)
        with np.errstate(over="ignore"):  # an infinite variance says rightly that nothing was learnt
            noise = np.square(np.nan_to_num(errors) / spread)
        return cls(*(torch.from_numpy(np.array(array)) for array in (known, y, noise, told, failures)))
