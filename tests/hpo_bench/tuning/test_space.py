"""Between the unit cube and merge settings."""

import numpy as np
import pytest

from hpo_bench.errors import UsageError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.space import MergeSpace


def test_default_box_is_the_design_s() -> None:
    assert MergeSpace("ta").setting(np.array([1.0, 0.0])) == MergeSetting("ta", 1.4, 0.0)
    assert MergeSpace("ties").setting(np.array([0.0, 1.0, 0.0])) == MergeSetting("ties", 0.0, 1.4, 0.1)


@pytest.mark.parametrize("space", [MergeSpace("ta"), MergeSpace("dare"), MergeSpace("dare", sum_to_one=True)])
def test_settings_and_points_are_inverse(space: MergeSpace) -> None:
    X = np.random.default_rng(0).random((20, space.dim))
    for x in X:
        assert space.point(space.setting(x)) == pytest.approx(x)
    assert space.values(X).tolist() == [list(space.setting(x).parameters.values()) for x in X]


def test_sum_to_one_takes_an_axis_away() -> None:
    space = MergeSpace("ta", sum_to_one=True)
    assert space.dim == 1
    for x in (0.0, 0.3, 1.0):
        setting = space.setting(np.array([x]))
        assert setting.vl_weight + setting.exp_weight == pytest.approx(1.0)
        assert 0.0 <= setting.vl_weight <= 1.4
    assert space.setting(space.point(MergeSetting("ta", 0.2, 0.6))).exp_weight == pytest.approx(0.75)


def test_settings_outside_are_moved_to_the_box() -> None:
    assert MergeSpace("ta").point(MergeSetting("ta", 2.0, -1.0)) == pytest.approx([1.0, 0.0])
    assert MergeSpace("ties").point(MergeSetting("ta", 0.7, 0.7)) == pytest.approx([0.5, 0.5, 1.0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "tis"}, "did you mean 'ties'"),
        ({"coefficients": (1.0, 1.0)}, "range of coefficients must increase"),
        ({"density": (0.0, 1.0)}, "densities must be in"),
        ({"coefficients": (1.1, 1.4), "sum_to_one": True}, "no two coefficients"),
    ],
)
def test_boxes_without_sense_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MergeSpace(**{"method": "ta", **changes})
