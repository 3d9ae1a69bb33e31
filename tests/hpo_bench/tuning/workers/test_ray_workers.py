"""A real Ray cluster of two nodes on this machine, one of which is killed."""

import time
from pathlib import Path

import pytest
from tuning_toys import Silent, ToyOpener, ToySession, config, tuner

from hpo_bench.tuning.race import Race
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial
from optimizers.registry import get

ray = pytest.importorskip("ray")


def test_a_budget_is_finished_though_a_node_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    from hpo_bench.tuning.workers.ray import RayPool

    root = Path(__file__).parents[4]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{root / 'tests'}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    node = {"num_cpus": 1, "object_store_memory": 10**8}
    for patience in (2, 1, 0):
        cluster = Cluster()
        try:
            cluster.add_node(**node)
            other = cluster.add_node(**node)
            break
        except Exception:  # Ray gives a node 30 seconds, which a busy machine may not have
            cluster.shutdown()
            if not patience:
                raise
    pool = RayPool(ToyOpener(ToySession(seconds=0.3)), address=cluster.address, workers=2)
    killed: list[int] = []

    class Saboteur(Silent):
        """Kills a node when a few trials are done, and brings another."""

        def show(self, progress, finished: Trial | None = None) -> None:
            if finished is not None and finished.number >= 3 and not killed:
                killed.append(finished.number)
                cluster.remove_node(other, allow_graceful=False)
                cluster.add_node(num_cpus=1, object_store_memory=10**8)
            super().show(progress, finished)

    try:
        store = TrialStore(tmp_path, "study")
        known = store.begin(config())
        end = time.monotonic() + 120
        while len(pool.idle) < 2 and time.monotonic() < end:
            pool.poll(0.5)
        race = Race.of(known, get("random"), budget=10)
        assert tuner(store, race, trials=10, pool=pool, screen=Saboteur()).run() == "budget"
    finally:
        pool.stop()
        ray.shutdown()
        cluster.shutdown()
    trials = store.trials()
    assert killed
    assert [trial.number for trial in trials] == list(range(10))
    assert {trial.state for trial in trials} == {"complete"}
    assert {trial.worker for trial in trials} == {"worker-1", "worker-2"}
