"""When two rows are of one setting."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landscapes import tables
from landscapes.errors import InvalidGridError


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e300])
def test_closeness_is_relative_to_the_range(scale: float) -> None:
    keys = pd.DataFrame({"eps": scale * np.array([1.0, 3.0, 10.0])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables.refuse_repeats(keys, Path("t.csv"), "setting")
        keys.loc[3] = 3.0 * scale * (1 + 1e-14)
        with pytest.raises(InvalidGridError, match=r"rows 2 and 4: the same setting \(eps = 3"):
            tables.refuse_repeats(keys, Path("t.csv"), "setting")


def test_neighbours_on_both_sides_of_a_rounding_boundary_are_one() -> None:
    keys = pd.DataFrame({"a": [0.0, 0.5e-9 - 1e-14, 0.5e-9 + 1e-14, 1.0], "b": [0.0, 1.0, 1.0, 1.0]})
    assert tables.alike(keys).drop_duplicates().index.tolist() == [0, 1, 3]


def test_seeds_and_words_are_alike_only_if_equal() -> None:
    keys = pd.DataFrame({"seed": [0, 1, 2**31], "id": ["a", "a", "a"]})
    tables.refuse_repeats(keys, Path("t.csv"), "setting")
    with pytest.raises(InvalidGridError, match=r"rows 2 and 4: the same setting \(seed = 1, id = a\)"):
        tables.refuse_repeats(pd.concat([keys, keys.iloc[[1]]]), Path("t.csv"), "setting")
