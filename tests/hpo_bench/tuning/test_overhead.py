"""What tuning itself takes."""

import time
from pathlib import Path

import pytest
from tuning_toys import config, tuner

from hpo_bench.errors import TuningError
from hpo_bench.tuning.progress import FILE, PARTS, Overhead
from hpo_bench.tuning.race import Race
from hpo_bench.tuning.storage.store import TrialStore
from optimizers.registry import get


def tune(folder: Path, trials: int) -> Overhead:
    store = TrialStore(folder, "study")
    known = store.config or store.begin(config())
    made = tuner(store, Race.of(known, get("random"), budget=20), trials=trials)
    made.run()
    store.close()
    return made.progress.overhead


def test_sleep_takes_time_but_no_processor() -> None:
    overhead = Overhead()
    with overhead.of("store"):
        time.sleep(0.05)
    assert overhead.wall["store"] >= 0.05 > overhead.processor["store"]
    assert overhead.wall["ask"] == 0.0


def test_accounts_are_kept_and_added_up_over_calls(tmp_path: Path) -> None:
    first = tune(tmp_path, 4)
    assert first.trials == 4
    assert all(first.wall[part] > 0.0 for part in PARTS)
    assert Overhead.read(tmp_path) == first
    second = tune(tmp_path, 7)
    assert second.trials == 3
    assert Overhead.read(tmp_path) == first + second
    wall, processor = (first + second).each
    assert wall == pytest.approx((sum(first.wall.values()) + sum(second.wall.values())) / 7)
    assert processor > 0.0


def test_without_a_file_nothing_was_spent_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert Overhead.read(tmp_path) == Overhead()
    (tmp_path / FILE).write_text('{"trials": 3}')
    with pytest.raises(TuningError, match=r"overhead\.json is damaged"):
        Overhead.read(tmp_path)
