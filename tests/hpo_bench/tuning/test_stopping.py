"""Tuning ends where the rest of the budget would gain too little."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import killing
import numpy as np
import pytest
from click.testing import Result

from hpo_bench.errors import UsageError
from hpo_bench.tuning.budget import Budget, Spent
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.stopping import gain_ahead
from hpo_bench.tuning.storage.store import TrialStore

RNG = np.random.default_rng(0)
X = RNG.random((12, 2))


def answers(settings: np.ndarray, examples: int = 400, *, steep: float = 1.0) -> np.ndarray:
    """SYNTHETIC: examples of different hardness, right where a bowl around (0.6, 0.4) is above it."""
    hardness = np.random.default_rng(1).random(examples)
    bowl = 0.8 - steep * ((settings - (0.6, 0.4)) ** 2).sum(axis=1)
    return (bowl[:, None] > hardness).astype(float)


def test_less_is_to_be_gained_the_more_is_known() -> None:
    few, many = (gain_ahead(X[:n], answers(X[:n]), further=8) for n in (5, 12))
    assert 0 <= many < few
    assert gain_ahead(X, answers(X), further=0) == 0.0
    assert gain_ahead(X, answers(X), further=8) == many, "the same for the same arguments"
    assert gain_ahead(X[:5], answers(X[:5]), further=16) > gain_ahead(X[:5], answers(X[:5]), further=1)


def test_what_an_example_adds_to_all_settings_is_no_noise() -> None:
    own = np.random.default_rng(2).normal(size=400)
    told = answers(X)
    assert gain_ahead(X, told + 0.3 * (own - own.mean()), further=8) == pytest.approx(gain_ahead(X, told, further=8))


def test_what_must_not_be_recommended_and_what_is_to_be_had_anyhow_count() -> None:
    told = answers(X)
    best = told.mean(axis=1) == told.mean(axis=1).max()
    usual = gain_ahead(X, told, further=8)
    assert gain_ahead(X, told, further=8, able=~best) > usual
    assert gain_ahead(X, told, further=8, rival=told.mean(axis=1).max() + 0.05) < usual
    assert gain_ahead(X, told, further=8, able=np.zeros(12, dtype=bool)) == np.inf


def test_looking_ahead_takes_little() -> None:
    settings = RNG.random((60, 3))[:, :2]
    told = answers(settings, 4000)
    gain_ahead(settings, told, further=8)
    begin = time.process_time()
    gain_ahead(settings, told, further=8)
    assert time.process_time() - begin < 0.3  # measured: 0.03


def test_a_budget_says_how_many_more_trials_it_buys() -> None:
    spent = Spent(trials=4, hours=2.0, dollars=8.0, finished=4)
    assert Budget(trials=9).further(spent) == 5
    assert Budget(trials=100, hours=3.0).further(spent) == 2
    assert Budget(trials=100, dollars=9.0).further(spent) == 0
    for wrong in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(UsageError, match="gain in points"):
            Budget(trials=9, until=wrong)


@pytest.fixture
def tune(tune: Callable[..., Result]) -> Callable[..., Result]:
    return partial(tune, "--trials", "20")


def test_tuning_ends_early_and_goes_on_if_more_is_wanted(tune: Callable[..., Result], tmp_path: Path) -> None:
    def trace() -> list[tuple[object, ...]]:
        study = TrialStore(tmp_path / "tuning" / "s", "s", existing=True)
        return [(one.setting, one.score, one.told_as) for one in study.trials()]

    killing.run_killed(
        lambda: tune("--until", "3").exception,
        "hpo_bench.tuning.storage.store.TrialStore.finish",
        lambda function: killing.after(function, calls=5),
    )
    ended = tune("--until", "3")
    assert ended.exit_code == 0, ended.output
    early = trace()
    assert 5 <= len(early) < 20
    told = TuningResult.read(tmp_path / "tuning" / "s")
    assert told is not None
    assert told.further == 20 - len(early)
    assert told.ahead is not None
    assert 100 * told.ahead < 3
    assert f"ended after {len(early)} trials: {told.further} more" in ended.output.lower()
    again = tune("--until", "3")
    assert "is finished" in again.output
    assert trace() == early
    (tmp_path / "tuning").rename(tmp_path / "killed")
    assert tune("--until", "3").exit_code == 0
    assert trace() == early, "killed or not"
    on = tune("--until", "0.0001")
    assert on.exit_code == 0, on.output
    assert trace()[: len(early)] == early
    assert len(trace()) > len(early)
