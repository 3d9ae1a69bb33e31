"""Cheap functions to choose optimisers on, so that the shipped landscapes stay unseen.

`suite("merge-like-2d", seed=0)` is a list of `Function`: synthetic surfaces of the kinds that real merges show, and,
with `coco-experiment` installed, the 24 functions of BBOB. All are maximised over the unit cube.
"""

from landscapes.functions.function import Function
from landscapes.functions.suites import SUITES, functions, members, suite

__all__ = ["SUITES", "Function", "functions", "members", "suite"]
