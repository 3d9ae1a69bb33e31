"""Designs of recordings: their sizes, their boxes, and the rules that choose their settings."""

import numpy as np
import pytest

from hpo_bench.errors import UsageError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.recording import designs


def settings(design: designs.Design) -> np.ndarray:
    return np.array([list(point.setting.parameters.values()) for point in design.points])


def test_the_study_grid_has_its_sizes() -> None:
    assert [len(designs.grid(method).points) for method in ("ta", "dare", "ties")] == [25, 100, 100]
    assert designs.grid("dare", mask_seed=3).points[0].mask_seed == 3


def test_the_wide_grid_is_over_the_box_of_live_tuning_and_held_out_settings_follow_it() -> None:
    for method, size in (("ta", 64), ("dare", 100), ("ties", 100)):
        wide = designs.grid(method, box="wide", mask_seed=3)
        found = settings(wide)
        assert len(np.unique(found, axis=0)) == size
        assert (found[:, :2].min(), found[:, :2].max()) == (0, 1.4)
        assert wide.splits == ("validation", "test")
        assert wide.folder == ""
        assert {point.mask_seed for point in wide.points} == {3}
        off = settings(designs.held_out(method, box=wide.parameters))
        assert (off.min(0) >= found.min(0)).all()
        assert (off.max(0) <= found.max(0)).all()
        assert off[:, :2].max() > 1.3


@pytest.mark.parametrize("method", ["ta", "ties"])
def test_held_out_settings_are_off_the_grid_in_its_box_and_spread(method: str) -> None:
    held_out, study = settings(designs.held_out(method)), settings(designs.grid(method))
    low, high = study.min(0), study.max(0)
    assert len(held_out) == 200
    assert len(np.unique(held_out, axis=0)) == 200
    assert ((held_out >= low) & (held_out <= high)).all()
    assert np.abs(held_out[:, None] - study[None]).max(-1).min() > 1e-3
    # In each eighth of each axis about an eighth: random points would miss by more.
    unit = (held_out - low) / (high - low)
    counts = np.stack([np.histogram(column, bins=8, range=(0, 1))[0] for column in unit.T])
    assert counts.min() >= 22
    assert counts.max() <= 28
    assert settings(designs.held_out(method)).tolist() == held_out.tolist()


def test_held_out_designs_see_the_test_split_alone() -> None:
    assert designs.held_out("ta").splits == designs.dense("ta").splits == ("test",)
    assert designs.grid("ta").splits == ("validation", "test")


def test_the_dense_grid_reaches_beyond_the_study() -> None:
    dense = settings(designs.dense("ta"))
    assert len(dense) == 225
    assert (dense.min(), dense.max()) == (0, 1.4)
    study = {tuple(x) for x in settings(designs.grid("ta")).tolist()}
    assert study <= {tuple(x) for x in dense.tolist()}


def test_masks_take_corner_middle_and_best_under_ten_seeds() -> None:
    corner, best = MergeSetting("dare", 1.0, 1.0, 0.2), MergeSetting("dare", 0.2, 1.0, 0.8)
    plan = designs.masks("dare", [corner, best])
    assert {point.setting for point in plan.points} == {corner, MergeSetting("dare", 0.6, 0.6, 0.5), best}
    assert sorted({point.mask_seed for point in plan.points}) == list(range(10))
    assert len(set(plan.points)) == len(plan.points) == 30
    assert plan.many_masks
    wide = designs.masks("dare", [corner, best], box="wide")
    most, middle = MergeSetting("dare", 1.4, 1.4, 0.2), MergeSetting("dare", 0.7, 0.7, 0.5)
    assert {point.setting for point in wide.points} == {most, middle, corner}


def test_designs_and_methods_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="DARE has a density as well"):
        designs.dense("dare")
    with pytest.raises(UsageError, match="Task Arithmetic draws no masks"):
        designs.masks("ta", [])
