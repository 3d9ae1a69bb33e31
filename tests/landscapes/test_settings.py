"""What names its hyperparameters goes by the names; a wrong name is an error and never a position."""

from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import synthetic

from landscapes.errors import InvalidSpaceError
from landscapes.functions import suite
from landscapes.settings import as_array
from landscapes.space import Parameter, SearchSpace
from optimizers import InvalidSettingError
from optimizers.gp.model import Model
from optimizers.random_search import RandomSearch
from surrogates.errors import InvalidDataError
from surrogates.rbf import RBFSurrogate

NAMES = ("vl_weight", "exp_weight")
EXPECTED = np.array([[0.25, 0.5], [0.75, 1.0]])
TABLE = pd.DataFrame({"exp_weight": EXPECTED[:, 1], "vl_weight": EXPECTED[:, 0]})
Setting = namedtuple("Setting", ["exp_weight", "vl_weight"])

MANY = {
    "frame": TABLE,
    "nullable frame": TABLE.convert_dtypes(),
    "arrow": pa.table({"exp_weight": EXPECTED[:, 1], "vl_weight": EXPECTED[:, 0]}),
    "columns": {"exp_weight": [0.5, 1.0], "vl_weight": (0.25, 0.75)},
    "dicts": TABLE.to_dict("records"),
    "array of dicts": np.array(TABLE.to_dict("records")),
    "series": [row for _, row in TABLE.iterrows()],
    "tuples": list(TABLE.itertuples(index=False)),
    "structured": TABLE.to_records(index=False),
    "array": EXPECTED,
    "lists": EXPECTED.tolist(),
}
ONE = {
    "dict": {"exp_weight": 0.5, "vl_weight": 0.25},
    "series": TABLE.iloc[0],
    "record": TABLE.to_records(index=False)[0],
    "tuple": Setting(0.5, 0.25),
}


@pytest.mark.parametrize("points", MANY.values(), ids=MANY)
def test_names_and_not_positions_count(points: object) -> None:
    assert np.array_equal(as_array(points, NAMES), EXPECTED)


@pytest.mark.parametrize("point", ONE.values(), ids=ONE)
def test_one_setting_under_names_is_one_row(point: object) -> None:
    assert np.array_equal(as_array(point, NAMES), EXPECTED[:1])


WRONG = {
    "extra": (TABLE.assign(score=0.0), "settings have 'score' besides; name exactly the hyperparameters vl_weight"),
    "missing": (TABLE[["vl_weight"]], "settings lack 'exp_weight'"),
    "misspelt": (TABLE.rename(columns={"vl_weight": "VL"}), "lack 'vl_weight' and have 'VL' besides"),
    "unnamed columns": (pd.DataFrame(EXPECTED), "lack 'vl_weight', 'exp_weight' and have '0', '1' besides"),
    "twice": (pd.concat([TABLE, TABLE], axis=1), "'exp_weight' is there twice"),
    "with an index": (TABLE.to_records(), "have 'index' besides"),
    "unequal rows": ([{"vl_weight": 0.3}, {"vl_weight": 0.3, "exp_weight": 1}], "setting 2 has vl_weight, exp_weight"),
    "half named": ([{"vl_weight": 0.3, "exp_weight": 0.4}, [0.3, 0.4]], "setting 2 has no names"),
    "unequal columns": ({"vl_weight": [0.3, 0.4], "exp_weight": 0.5}, "columns must be equally long"),
    "text": (TABLE.astype(str), "vl_weight must be numbers, not text"),
    "truth": ({"vl_weight": True, "exp_weight": 0.5}, "vl_weight must be numbers, not bool"),
    "text without names": ([["0.3", "0.4"]], "settings must be numbers"),
    "numbered series": (pd.Series([0.3, 0.4]), r"must have shape \(n, 2\)"),
}


@pytest.mark.parametrize(("points", "message"), WRONG.values(), ids=WRONG)
def test_other_names_are_errors(points: object, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        as_array(points, NAMES)


def test_landscapes_and_spaces_go_by_names(tmp_path: Path) -> None:
    landscape = synthetic.landscape(tmp_path)
    right = landscape.score(EXPECTED)
    assert not np.allclose(right, landscape.score(EXPECTED[:, ::-1].clip(0.2, 1.0)), atol=1e-3)
    assert np.array_equal(landscape.score(TABLE), right)
    assert landscape.score({"exp_weight": 0.5, "vl_weight": 0.25}) == right[:1]
    with pytest.raises(InvalidSpaceError, match="have 'score' besides"):
        landscape.score(TABLE.assign(score=1.0))
    space = SearchSpace((Parameter("vl_weight", 0.0, 1.0), Parameter("exp_weight", 0.0, 2.0)))
    assert np.array_equal(space.to_unit(TABLE), [[0.25, 0.25], [0.75, 0.5]])
    assert np.array_equal(space.from_unit(TABLE), [[0.25, 1.0], [0.75, 2.0]])
    assert space.contains(TABLE.assign(exp_weight=[2.0, 3.0])).tolist() == [True, False]


def test_functions_go_by_names() -> None:
    (problem,) = suite("merge-like-2d", 1, count=1)
    points = np.array([[0.1, 0.8], [0.6, 0.3]])
    named = pd.DataFrame({"x2": points[:, 1], "x1": points[:, 0]})
    assert np.array_equal(problem.score(named), problem.score(points))


def test_where_axes_have_no_names_tables_are_refused() -> None:
    X = np.random.default_rng(0).random((12, 2))
    fitted = RBFSurrogate().fit(X, X.sum(1))
    named = pd.DataFrame(X, columns=["b", "a"])
    for ask in (
        lambda: fitted.predict(named),
        lambda: fitted.weights(named),
        lambda: RBFSurrogate().fit(named, X[:, 0]),
    ):
        with pytest.raises(InvalidDataError, match="points of the unit cube have no names"):
            ask()
    for refused in (
        lambda: RandomSearch(2, seed=0, budget=3, start=named.iloc[:2]),
        lambda: RandomSearch(2, seed=0, budget=3, start=named.iloc[0]),
        lambda: Model.fit(named, X[:, 0]),
    ):
        with pytest.raises(InvalidSettingError, match="must have no names"):
            refused()
