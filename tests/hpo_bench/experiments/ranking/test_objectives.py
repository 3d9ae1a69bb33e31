"""A landscape in other guises. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pytest
import synthetic

from hpo_bench.experiments.ranking.objectives import OnSurrogate, WithNoise
from hpo_bench.experiments.ranking.run import under
from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Landscape:
    return synthetic.landscape(tmp_path_factory.mktemp("grids"), "rugged-b/ta", kind="rugged")


def test_on_a_surrogate_nothing_is_noisy(landscape: Landscape) -> None:
    objective = OnSurrogate(landscape)
    x = np.array([0.33, 0.71])
    assert objective.tell(x, seed=0, t=0) == objective.tell(x, seed=1, t=5) == (objective.truth(x), None)
    assert objective.truth(x) == landscape.score([x])[0]
    gp = OnSurrogate(under(landscape, "gp"))
    assert (objective.kind, gp.kind) == ("thin_plate_spline", "gp")
    assert gp.truth(x) != objective.truth(x)
    assert gp.fingerprint != objective.fingerprint


def test_noise_at_a_recorded_setting_is_its_standard_error(landscape: Landscape) -> None:
    objective = WithNoise(landscape)
    row = 7
    told, errors = np.array([objective.tell(landscape.grid.X[row], seed=1, t=t) for t in range(2000)]).T
    assert np.mean(told) == pytest.approx(landscape.grid.scores[row], abs=4 * np.std(told) / np.sqrt(2000))
    assert np.std(told) == pytest.approx(landscape.grid.standard_errors[row], rel=0.06)
    assert np.median(errors) == pytest.approx(landscape.grid.standard_errors[row], rel=0.05)


def test_noise_between_settings_is_around_the_surrogate_and_no_larger(landscape: Landscape) -> None:
    objective = WithNoise(landscape)
    x = np.array([0.47, 0.63])
    told, given = np.array([objective.tell(x, seed=2, t=t) for t in range(2000)]).T
    assert np.mean(told) == pytest.approx(landscape.score([x])[0], abs=4 * np.std(told) / np.sqrt(2000))
    assert np.median(given) == pytest.approx(np.std(told), rel=0.06)
    near = np.linalg.norm(landscape.grid.X - x, axis=1).argsort()[:4]
    errors = landscape.grid.standard_errors[near]
    assert 0.5 * errors.min() < np.std(told) < 1.3 * errors.max()
    assert objective.truth(x) == landscape.score([x])[0]


def test_noise_belongs_to_run_and_evaluation(landscape: Landscape) -> None:
    objective, x = WithNoise(landscape), np.array([0.4, 0.6])
    assert objective.tell(x, seed=3, t=4) == objective.tell(x, seed=3, t=4)
    assert len({objective.tell(x, seed=s, t=t) for s in range(3) for t in range(3)}) > 6


def test_noise_needs_outcomes(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    (folder / "outcomes.parquet").unlink()
    with pytest.raises(InvalidGridError, match="noise needs the outcome of every example"):
        WithNoise(Landscape.read(folder))
