import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from landscapes.errors import UnknownLandscapeError
from landscapes.functions import Function, members, suite
from landscapes.functions.merge_like import MergeLike


def hill(X):
    return 3.0 - 4.0 * (X[:, 0] - 0.3) ** 2


@pytest.fixture(scope="module")
def surfaces():
    return {dim: suite(f"merge-like-{dim}d", 0, count=2) for dim in (2, 3)}


def test_a_function_knows_its_extremes_and_random() -> None:
    function = Function.certified(suite="test", name="hill", dim=1, f=hill)
    assert function.f_max == pytest.approx(3.0)
    assert function.f_min == pytest.approx(3.0 - 4.0 * 0.49)
    # Below zero: the maximum was none, and that must show.
    assert function.regret([3.0, function.f_min, 3.1]) == pytest.approx([0.0, 1.0, -0.1 / 1.96], abs=1e-9)
    # The mean of (x - 0.3)^2 over the interval, and the interquartile range of a sample of its own.
    assert function.random_regret(3)[0] == pytest.approx((0.7**3 + 0.3**3) / 3 / 0.49, rel=0.02)
    values = hill(np.random.default_rng(1).random((20_000, 1)))
    assert function.spread == pytest.approx(np.subtract(*np.quantile(values, (0.75, 0.25))) / 1.349, rel=0.05)


@pytest.mark.parametrize("dim", [2, 3])
def test_surfaces_are_their_seeds_and_stay_within_their_extremes(surfaces, dim: int) -> None:
    first, second = surfaces[dim]
    again = suite(f"merge-like-{dim}d", 0, count=1)[0]
    X = np.random.default_rng(5).random((5000, dim))
    assert np.array_equal(first.score(X), again.score(X))
    assert (first.f_max, first.f_min) == (again.f_max, again.f_min)
    assert not np.allclose(first.score(X), second.score(X))
    for function in surfaces[dim]:
        scores = function.score(X)
        assert scores.max() <= function.f_max + 1e-9
        assert scores.min() >= function.f_min - 1e-9
        assert scores.max() > function.f_max - 0.1 * (function.f_max - function.f_min)


def test_workers_get_the_same_function(surfaces) -> None:
    X = np.random.default_rng(5).random((10, 2))
    sent = pickle.loads(pickle.dumps(surfaces[2][0]))  # noqa: S301 (made one line above)
    assert np.array_equal(sent.score(X), surfaces[2][0].score(X))


def test_a_surface_has_a_cliff_a_plateau_and_a_collapse() -> None:
    """Along the expert's weight: little, then a lot and flat, then nothing."""
    plain = MergeLike(
        skill=1.0,
        cliff=(0.4, 40.0),
        sight=(0.1, 20.0),
        forgetting=0.0,
        collapse=(1.6, 30.0, 1.0),
        clash=0.0,
        fading=(0.5, 1.0),
        roughness=0.0,
        frequencies=np.zeros((8, 2)),
        phases=np.zeros(8),
    )
    at = plain(np.array([[0.5, exp_weight / 1.4] for exp_weight in (0.1, 0.6, 0.7, 1.4)]))
    assert at == pytest.approx([0.0, 1.0, 1.0, 0.0], abs=0.01)
    # With more of the VLM the collapse comes sooner: the ridge is diagonal.
    assert plain(np.array([[1.0, 0.5]]))[0] < 0.01 < plain(np.array([[0.5, 0.5]]))[0]


def test_a_family_is_its_suites() -> None:
    assert members("bbob") == ("bbob-2d", "bbob-3d")
    assert members("merge-like-3d") == ("merge-like-3d",)


@pytest.mark.parametrize(("typed", "near"), [("bob", "'bbob'"), ("mergelike-2d", "'merge-like-2d'")])
def test_an_unknown_family_is_answered_with_what_there_is(typed: str, near: str) -> None:
    with pytest.raises(
        UnknownLandscapeError, match=rf"did you mean {near}\? there are bbob and merge-like, and either"
    ):
        members(typed)


def test_an_unknown_suite() -> None:
    with pytest.raises(UnknownLandscapeError, match="merge-like-2d"):
        suite("merge-like-4d", 0)


@pytest.mark.skipif(find_spec("cocoex") is not None, reason="coco-experiment is installed")
def test_bbob_without_its_package_says_how_to_get_it() -> None:
    with pytest.raises(UnknownLandscapeError, match=r"hpo-bench\[peers\]"):
        suite("bbob-2d", 0)


@pytest.mark.skipif(find_spec("cocoex") is None, reason="needs coco-experiment")
def test_bbob_is_turned_upside_down() -> None:
    sphere, *_ = functions = suite("bbob-2d", 0, count=5)
    assert len(functions) == 5
    X = np.random.default_rng(0).random((4000, 2))
    assert sphere.score(X).max() <= sphere.f_max
    best = X[sphere.score(X).argmax()]
    # A sphere of curvature 1 in a box of width 10.
    assert sphere.f_max - sphere.score(best[None] + 0.01)[0] < 0.2
    assert sphere.random_regret(10)[-1] < sphere.random_regret(1)[0]


def test_random_is_what_plain_draws_come_to() -> None:
    (problem,) = suite("merge-like-2d", 3, count=1)
    draws = np.random.default_rng(1).random((4000, 10, 2)).reshape(-1, 2)
    simulated = problem.regret(problem.score(draws)).reshape(4000, 10).min(axis=1)
    assert problem.random_regret(10)[-1] == pytest.approx(simulated.mean(), abs=4 * simulated.std() / 4000**0.5)
