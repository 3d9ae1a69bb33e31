"""Real merges of the shipped pair: they score what was recorded, and are kept."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.runner import advance
from hpo_bench.errors import UsageError
from hpo_bench.experiments.ranking.real import Cache, ForReal
from hpo_bench.merging.pair import Pair
from landscapes import catalogue


def test_a_cache_survives_a_kill_and_gives_the_very_numbers(tmp_path: Path) -> None:
    x, y = np.array([1 / 3, 0.1 + 0.2]), np.array([0.5, 0.25])
    cache = Cache(tmp_path, "a", belongs_to="this")
    assert cache.get(x) is None
    cache.put(x, 2 / 3, seconds=0.5)
    cache.put(y, 0.125, seconds=0.25)
    file = next(tmp_path.glob("a-*.jsonl"))
    with file.open("ab") as end:
        end.write(b'{"x": [0.1, 0.2], "sco')  # a kill cut this short
    again = Cache(tmp_path, "a", belongs_to="this")
    assert (len(again), again.get(x), again.get(y), again.seconds) == (2, 2 / 3, 0.125, 0.75)
    again.put(x + 0.1, 0.5, seconds=0.0)
    assert len(Cache(tmp_path, "a", belongs_to="this")) == 3
    assert len(list(tmp_path.iterdir())) == 2  # each process writes one of its own
    assert len(Cache(tmp_path, "a", belongs_to="that")) == 0


def test_recorded_settings_score_what_was_recorded(shipped: Pair, tmp_path: Path) -> None:
    landscape = catalogue.load(f"{shipped.name}/dare")  # the one method in which masks must be the recorded ones too
    guise = ForReal(landscape, shipped, tmp_path)
    row = len(landscape.grid) // 2 + 1
    x = landscape.grid.X[row]
    score = guise.score([x])[0]
    # At most one answer in eight hundred may turn on the last bit of a sum.
    assert score == pytest.approx(landscape.grid.scores[row], abs=1.5 / landscape.grid.n_examples[row])
    assert guise.score([x])[0] == score
    sent = pickle.loads(pickle.dumps(guise))  # noqa: S301
    assert sent.score([x])[0] == score
    assert len(sent.cache) == 1
    top = landscape.grid.scores.max()
    assert guise.reaching(top + 0.1).regret(top + 0.1) == guise.regret(top) == 0
    assert guise.reaching(top - 0.1).optimum.score == top


def test_another_pair_is_refused(small_pair: Pair, tmp_path: Path) -> None:
    landscape = catalogue.load("ja-llama/ta")
    contender = Contender.find("random")
    plan = Plan((contender,), (ForReal(landscape, small_pair, tmp_path),), 1, 3)
    with pytest.raises(UsageError, match="other weights or examples than ja-llama/ta was recorded from"):
        advance(plan.chunks()[0], {landscape.name: plan.landscapes[0]})
