import threading
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch

from optimizers import InvalidSettingError, Optimizer, ProtocolError, available
from optimizers.conformance import BUDGET, CHECKS, LONG, ConformanceError, check_all
from optimizers.conformance.harness import hill, lockstep
from optimizers.conformance.protocol import settings_are_plain
from optimizers.conformance.scores import units_do_not_matter
from optimizers.random_search import RandomSearch

Check = Callable[[type[Optimizer]], None]


@pytest.mark.parametrize("name", list(available()))
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


class Minimiser(RandomSearch):
    """Walks around the worst point."""

    def _next(self):
        X, scores = self.history
        if not np.isfinite(scores).any():
            return super()._next()
        step = self._generator(len(scores)).normal(0, 0.5 / np.sqrt(len(scores)), self.dim)
        return np.clip(X[np.nanargmin(scores)] + step, 0.0, 1.0)


class Late(RandomSearch):
    """Draws from the clock once its design is through."""

    def _next(self):
        return super()._next() if self._proposed < BUDGET else np.random.default_rng().random(self.dim)


class LateCrash(RandomSearch):
    """Falls over once its design is through."""

    def _next(self):
        if self._proposed == BUDGET:
            raise RuntimeError("boom")
        return super()._next()


class SmallSeed(RandomSearch):
    """Has no room for a seed of 31 bits."""

    def _next(self):
        return np.random.RandomState(self.seed * 10 + self.asked).random(self.dim)


class Remembers(RandomSearch):
    """The first run that gets so far tells all others where to look."""

    memory: ClassVar[dict] = {}

    def _next(self):
        X, scores = self.history
        if len(scores) < BUDGET or not np.isfinite(scores).any():
            return super()._next()
        best = Remembers.memory.setdefault("best", X[np.nanargmax(scores)])
        return best + self._generator(self._proposed).normal(0, 0.05, self.dim)


class Gossip(RandomSearch):
    """Looks where the best point of all runs lies, which it keeps in an attribute that was not there."""

    def _next(self):
        X, scores = self.history
        if len(scores) < BUDGET or not np.isfinite(scores).any():
            return super()._next()
        best = float(np.nanmax(scores))
        if best > getattr(Gossip, "best", -np.inf):
            Gossip.best, Gossip.place = best, X[np.nanargmax(scores)]
        return Gossip.place + self._generator(self._proposed).normal(0, 0.05, self.dim)


NOTICE_BOARD: dict[str, np.ndarray] = {}


class Pinned(RandomSearch):
    """Looks where the best point of all runs lies, which it keeps in its module."""

    def _next(self):
        X, scores = self.history
        if len(scores) < BUDGET or not np.isfinite(scores).any():
            return super()._next()
        best = np.array([np.nanmax(scores), *X[np.nanargmax(scores)]])
        if best[0] > NOTICE_BOARD.setdefault("best", best)[0]:
            NOTICE_BOARD["best"] = best
        return NOTICE_BOARD["best"][1:] + self._generator(self._proposed).normal(0, 0.05, self.dim)


class Zeros(RandomSearch):
    """Takes a failed evaluation for a score of 0."""

    parallel = False

    def _next(self):
        X, scores = self.history
        if len(scores) < 4:
            return super()._next()
        step = self._generator(len(scores)).normal(0, 0.1, self.dim)
        return np.clip(X[np.argmax(np.nan_to_num(scores))] + step, 0, 1)


class Alone(RandomSearch):
    """Says that it is parallel, and is not."""

    def _next(self):
        if self.pending:
            raise RuntimeError("not yet")
        return super()._next()


class Aware(RandomSearch):
    """Recommends by what it has not."""

    def recommend(self):
        return super().recommend() if np.isnan(self.standard_errors).all() else self.model.mean


class Low(RandomSearch):
    """Knows no more than three dimensions."""

    def __init__(self, dim, *, seed, budget, start=None):
        super().__init__(dim, seed=seed, budget=budget, start=start)
        if self.dim > 3:
            raise ValueError("no more than three")


class Counts(RandomSearch):
    """Has a setting that changes in a run."""

    parallel = False

    @property
    def settings(self):
        return {**super().settings, "asked": self.asked}


class Infinity(RandomSearch):
    """Divides by zero."""

    def _next(self):
        x = super()._next()
        x[0] = np.inf
        return x


class Deaf(RandomSearch):
    """Has a `tell` of its own that knows of no known points."""

    def tell(self, x, score, *, standard_error=None):
        super().tell(x, score, standard_error=standard_error)


class Vain(RandomSearch):
    """Recommends its own ideas only."""

    def recommend(self):
        X, scores = self.history
        self._highest()
        return X[np.nanargmax(np.where(self.known, np.nan, scores))]


class Doubles(RandomSearch):
    """Sets PyTorch up as it likes it."""

    def _next(self):
        torch.set_default_dtype(torch.float64)
        return super()._next()


class NoGradients(RandomSearch):
    """Switches off what others fit their models by."""

    def __init__(self, dim, **arguments):
        super().__init__(dim, **arguments)
        torch.set_grad_enabled(False)


class Raises(RandomSearch):
    """Lets numpy raise, in all that runs in its process."""

    def _next(self):
        np.seterr(all="raise")
        return super()._next()


class Sets(RandomSearch):
    """Has settings that are no JSON."""

    @property
    def settings(self):
        return {**super().settings, "levels": {5}}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Clock, "equal seeds"),
        (Stubborn, "equal runs"),
        (Crowd, "in a group"),
        (Forgetful, "differ"),
        (Minimiser, "does it minimise"),
        (Late, "equal seeds and scores differ, by the clock"),
        (LateCrash, "evaluation 11 of a run in 2-D with seed 2147483647 raised RuntimeError: boom"),
        (SmallSeed, "with seed 2147483647 raised"),
        (Remembers, "what the class itself remembers"),
        (Gossip, "what the class itself remembers"),
        (Pinned, "remembers of other runs, or its module does"),
        (Zeros, "told scores minus 1e9, .* or a failed evaluation a number"),
        (Alone, r"in the check workers_replay it raised RuntimeError: not yet \(test_conformance.py, line \d+\)"),
        (Aware, r"in the check recommendation_is_a_success it raised AttributeError: .*\(test_conformance.py, line"),
        (Low, r"in the check points_lie_in_the_cube it raised ValueError: no more than three"),
        (Counts, "in the check company_does_not_matter it raised InvalidSettingError: .* equal settings"),
        (Infinity, r"proposed \[ *inf .*which is no point in 2-D"),
        (Deaf, "raised TypeError.*known"),
        (Vain, "the best point is known, and another is recommended"),
        (Sets, "no plain JSON"),
        (Doubles, "a run changes PyTorch's default precision"),
        (NoGradients, "a run changes whether PyTorch keeps gradients"),
        (Raises, "a run changes what numpy does about errors"),
    ],
)
def test_the_suite_catches(broken: type[Optimizer], complaint: str) -> None:
    settings = torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()
    with pytest.raises(ConformanceError, match=complaint):
        check_all(broken)
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()) == settings


class FixedDesign(RandomSearch):
    """A design of twelve points that are the same for every seed, then a search that is not."""

    def _next(self):
        X, scores = self.history
        if self._proposed < 12:
            return np.random.default_rng([12, self._proposed]).random(self.dim)
        if self.pending or not np.isfinite(scores).any():
            return super()._next()
        return np.clip(X[np.nanargmax(scores)] + self._generator(self._proposed).normal(0, 0.1, self.dim), 0.0, 1.0)


class Replicator(RandomSearch):
    """Evaluates its best point again and again, for the sake of the noise."""

    parallel = False

    def _next(self):
        X, scores = self.history
        if self._proposed % 3 == 2 and np.isfinite(scores).any():
            return X[np.nanargmax(scores)]
        return super()._next()


class Tuples(RandomSearch):
    """Has a setting that comes back from JSON as a list."""

    @property
    def settings(self):
        return {**super().settings, "levels": (5, 5)}


class Table(RandomSearch):
    """Shares between its runs what depends on none of them, and a lock."""

    designs: ClassVar[dict] = {"lock": threading.Lock()}

    def _next(self):
        if (key := (self.dim, self.seed, self._proposed)) not in self.designs:
            self.designs[key] = super()._next()
        return self.designs[key]


@pytest.mark.parametrize("sound", [FixedDesign, Replicator, Tuples, Table])
def test_the_suite_lets_pass(sound: type[Optimizer]) -> None:
    check_all(sound)


def test_the_suite_leaves_the_class_as_it_was() -> None:
    Remembers.memory.clear()
    with pytest.raises(ConformanceError):
        check_all(Remembers)
    assert Remembers.memory == {}


def test_a_group_of_unlike_runs_is_refused() -> None:
    runs = [RandomSearch(2, seed=0, budget=3), RandomSearch(3, seed=0, budget=3)]
    with pytest.raises(InvalidSettingError, match="equal dimensions"):
        RandomSearch.ask_many(runs)


@pytest.mark.parametrize("name", ["gp-bo", "cma-es", "pattern-search", "powell"])
def test_decimal_units_lead_to_the_same_points(name: str) -> None:
    """Factors that round each score: as far as rounding goes, and no further."""
    factors = (1.0, 1e12, 1e-12, 1e-300)
    group = [available()[name](2, seed=7, budget=LONG) for _ in factors]
    points = np.array(list(lockstep(group, [lambda x, f=f: f * hill(x) for f in factors], LONG)))
    for run in range(1, len(factors)):
        assert points[:, run] == pytest.approx(points[:, 0], abs=1e-9)


def test_settings_that_change_in_a_run_are_noticed() -> None:
    with pytest.raises(ConformanceError, match=r"the settings \{'asked': 0\} have become \{'asked': 10\} in a run"):
        settings_are_plain(Counts)


class Fussy(RandomSearch):
    """Restarts where scores differ by less than a fixed amount."""

    def _next(self):
        scores = self.history[1]
        flat = len(scores) > 3 and np.ptp(scores[-3:]) < 1e-11
        return np.zeros(self.dim) if flat else super()._next()


def test_absolute_tolerances_are_noticed() -> None:
    with pytest.raises(ConformanceError, match=r"told scores times 1e-12, it goes elsewhere from point \d+ on"):
        units_do_not_matter(Fussy)


class InOtherUnits(RandomSearch):
    """Takes the cube for a box from -0.1 to 1.1."""

    def _next(self):
        return 1.2 * super()._next() - 0.1


class NoOptimizer:
    name, label = "none", "None"


class Unlabelled(Optimizer):
    name = "unlabelled"


class Seedless(RandomSearch):
    def __init__(self, dim):
        super().__init__(dim, seed=0, budget=40)


class Unbegun(RandomSearch):
    def __init__(self, dim, *, seed, budget, start=None):
        self.dim = dim


class Stumbles(RandomSearch):
    def _next(self):
        return {}["vl_weight"]


class Nothing(RandomSearch):
    def _next(self):
        return None


class Named(RandomSearch):
    def _next(self):
        return {"vl_weight": 0.4, "exp_weight": 0.6}


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (InOtherUnits, r"InOtherUnits proposed \[.*\], outside the unit cube; np.clip\(x, 0, 1\) moves it in"),
        (NoOptimizer, "test_conformance:NoOptimizer is no subclass of optimizers.Optimizer"),
        (Unlabelled, "test_conformance:Unlabelled lacks label"),
        (Seedless, r"cannot be made as every optimiser is .*: let its __init__ take \(self, dim, \*, seed, budget"),
        (Unbegun, r"let its __init__ call super\(\).__init__"),
        (Stumbles, r"1 of a run in 2-D with seed \d+ raised KeyError: 'vl_weight' \(test_conformance.py, line \d+\)"),
        (Nothing, "Nothing proposed None, which is no point in 2-D; return an array of 2 numbers from 0 to 1"),
        (Named, r"Named proposed \{'vl_weight': 0.4, 'exp_weight': 0.6\}, which is no point in 2-D"),
    ],
)
def test_what_a_stranger_gets_wrong_is_said_in_words(mutant: type[Optimizer], message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_all(mutant)


def test_what_raises_in_a_run_is_told_with_its_line() -> None:
    with pytest.raises(
        ProtocolError, match=r"^Stumbles raised KeyError: 'vl_weight' \(test_conformance.py, line \d+\)$"
    ):
        Stumbles(2, seed=0, budget=3).ask()


def test_a_run_moves_what_lies_outside_to_the_nearest_point_inside() -> None:
    run = InOtherUnits(2, seed=0, budget=40)
    points = np.array([x for _ in range(40) if run.tell(x := run.ask(), 0.0) is None])
    assert (points.min(), points.max()) == (0.0, 1.0)
