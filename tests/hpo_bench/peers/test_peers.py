"""Peers that are installed must be what our own optimisers are; those that are not are skipped."""

import gc
import sys
import threading

import numpy as np
import pytest

from hpo_bench.benchmark.contender import Contender
from hpo_bench.errors import UsageError
from hpo_bench.peers import registry
from hpo_bench.peers.base import Peer, global_generators, global_state
from hpo_bench.peers.inside_out import InsideOut
from optimizers.conformance import CHECKS
from optimizers.errors import UnknownOptimizerError

FAST = ("optuna-tpe", "optuna-cma-es", "nevergrad-ngopt", "pybads")
SLOW = ("optuna-gp", "botorch", "ax", "smac", "hebo")
"""Checked in full by hand; here they are asked and told a few times."""
ITS_OWN_WAY = {
    ("nevergrad-ngopt", "failures_are_survived"),
    *((name, "units_do_not_matter") for name in ("nevergrad-ngopt", "optuna-cma-es", "pybads")),
}
"""NGOpt goes back to where evaluations failed, and does not learn that they did; tolerances are the packages' own."""


def peer(name: str) -> type[Peer]:
    try:
        kind = registry.find(name)
    except UsageError as error:
        pytest.skip(str(error))
    if name in registry.APART and not kind.apart.ready:
        pytest.skip("making its environment takes minutes; `hpo-bench run -o hebo` does")
    return kind


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", FAST)
def test_conformance(name, check):
    if (name, check.__name__) in ITS_OWN_WAY:
        pytest.skip("the peer's own way")
    check(peer(name))


@pytest.mark.parametrize("name", SLOW)
def test_slow_peers_are_deterministic_and_begin_at_the_start(name):
    runs = []
    for _ in range(2):
        optimizer = peer(name)(2, seed=3, budget=7, start=[0.5, 0.25])
        points = []
        for _ in range(7):
            points.append(optimizer.ask())
            optimizer.tell(points[-1], np.nan if len(points) == 3 else -float(((points[-1] - 0.3) ** 2).sum()))
        runs.append(np.array(points))
    assert np.array_equal(*runs)
    assert runs[0][0].tolist() == [0.5, 0.25]
    assert len(np.unique(runs[0], axis=0)) == 7


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_seeds_beyond_32_bits_are_taken(name):
    """As our own optimisers take them, while most packages hand theirs to numpy's older generators."""
    optimizer = peer(name)(2, seed=2**40 + 1, budget=2)
    for score in (0.0, 1.0):
        optimizer.tell(optimizer.ask(), score)
    assert len(optimizer.history[0]) == 2


def test_botorch_asks_for_nothing_again_that_is_known_while_it_has_no_model():
    first, design = peer("botorch")(2, seed=0, budget=4), []
    for _ in range(4):
        design.append(first.ask())
        first.tell(design[-1], 0.0)
    known, given = peer("botorch")(2, seed=0, budget=2), peer("botorch")(2, seed=0, budget=4, start=design[1])
    for place, x in enumerate(design[:2]):
        known.tell(x, place, known=True)
    for run, expected in ((known, design[2:]), (given, [design[1], design[0], *design[2:]])):
        for x in expected:
            assert run.ask().tolist() == x.tolist()
            run.tell(x, 0.0)


@pytest.mark.parametrize("name", registry.TOGETHER)
def test_versions_are_settings(name):
    kind = peer(name)
    assert dict(kind(2, seed=0, budget=5).settings)["packages"] == kind.versions()
    assert kind.name == name


def test_a_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    monkeypatch.delitem(sys.modules, "hpo_bench.peers.ngopt", raising=False)
    with pytest.raises(UsageError, match=r"nevergrad-ngopt cannot be run: .*pip install 'hpo-bench\[peers\]'"):
        Contender.find("nevergrad-ngopt")


def test_a_misspelt_peer_is_suggested_beside_ours():
    with pytest.raises(UnknownOptimizerError, match=r"did you mean 'optuna-tpe'.*gp-bo.*hebo, or give"):
        Contender.find("optuna_tep")


def climb(objective):
    x = np.array([0.5])
    while True:
        step = np.random.random()  # noqa: NPY002 (such searches draw from the global generator)
        x = x + 0.1 * step if objective(x) < 1 else x - 0.1 * step


def test_a_search_inside_out_is_deterministic_whatever_happens_outside():
    runs = []
    for state in (1, 2):
        np.random.seed(state)  # noqa: NPY002
        loop = InsideOut(climb, 7)
        points = []
        for _ in range(5):
            points.append(float(loop.ask()[0]))
            np.random.random()  # noqa: NPY002
            loop.tell(0.0)
        loop.close()
        runs.append(points)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 5


def test_what_a_search_raises_is_raised_where_it_was_asked():
    def broken(objective):
        objective(np.zeros(1))
        raise ArithmeticError("of its own")

    loop = InsideOut(broken, 0)
    loop.ask()
    loop.tell(0.0)
    with pytest.raises(ArithmeticError, match="of its own"):
        loop.ask()


def test_searches_that_nobody_asks_any_more_leave_no_thread():
    kind = peer("pybads")
    before = threading.active_count()
    group = [kind(2, seed=seed, budget=20) for seed in range(3)]
    for optimizer in group:
        optimizer.tell(optimizer.ask(), 0.0)
    assert threading.active_count() == before + 3
    del group, optimizer
    gc.collect()
    assert threading.active_count() == before


def test_global_generators_are_as_before():
    before = global_state()[1]
    with global_generators(1, 2):
        np.random.random(5)  # noqa: NPY002
    assert np.array_equal(before[1], global_state()[1][1])
