"""Checks any optimiser and any merge method, yours included, against what benchmark, merging and tuning rely on.

An optimiser, with pytest, one test a check:

    import pytest
    from hpo_bench.testing import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(MyOptimizer)

Without: `check_all(MyOptimizer)`. Both raise `ConformanceError`, an AssertionError that says what was wrong. The checks
take some seconds for an optimiser without a model; they need no landscape, no network and no file.

What is checked: a class that can be named and made; points inside the cube, as they are proposed, in 1 to 6, 13 and
40 dimensions; equal seeds and scores, equal points, bit for bit, over 40 evaluations, whatever ran before; different
points for different seeds; the budget spent to the last evaluation; higher scores found than with the scores negated;
the same points whatever the unit and the offset of the scores; failed evaluations and flat objectives survived;
resuming by replay; several workers at once, if the class says that it is `parallel`; the same points in company as
alone, to `GROUP_TOLERANCE`; one or several given starts; recommendations; settings that survive JSON and a run; bad
arguments and unknown points refused; global generators and the settings of PyTorch and numpy left alone. All of it
happens in one process: what differs from one to the next, such as `hash` of a text or the order of a set of texts, is
not found, and a study that goes on in another process refuses it.

A failed evaluation is told as NaN, here and everywhere. Never tell a penalty of your own: at -1e30 a Gaussian process
sees one hole and a plain.

A merge method: `check_merge_method(MyMethod)`. It merges small random weights. What is checked: the base's names and
shapes, in float32, of matrices, vectors, scalars and empty tensors; finite numbers, at the corners of the ranges too;
the same bits again, whatever the global generators hold; inputs that stay as they are; hyperparameters of which each
makes a difference, in ranges that it may have; the models that `parent` promises; NaN that is refused or let through,
and not swallowed; masks that a seed decides, where it draws some; tensors that stand alone where the method says so;
and that the engine's merge in place is the formula's.

An evaluator: `check_evaluator(evaluator, model)`, as opened for a pair. What is checked: two sides of a split that
share no example and hold none twice; scores from 0 to 1, one an example; the same again, in another order and in other
company; a model that stays as it is.
"""

from hpo_bench.evaluation.conformance import check_evaluator
from hpo_bench.merging.conformance import check_merge_method
from optimizers.conformance import BUDGET, CHECKS, GROUP_TOLERANCE, LONG, ConformanceError, check_all

__all__ = [
    "BUDGET",
    "CHECKS",
    "GROUP_TOLERANCE",
    "LONG",
    "ConformanceError",
    "check_all",
    "check_evaluator",
    "check_merge_method",
]
