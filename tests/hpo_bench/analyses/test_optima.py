"""What the table of optima says."""

import numpy as np

from hpo_bench.analyses.optima import Optimum, table


def test_small_settings_are_not_rounded_to_nothing() -> None:
    found = Optimum("mine/sweep", "other", ("lr", "density"), np.array([2.134e-4, 0.5]), (), 0.1, weak=False)
    assert table([found]).rows[0].cells[0] == "lr 0.000213, density 0.5"
