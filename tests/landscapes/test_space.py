import pickle

import numpy as np
import pytest

from landscapes.errors import InvalidSpaceError
from landscapes.space import Parameter, SearchSpace

SPACE = SearchSpace((Parameter("vl_weight", 0.2, 1.0), Parameter("density", 0.1, 0.7)))


def test_scales_to_the_unit_cube_and_back() -> None:
    assert SPACE.dim == 2
    assert SPACE.names == ("vl_weight", "density")
    assert SPACE.to_unit([[0.2, 0.7], [0.6, 0.1]]) == pytest.approx(np.array([[0.0, 1.0], [0.5, 0.0]]))
    u = np.random.default_rng(0).random((50, 2))
    assert SPACE.to_unit(SPACE.from_unit(u)) == pytest.approx(u)


def test_rounding_never_leaves_the_box() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        low = rng.normal()
        space = SearchSpace((Parameter("a", low, low + rng.random() + 0.01),))
        corner = space.from_unit([[1.0]])
        assert corner[0, 0] <= space.high[0]
        assert space.contains(corner).all()
        assert space.to_unit(corner).max() <= 1.0


def test_contains() -> None:
    assert SPACE.contains([[0.2, 0.1], [1.1, 0.5], [0.5, np.nan], [1.0 + 1e-12, 0.7]]).tolist() == [
        True,
        False,
        False,
        True,
    ]


def test_points_outside_are_named() -> None:
    with pytest.raises(
        InvalidSpaceError, match=r"vl_weight = 1.4, density = 0.5 lies outside the box vl_weight in \[0.2, 1\]"
    ):
        SPACE.to_unit([[0.5, 0.5], [1.4, 0.5]])
    with pytest.raises(InvalidSpaceError, match="outside the unit cube"):
        SPACE.from_unit([[0.5, 1.2]])
    with pytest.raises(InvalidSpaceError, match=r"shape \(n, 2\) for vl_weight, density, not \(2,\)"):
        SPACE.to_unit([0.5, 0.5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vl weight", 0.0, 1.0), "letters, digits and underscores"),
        (("a", 1.0, 1.0), "low of a must be below high"),
        (("a", 0.0, float("inf")), "high of a must be a finite number"),
        (("a", -1.7e308, 1.7e308), "a from -1.7e[+]308 to 1.7e[+]308 is too wide; rescale it"),
        (("a", "0", 1.0), "low of a must be a finite number, not '0'"),
        (("a", 0, 10**400), "high of a must be a finite number, not 1000"),
        (("a", np.float32(0), np.float32("nan")), "high of a must be a finite number"),
    ],
)
def test_senseless_parameters(arguments: tuple, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        Parameter(*arguments)


def test_ends_may_be_numbers_of_numpy() -> None:
    """As the least and the largest of a column are."""
    space = SearchSpace.of({"n": (np.int64(1), np.int32(8), "int"), "x": (np.float32(0.5), np.float64(2))})
    assert space == SearchSpace.of({"n": (1, 8, "int"), "x": (0.5, 2.0)})
    assert {type(end) for one in space.parameters for end in (one.low, one.high)} == {int, float}


def test_senseless_spaces() -> None:
    with pytest.raises(InvalidSpaceError, match="at least one"):
        SearchSpace(())
    with pytest.raises(InvalidSpaceError, match="different names, not a, a"):
        SearchSpace((Parameter("a", 0, 1), Parameter("a", 0, 2)))
    for junk in (3, ("a",), [Parameter("a", 0, 1)]):
        with pytest.raises(InvalidSpaceError, match="is made of parameters"):
            SearchSpace(junk)  # pyright: ignore[reportArgumentType]


def test_spaces_as_people_write_them() -> None:
    space = SearchSpace.of({"lr": (1e-5, 1e-1, "log"), "layers": [1, 8, "int"], "n": (1, 64, "int", "log")})
    assert space.parameters == (
        Parameter("lr", 1e-5, 1e-1, scale="log"),
        Parameter("layers", 1, 8, integer=True),
        Parameter("n", 1, 64, scale="log", integer=True),
    )
    assert [parameter.kinds for parameter in space.parameters] == [("log",), ("int",), ("log", "int")]
    assert SearchSpace.of(space) is space


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"a": (0,)}, r"range of a must be \(low, high\)"),
        ({"a": 3}, r"range of a must be \(low, high\)"),
        ({"a": (0, 1, "lgo")}, "behind the range of a may stand log and int, not 'lgo'"),
        ({"a": (0, 1, "log")}, "low of a must be above 0"),
        (["a"], r"written as \{name: \(low, high\)\}"),
        ({}, "at least one"),
    ],
)
def test_spaces_that_are_written_wrongly(ranges: dict, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        SearchSpace.of(ranges)


def test_what_every_evaluation_asks_a_space_for_is_made_once_and_cannot_be_changed() -> None:
    space = SearchSpace.of({"lr": (1e-5, 1e-1, "log"), "layers": (1, 8, "int")})
    assert space.low is space.low
    with pytest.raises(ValueError, match="read-only"):
        space.high[0] = 2.0
    assert pickle.loads(pickle.dumps(space)) == space  # noqa: S301
