"""First points that were learnt from landscapes of other pairs."""

from pathlib import Path

import numpy as np
import pytest
import synthetic

import optimizers
from hpo_bench import api
from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.experience import experience, learnt
from hpo_bench.errors import UsageError
from landscapes import catalogue
from landscapes.landscape import Landscape
from landscapes.space import Parameter, SearchSpace


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("experience")
    for seed, pair in enumerate("abc"):
        synthetic.record(place, f"{pair}/ta", seed=seed)
    return place


def test_settings_complement_each_other() -> None:
    worths = np.array([[0.9, 0.1, 0.8, 0.0], [0.1, 0.9, 0.8, 0.0], [0.1, 0.9, 0.8, 0.0]])
    assert learnt(worths, 3) == [2, 1, 0]
    assert learnt(worths, 9) == [2, 1, 0, 3]


def test_a_pair_teaches_nothing_about_itself(root: Path) -> None:
    scores = {pair: Landscape.read(root / pair / "ta").grid for pair in "abc"}
    space = Landscape.read(root / "a" / "ta").space
    found = experience("ta", space, pair="a", root=root, count=1)
    assert found.landscapes == ("b/ta", "c/ta")
    lost = sum(scores[pair].scores.max() - scores[pair].scores for pair in "bc")
    np.testing.assert_array_equal(found.settings[0], scores["b"].X[np.argmin(lost)])
    small = SearchSpace((Parameter("vl_weight", 0.0, 0.3), Parameter("exp_weight", 0.0, 1.4)))
    assert (experience("ta", small, pair="a", root=root).settings[:, 0] <= 0.3).all()
    with pytest.raises(UsageError, match="no experience with dare"):
        experience("dare", space, pair="a", root=root)


def test_what_ships_is_experience_for_every_method_that_was_recorded() -> None:
    for name in ("zh-mistral/ta", "zh-mistral/dare", "zh-mistral/ties"):
        landscape = catalogue.load(name)
        found = experience(landscape.card.method, landscape.space, pair=landscape.card.pair)
        assert len(found.landscapes) == 9
        assert found.settings.shape == (4, landscape.space.dim)
        assert len(np.unique(found.settings, axis=0)) == 4


def test_every_optimizer_begins_there_and_runs_from_elsewhere_keep_their_keys(root: Path) -> None:
    names = [name for name in optimizers.available() if name != "constrained-gp-bo"]
    runs = api.run_benchmark(
        names, landscapes_dir=root, landscapes="a", seeds=1, budget=5, start="experience", progress=False
    ).runs
    space = Landscape.read(root / "a" / "ta").space
    expected = experience("ta", space, pair="a", root=root).settings
    for name in names:
        mine = runs[(runs["optimizer"] == name) & (runs["t"] <= 4)]
        np.testing.assert_allclose(mine[list(space.names)].to_numpy(), expected)
    plans = [
        pipeline.plan(["a"], identities=["random"], seeds=1, budget=5, surrogate=None, landscapes_dir=root, start=start)
        for start in ("own", "design", "experience")
    ]
    own, design, learned = ({run.key for run in plan.runs()} for plan in plans)
    assert len(own | design | learned) == 3
    assert learned == {run.key for run in plans[2].runs()}


def test_functions_teach_nothing() -> None:
    with pytest.raises(UsageError, match="no experience"):
        api.run_benchmark(["random"], suites="merge-like-2d", seeds=1, budget=2, start="experience", progress=False)
