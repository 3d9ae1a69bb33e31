"""A landscape in other guises. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pytest
import synthetic

from hpo_bench.experiments.ranking.guises import WithNoise, under
from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Landscape:
    return synthetic.landscape(tmp_path_factory.mktemp("grids"), "rugged-b/ta", kind="rugged")


def told(guise: WithNoise, x: np.ndarray, *, seed: int, times: int) -> np.ndarray:
    evaluate = guise.noisily(seed)
    return np.array([evaluate(x) for _ in range(times)])


def test_another_surrogate_is_another_landscape_of_the_same_name(landscape: Landscape) -> None:
    gp, x = under(landscape, "gp"), np.array([[0.33, 0.71]])
    assert under(landscape, "thin_plate_spline") is landscape
    assert gp.score(x) != landscape.score(x)
    assert gp.content_hash != landscape.content_hash
    assert gp.seed(3) == landscape.seed(3) != landscape.seed(4)


def test_noise_at_a_recorded_setting_is_its_standard_error(landscape: Landscape) -> None:
    row = 7
    scores, errors = told(WithNoise(landscape), landscape.grid.X[row], seed=1, times=2000).T
    assert np.mean(scores) == pytest.approx(landscape.grid.scores[row], abs=4 * np.std(scores) / np.sqrt(2000))
    assert np.std(scores) == pytest.approx(landscape.grid.standard_errors[row], rel=0.06)
    assert np.median(errors) == pytest.approx(landscape.grid.standard_errors[row], rel=0.05)


def test_noise_between_settings_is_around_the_surrogate_and_no_larger(landscape: Landscape) -> None:
    guise, x = WithNoise(landscape), np.array([0.47, 0.63])
    scores, given = told(guise, x, seed=2, times=2000).T
    assert np.mean(scores) == pytest.approx(landscape.score([x])[0], abs=4 * np.std(scores) / np.sqrt(2000))
    assert np.median(given) == pytest.approx(np.std(scores), rel=0.06)
    near = np.linalg.norm(landscape.grid.X - x, axis=1).argsort()[:4]
    errors = landscape.grid.standard_errors[near]
    assert 0.5 * errors.min() < np.std(scores) < 1.3 * errors.max()
    assert guise.score([x]) == landscape.score([x])
    assert guise.optimum is landscape.optimum
    assert guise.content_hash not in (landscape.content_hash, under(landscape, "gp").content_hash)


def test_noise_belongs_to_run_and_evaluation(landscape: Landscape) -> None:
    guise, x = WithNoise(landscape), np.array([0.4, 0.6])
    assert np.array_equal(told(guise, x, seed=3, times=5), told(guise, x, seed=3, times=5))
    assert len({tuple(one) for seed in range(3) for one in told(guise, x, seed=seed, times=3)}) > 6


def test_noise_needs_outcomes(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    (folder / "outcomes.parquet").unlink()
    with pytest.raises(InvalidGridError, match="noise needs the outcome of every example"):
        WithNoise(Landscape.read(folder))
