"""One point of a merge's search space."""

import math
from dataclasses import dataclass
from typing import Literal

from hpo_bench.errors import UsageError
from surrogates.nearest import did_you_mean

Mode = Literal["mergekit", "paper"]
"""Whose arithmetic: mergekit's, or what a method's paper says where they differ."""

Masks = Literal["counter", "mergekit"]
"""DARE's masks: from a counter, or as mergekit draws them from torch's global generator."""

METHODS = {"ta": "Task Arithmetic", "dare": "DARE", "ties": "TIES"}


@dataclass(frozen=True, slots=True)
class MergeSetting:
    """A merge method and its hyperparameters.

    Attributes:
        method: "ta" (Ilharco et al., 2023), "dare" (Yu et al., 2024) or "ties" (Yadav et al., 2023).
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's task vector.
        density: Share of each task vector that is kept, in (0, 1]; None for "ta".

    Raises:
        UsageError: If the method is unknown, a weight is not finite, or a density is missing, out of range or
            superfluous.
    """

    method: str
    vl_weight: float
    exp_weight: float
    density: float | None = None

    def __post_init__(self) -> None:
        check_method(self.method)
        if (self.density is None) != (self.method == "ta"):
            need = "takes no" if self.method == "ta" else "needs a"
            raise UsageError(f"{METHODS[self.method]} {need} density")
        for name in ("vl_weight", "exp_weight"):
            if not math.isfinite(value := getattr(self, name)):
                raise UsageError(f"{name} must be a number, not {value}")
        if self.density is not None and not 0 < self.density <= 1:
            raise UsageError(f"density must be in (0, 1], not {self.density}")

    @property
    def parameters(self) -> dict[str, float]:
        """The hyperparameters by name, in the order of the search space."""
        weights = {"vl_weight": self.vl_weight, "exp_weight": self.exp_weight}
        return weights if self.density is None else {**weights, "density": self.density}


def check_method(method: str) -> None:
    """Refuse what is not a key of `METHODS`.

    Raises:
        UsageError: If the method is unknown; the message names the nearest.
    """
    if method not in METHODS:
        hint = did_you_mean(method, METHODS)
        raise UsageError(f"no merge method is called {method!r}; {hint}there are: {', '.join(METHODS)}")
