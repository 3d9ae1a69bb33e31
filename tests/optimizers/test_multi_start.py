import numpy as np
import pytest

from optimizers import MultiStart, Search
from optimizers.errors import ProtocolError
from optimizers.pattern_search import PatternSearch
from optimizers.powell import Powell


class Triples(MultiStart):
    """Looks at its start and at two places beside it, then gives up."""

    name = "triples"
    label = "Triples"

    def _search(self, start) -> Search:
        yield start
        first = yield start + 0.01
        second = yield start + 0.02
        return f"saw {first:g} and {second:g}"


def drive(optimizer, objective):
    points = []
    while optimizer.asked < optimizer.budget:
        points.append(optimizer.ask())
        optimizer.tell(points[-1], objective(points[-1]))
    return np.array(points)


def test_searches_follow_each_other_and_say_why() -> None:
    optimizer = Triples(2, seed=0, budget=7)
    X = drive(optimizer, lambda x: float(len(optimizer.history[1])))
    assert [(r.evaluation, r.reason) for r in optimizer.restarts] == [(3, "saw 1 and 2"), (6, "saw 4 and 5")]
    assert np.allclose(X[1] - X[0], 0.01)
    assert np.abs(X[3] - X[2]).max() > 0.02


@pytest.mark.parametrize("again", [1, 10**6], ids=["begun anew", "within a search"])
def test_a_search_that_asks_for_nothing_new_is_refused_and_does_not_hang(again: int) -> None:
    yielded = iter(range(20_000))

    class Stuck(Triples):
        def _search(self, start) -> Search:
            for _ in range(again):
                next(yielded)
                yield np.full(self.dim, 0.5)
            return "nothing new"

    optimizer = Stuck(2, seed=0, budget=2)
    optimizer.tell(optimizer.ask(), 1.0)
    with pytest.raises(ProtocolError, match="Stuck asked 10000 times in a row for points that it knows"):
        optimizer.ask()


def test_no_restart_follows_the_last_evaluation() -> None:
    optimizer = Triples(2, seed=0, budget=6)
    drive(optimizer, lambda _: 0.0)
    assert [r.evaluation for r in optimizer.restarts] == [3]


def test_a_failed_start_ends_its_search() -> None:
    optimizer = Triples(2, seed=0, budget=5)
    drive(optimizer, lambda _: np.nan if len(optimizer.history[1]) == 0 else 1.0)
    assert [(r.evaluation, r.reason) for r in optimizer.restarts] == [(1, "its start failed"), (4, "saw 1 and 1")]


def test_only_the_first_search_begins_at_the_start() -> None:
    X = drive(Triples(2, seed=0, budget=6, start=[0.5, 0.5]), lambda _: 0.0)
    assert X[0].tolist() == [0.5, 0.5]
    assert X[3].tolist() != [0.5, 0.5]


def test_the_first_search_begins_at_the_best_of_several_starts() -> None:
    class Looks(Triples):
        def _search(self, start) -> Search:
            score = yield start
            yield start + 0.01
            return f"began at {score:g}"

    optimizer = Looks(2, seed=0, budget=6, start=[[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]])
    scores = iter([1.0, 3.0, np.nan, 0.0, 7.0, 0.0])
    X = drive(optimizer, lambda _: next(scores))
    assert [(r.evaluation, r.reason) for r in optimizer.restarts] == [(4, "began at 3")]
    assert np.allclose(X[3], 0.51)


def test_where_every_start_failed_the_first_search_begins_elsewhere() -> None:
    optimizer = Triples(2, seed=0, budget=5, start=[[0.1, 0.1], [0.5, 0.5]])
    X = drive(optimizer, lambda x: np.nan if x[0] in (0.1, 0.5) else 1.0)
    assert np.allclose(X[3] - X[2], 0.01)


def test_known_points_cost_nothing() -> None:
    class Twice(Triples):
        def _search(self, start) -> Search:
            yield start
            once = yield start / 2
            again = yield start / 2
            return f"{once:g}={again:g}"

    optimizer = Twice(2, seed=0, budget=3)
    drive(optimizer, lambda _: float(len(optimizer.history[1])))
    assert optimizer.restarts[0].reason == "1=1"
    assert optimizer.restarts[0].evaluation == 2


def test_what_differs_from_a_known_point_by_rounding_alone_is_known() -> None:
    class There(Triples):
        def _search(self, start) -> Search:
            yield start
            once = yield start / 3
            again = yield start / 3 + 1e-12
            close = yield start / 3 + 1e-5
            return f"{once:g}={again:g} and not {close:g}"

    optimizer = There(2, seed=0, budget=4)
    drive(optimizer, lambda _: float(len(optimizer.history[1])))
    assert [(r.evaluation, r.reason) for r in optimizer.restarts] == [(3, "1=1 and not 2")]


def test_steps_outside_are_answered_by_the_face() -> None:
    class Long(Triples):
        def _search(self, start) -> Search:
            yield start
            yield start - 5.0
            return "done"

    assert drive(Long(2, seed=0, budget=2), lambda _: 0.0)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("cls", [PatternSearch, Powell])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_local_searches_pay_for_no_point_twice(cls, dim: int) -> None:
    for seed in range(5):
        X = drive(cls(dim, seed=seed, budget=60), lambda x: float(np.sum(0.05 * np.cos(20 * x) - abs(x - 0.37) ** 1.5)))
        gaps = np.abs(X[:, None] - X).max(axis=2) + np.eye(len(X))
        assert gaps.min() > 1e-7


def test_the_first_search_begins_at_the_best_known_point_for_nothing() -> None:
    optimizer = Triples(2, seed=0, budget=4, start=[0.1, 0.1])
    for x, score in (([0.7, 0.2], 5.0), ([0.4, 0.4], 9.0), ([0.9, 0.9], np.nan)):
        optimizer.tell(x, score, known=True)
    X = drive(optimizer, lambda _: 1.0)
    assert X[0].tolist() == [0.1, 0.1]
    assert X[1:3] == pytest.approx(np.array([[0.41, 0.41], [0.42, 0.42]]))
    # The start and two points were told when the first search ended; what is known took no evaluation.
    assert optimizer.restarts[0].evaluation == 3


def test_what_is_told_in_between_is_not_taken_for_the_answer() -> None:
    optimizer = Triples(2, seed=0, budget=4)
    for score in (1.0, 2.0, 3.0):
        optimizer.tell(optimizer.ask(), score)
        optimizer.tell([0.0, score / 10], 77.0, known=True)
    optimizer.ask()
    assert optimizer.restarts[0].reason == "saw 2 and 3"
