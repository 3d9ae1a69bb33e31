from collections.abc import Callable

import numpy as np
import pytest

from optimizers import InvalidSettingError, Optimizer, available
from optimizers.conformance import CHECKS, ConformanceError, check_all
from optimizers.random_search import RandomSearch

Check = Callable[[type[Optimizer]], None]


@pytest.mark.parametrize("name", ["gp-bo", "cma-es", "pattern-search", "powell", "sobol", "random", "grid"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_built_in_optimizers_conform(check: Check, name: str) -> None:
    check(available()[name])


class Clock(RandomSearch):
    """Draws from numpy's global generator."""

    def _next(self):
        return np.random.random(self.dim)  # noqa: NPY002


class Stubborn(RandomSearch):
    """Never moves, whatever the seed."""

    def _next(self):
        return np.full(self.dim, 0.5)


class Crowd(RandomSearch):
    """Goes elsewhere in company."""

    @classmethod
    def _propose(cls, optimizers):
        return [optimizer._next() / len(optimizers) for optimizer in optimizers]


class Forgetful(RandomSearch):
    """Counts objects and not proposals, so that a resumed run goes elsewhere."""

    made = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Forgetful.made += 1
        self._key = Forgetful.made

    def _next(self):
        return self._generator(self._proposed, self._key).random(self.dim)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Clock, "equal seeds"),
        (Stubborn, "equal runs"),
        (Crowd, "in a group"),
        (Forgetful, "differ"),
    ],
)
def test_the_suite_catches(broken: type[Optimizer], complaint: str) -> None:
    with pytest.raises(ConformanceError, match=complaint):
        check_all(broken)


def test_a_group_of_unlike_runs_is_refused() -> None:
    runs = [RandomSearch(2, seed=0, budget=3), RandomSearch(3, seed=0, budget=3)]
    with pytest.raises(InvalidSettingError, match="equal dimensions"):
        RandomSearch.ask_many(runs)
