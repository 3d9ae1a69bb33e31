"""A landscape as a problem of OptunaHub's benchmarks.

Import `LandscapeProblem` from here; it needs the package `optunahub`.
"""

from pathlib import Path
from typing import Any

from landscapes import catalogue
from landscapes.errors import MissingPackageError
from landscapes.landscape import Landscape

try:
    from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
    from optuna.study import StudyDirection
    from optunahub.benchmarks import BaseProblem  # pyright: ignore[reportMissingImports]
except ImportError as error:
    raise MissingPackageError(f"problems of OptunaHub need its package ({error}): pip install optunahub") from error


class LandscapeProblem(BaseProblem):
    """A recorded merge as the objective of a study of Optuna's, to be maximised.

    Args:
        landscape: The landscape, or its name, such as "ja-llama/ta".
        landscapes_dir: Where landscapes of your own lie.

    Raises:
        LandscapeError: If there is none of that name, or its files cannot be used.

    Examples:
        >>> problem = LandscapeProblem("ja-llama/ta")  # doctest: +SKIP
        >>> study = optuna.create_study(directions=problem.directions)  # doctest: +SKIP
        >>> study.optimize(problem, n_trials=40)  # doctest: +SKIP
        >>> problem.landscape.regret(study.best_value)  # doctest: +SKIP
    """

    available_landscapes = staticmethod(catalogue.names)
    """Names of those that ship."""

    def __init__(self, landscape: str | Landscape, *, landscapes_dir: str | Path | None = None) -> None:
        self.landscape = catalogue.given(landscape, root=landscapes_dir)

    @property
    def search_space(self) -> dict[str, BaseDistribution]:
        """The hyperparameters, in the order of the landscape."""
        return {
            one.name: IntDistribution(int(one.low), int(one.high), log=one.scale == "log")
            if one.integer
            else FloatDistribution(float(one.low), float(one.high), log=one.scale == "log")
            for one in self.landscape.space.parameters
        }

    @property
    def directions(self) -> list[StudyDirection]:
        """The one objective is maximised."""
        return [StudyDirection.MAXIMIZE]

    def evaluate(self, params: dict[str, Any]) -> float:
        """The score of a setting, in the units of the landscape's card."""
        return float(self.landscape.score([[params[name] for name in self.landscape.space.names]])[0])
