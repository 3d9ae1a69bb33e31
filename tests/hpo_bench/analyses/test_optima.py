"""What the table of optima says."""

import numpy as np

from hpo_bench.analyses.optima import Optimum, by_method, table


def test_small_settings_are_not_rounded_to_nothing() -> None:
    found = Optimum("mine/sweep", "other", ("lr", "density"), np.array([2.134e-4, 0.5]), (), 0.1, weak=False)
    assert table([found]).rows[0].cells[0] == "lr 0.000213, density 0.5"
    (row,) = by_method([found]).rows
    assert row.cells[0] == "lr 0.000213 (0.000213 to 0.000213); density 0.5 (0.5 to 0.5)"


def test_what_has_no_coefficients_has_no_sum_of_them() -> None:
    found = Optimum("mine/sweep", "other", ("lr", "density"), np.array([0.1, 0.5]), (), 0.1, weak=False)
    assert by_method([found]).rows[0].cells[1:3] == ("–", "–")
