"""The noise that an optimiser is told, against what the choice of validation examples does to recorded scores."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from hpo_bench.evaluation.base import Answers
from hpo_bench.tuning.race import _Arm
from landscapes import catalogue

Array = NDArray[np.float64]


def recorded(name: str) -> tuple[Array, Array, Array]:
    """Settings in the unit square, and outcomes of shape (settings, examples) on validation and test examples."""
    frame = pd.read_parquet(catalogue.ROOT / name / "outcomes.parquet")
    axes = ["vl_weight", "exp_weight"]
    sides = []
    for split in ("validation", "test"):
        side = frame[frame["split"] == split].pivot_table(index=axes, columns="id", values="correct", observed=True)
        sides.append(side.sort_index())
    X = np.array([list(key) for key in sides[0].index], dtype=np.float64)
    return (X - X.min(0)) / (X.max(0) - X.min(0)), *(side.to_numpy(dtype=np.float64) for side in sides)


@pytest.mark.parametrize("name", ["ja-llama/ta", "counts-mistral/ta", "sums-mistral/ta", "layout-qwen2-vl/ta"])
def test_told_noise_is_that_of_differences_between_neighbours(name: str) -> None:
    X, validation, test = recorded(name)
    ids = tuple(map(str, range(validation.shape[1])))
    known: list[tuple[Array, Answers]] = []
    told, single = [], []
    for index in np.random.default_rng(0).permutation(len(X)):
        found = Answers(ids, ids, validation[index])
        told.append(_Arm.noise(X[index], found, known))
        single.append(found.standard_error)
        known.append((X[index], found))
    told = np.sqrt(np.mean(np.square(np.array(told[1:], dtype=np.float64))))
    distance = np.linalg.norm(X[:, None] - X[None], axis=2)
    one, other = np.nonzero(np.triu((distance > 0) & (distance < 0.3)))
    # Test scores are four times as exact, and their own share of the difference is taken off.
    share = 1 + validation.shape[1] / test.shape[1]
    gaps = (validation[one].mean(1) - validation[other].mean(1)) - (test[one].mean(1) - test[other].mean(1))
    real = np.sqrt(np.mean(np.square(gaps)) / share / 2)
    assert real / 1.2 < told < 1.6 * real, "what is told is about what neighbours differ by through their examples"
    assert np.mean(single) > 2 * real, "a score's own standard error would be much too large"
