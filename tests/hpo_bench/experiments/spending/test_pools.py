import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys_of_spending import pool

from hpo_bench.errors import UsageError
from hpo_bench.experiments.spending.pools import Draw, dense, kept_back, shipped, sweeps
from landscapes import catalogue


def test_half_of_the_examples_is_unseen() -> None:
    one = pool()
    draw, again, other = Draw.of(one, 0), Draw.of(one, 0), Draw.of(one, 1)
    assert draw.seen.shape == (49, 400)
    assert len(set(draw.unseen)) == 400
    np.testing.assert_allclose(draw.seen.sum(axis=1) + one.answers[:, draw.unseen].sum(axis=1), one.answers.sum(axis=1))
    assert np.array_equal(draw.unseen, again.unseen)
    assert not np.array_equal(draw.unseen, other.unseen)
    np.testing.assert_allclose(draw.totals[:, 30], draw.seen[:, :30].sum(axis=1))


def test_searches_begin_elsewhere_on_every_pool() -> None:
    seeds = {Draw.of(pool(name=name), seed).search_seed for name in ("one/ta", "two/ta") for seed in range(3)}
    assert len(seeds) == 6
    assert Draw.of(pool(), 2).search_seed == Draw.of(pool(), 2).search_seed


def test_nothing_is_lost_at_the_best_setting() -> None:
    draw = Draw.of(pool(noisy=False), 0)
    assert draw.best == draw.truth.max() == draw.truth[24]
    assert draw.pool.nearest(np.array([[0.5, 0.5], [0.0, 0.1]])).tolist() == [24, 7]


def test_what_ships_is_read(tmp_path: Path) -> None:
    shutil.copytree(catalogue.ROOT / "ja-llama" / "ta", tmp_path / "ja-llama" / "ta")
    (grid,), (landscape,) = dense(tmp_path), shipped(tmp_path)
    assert (grid.name, grid.pair, grid.domain) == ("ja-llama/ta", "ja-llama", "language")
    assert grid.answers.shape == (225, 3185)
    assert landscape.answers.shape == (225, 3185)  # 25 on the grid and 200 held out
    np.testing.assert_array_equal(grid.base, landscape.base)
    # The VLM as it is stands in the dense grid, at (1, 0) of [0, 1.4] x [0, 1.4].
    place = grid.nearest(np.array([[1 / 1.4, 0.0]]))[0]
    np.testing.assert_array_equal(grid.base, grid.answers[place])


def test_landscapes_over_the_wide_box_are_kept_back(tmp_path: Path) -> None:
    shutil.copytree(catalogue.ROOT / "turkish-smollm2" / "ta", tmp_path / "turkish-smollm2" / "ta")
    (one,) = kept_back(tmp_path)
    assert (one.name, one.method, one.answers.shape) == ("turkish-smollm2/ta", "ta", (64 + 200, 2006))
    assert list(shipped(tmp_path)) == []
    assert "turkish-smollm2" in {one.pair for one in kept_back()}


def _sweep() -> pd.DataFrame:
    rows = [
        {"task": task, "prompt": 0, "alpha": alpha, "id": str(i), "correct": i % 10 < 10 * alpha}
        for task, count in (("long", 400), ("short", 50)) for alpha in (0.0, 0.5, 1.0) for i in range(count)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_sweeps_of_ones_own(tmp_path: Path) -> None:
    _sweep().to_parquet(tmp_path / "sweep.parquet")
    (one,) = sweeps(tmp_path / "sweep.parquet")  # the short one leaves too few unseen
    assert (one.name, one.pair) == ("long-0", "long")
    np.testing.assert_allclose(one.worth, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(one.base, one.answers[2])


def test_sweeps_that_lack_something_are_refused(tmp_path: Path) -> None:
    _sweep().drop(columns="alpha").to_parquet(tmp_path / "lacks.parquet")
    with pytest.raises(UsageError, match="no column 'alpha'"):
        list(sweeps(tmp_path / "lacks.parquet"))
    _sweep().iloc[1:].to_parquet(tmp_path / "gap.parquet")
    with pytest.raises(UsageError, match="long-0 was not answered at every alpha"):
        list(sweeps(tmp_path / "gap.parquet"))
