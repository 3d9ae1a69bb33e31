import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from landscapes.card import Card, CardParameter
from landscapes.errors import FlatLandscapeError, InvalidCardError, InvalidGridError, InvalidSpaceError
from landscapes.grid import write_grid
from landscapes.landscape import Landscape
from landscapes.outcomes import Outcomes, write_outcomes
from surrogates.rbf import RBFSurrogate

NAMES = {"smooth-a/ta": "smooth", "rugged-b/ta": "rugged", "rugged-b/dare": "rugged"}


@pytest.fixture(scope="module", params=list(NAMES))
def landscape(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Landscape:
    return synthetic.landscape(tmp_path_factory.mktemp("landscapes"), request.param, kind=NAMES[request.param])


def tiny(tmp_path: Path, X: list, scores: list, **changes: object) -> Landscape:
    """A landscape over vl_weight and exp_weight in [0.2, 1] from settings and scores."""
    box = tuple(CardParameter(name, 0.2, 1.0) for name in ("vl_weight", "exp_weight"))
    card = synthetic.card("smooth-a/ta", **{"parameters": box, "n_examples": {"validation": {"all": 10}}, **changes})
    rows = pd.DataFrame(X, columns=list(card.space.names)).assign(
        split="validation", score=scores, standard_error=np.arange(len(X)) / 100,
        n_examples=10, merge_seconds=0.0, eval_seconds=0.0,
    )  # fmt: skip
    write_grid(tmp_path / "grid.parquet", rows, card.space)
    card.write(tmp_path / "card.yaml")
    return Landscape.read(tmp_path)


CORNERS = [[0.2, 0.2], [0.2, 1.0], [1.0, 0.2], [1.0, 1.0]]


def test_scores_are_those_recorded_at_recorded_settings(landscape: Landscape) -> None:
    assert landscape.score(landscape.grid.X) == pytest.approx(landscape.grid.scores, abs=1e-9)
    assert landscape.grid.split == "validation"


def test_nothing_lies_beyond_the_extrema(landscape: Landscape) -> None:
    x = landscape.space.from_unit(np.random.default_rng(0).random((20_000, landscape.space.dim)))
    regret = landscape.regret(landscape.score(np.vstack([x, landscape.grid.X])))
    assert regret.min() >= 0
    assert regret.max() <= 1
    assert landscape.optimum.gap < 1e-6 * landscape.range > landscape.minimum.gap
    ends = np.array([landscape.optimum.x, landscape.minimum.x])
    assert landscape.space.contains(ends).all()
    assert landscape.regret(landscape.score(ends)) == pytest.approx([0, 1])


def test_a_plane_by_hand(tmp_path: Path) -> None:
    plane = tiny(tmp_path, [*CORNERS, [0.6, 0.6]], [-5.0, -1.0, -2.0, 2.0, -1.5])
    assert plane.score([[0.4, 0.8]]) == pytest.approx([-1.25])
    assert plane.optimum.x == pytest.approx([1.0, 1.0])
    assert plane.optimum.score == pytest.approx(2.0)
    assert plane.minimum.score == pytest.approx(-5.0)
    assert plane.regret([[2.0, -1.5], [-5.0, np.nan]]) == pytest.approx(np.array([[0, 0.5], [1, np.nan]]), nan_ok=True)
    # Standard errors rise by 0.01 a row, and the row of the corner (1, 1) is the fourth.
    assert plane.noise == pytest.approx(0.03)
    fidelity = plane.fidelity()
    assert fidelity.noise_percent == pytest.approx(100 * 0.03 / 7)
    assert fidelity.overshoot_percent == pytest.approx(0, abs=1e-6)
    assert fidelity.argmax_shift == pytest.approx(0, abs=1e-6)
    assert fidelity.study_loocv == pytest.approx(0, abs=1e-6)
    # The mean of a plane is its middle, so one random draw is worth half the range.
    assert plane.random_regret(1) == pytest.approx([0.5], abs=1e-3)


def test_random_regret_is_that_of_random_runs(landscape: Landscape) -> None:
    rng = np.random.default_rng(5)
    draws = landscape.space.from_unit(rng.random((40 * 3000, landscape.space.dim)))
    runs = np.minimum.accumulate(landscape.regret(landscape.score(draws)).reshape(3000, 40), axis=1)
    error = runs.std(axis=0) / np.sqrt(len(runs))
    expected = landscape.random_regret(40)
    assert expected.shape == (40,)
    assert (np.abs(runs.mean(axis=0) - expected) < 5 * error).all()
    assert (np.diff(expected) < 0).all()


def test_the_regret_sample_is_sorted_and_cannot_be_changed(landscape: Landscape) -> None:
    sample = landscape.regret_sample
    assert sample.shape == (2**15,)
    assert (np.diff(sample) >= 0).all()
    assert 0 <= sample[0] < 0.02
    with pytest.raises(ValueError, match="read-only"):
        sample[0] = 0.0


def test_fidelity_is_measured_in_the_unit_cube(landscape: Landscape) -> None:
    fidelity, X, y = landscape.fidelity(), landscape.space.to_unit(landscape.grid.X), landscape.grid.scores
    by_hand = [y[i] - RBFSurrogate().fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]])[0] for i in range(len(X))]
    assert fidelity.exact_loocv == pytest.approx(100 * np.sqrt(np.mean(np.square(by_hand))) / np.ptp(y))
    assert 0 < fidelity.study_loocv < 60
    # Several settings may share the best score; the nearest counts.
    optimum = landscape.space.to_unit(landscape.optimum.x[None])[0]
    assert fidelity.argmax_shift == pytest.approx(
        min(np.linalg.norm(X[i] - optimum) for i in np.flatnonzero(y == y.max()))
    )
    assert fidelity.overshoot_percent >= -1e-9


def test_a_pickle_is_the_same_landscape(landscape: Landscape) -> None:
    again = pickle.loads(pickle.dumps(landscape))  # noqa: S301
    assert again.score(landscape.grid.X[:3]) == pytest.approx(landscape.score(landscape.grid.X[:3]))
    assert again.content_hash == landscape.content_hash


def test_the_hash_follows_what_matters_and_nothing_else(tmp_path: Path) -> None:
    def of(folder: Path) -> str:
        return Landscape.read(folder).content_hash

    folder = synthetic.record(tmp_path / "a")
    same = of(folder)
    assert of(synthetic.record(tmp_path / "b", date="2026-02-03", notes="SYNTHETIC, again", command="x")) == same
    card = Card.read(folder / "card.yaml")
    rows = synthetic.rows(card, synthetic.outcomes(card))
    write_grid(folder / "grid.parquet", rows.assign(merge_seconds=9.0), card.space)
    assert of(folder) == same
    others = {
        of(synthetic.record(tmp_path / "c", seed=1)),
        of(synthetic.record(tmp_path / "d", tuning_split="test")),
        of(synthetic.record(tmp_path / "e", "smooth-b/ta")),
        Landscape.read(folder, surrogate=RBFSurrogate("cubic")).content_hash,
    }
    assert len(others) == 4
    assert same not in others


def test_one_surrogate_may_be_handed_to_many(tmp_path: Path) -> None:
    shared = RBFSurrogate("cubic")
    first = Landscape.read(synthetic.record(tmp_path, "one/ta", seed=0), surrogate=shared)
    before = first.score(first.grid.X)
    Landscape.read(synthetic.record(tmp_path, "two/ta", seed=1), surrogate=shared)
    assert np.array_equal(first.score(first.grid.X), before)


def test_settings_outside_the_box_are_refused(landscape: Landscape) -> None:
    with pytest.raises(InvalidSpaceError, match=r"vl_weight = 1\.4"):
        landscape.score(np.full((1, landscape.space.dim), 1.4))


def test_a_flat_landscape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FlatLandscapeError, match=r"column 'score': all 25 scores of split 'validation' are .* no regret"
    ):
        synthetic.landscape(tmp_path, kind="flat")


def test_too_few_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidGridError, match=r"grid\.parquet has 3 settings .* needs at least 4 in 2 dimensions"):
        tiny(tmp_path, CORNERS[:3], [0.0, 1.0, 2.0])


def test_settings_on_a_line_are_refused(tmp_path: Path) -> None:
    line = [[v, v] for v in (0.2, 0.4, 0.6, 0.8, 1.0)]
    with pytest.raises(InvalidGridError, match=r"grid\.parquet: the points lie on a line"):
        tiny(tmp_path, line, [0.0, 1.0, 2.0, 3.0, 5.0])


def test_a_box_wider_than_the_recording_is_refused(tmp_path: Path) -> None:
    parameters = (CardParameter("vl_weight", 0.2, 1.0), CardParameter("exp_weight", 0.0, 1.0))
    with pytest.raises(InvalidGridError, match=r"column 'exp_weight': recorded from 0.2 to 1, .* box is \[0, 1\]"):
        tiny(tmp_path, [*CORNERS, [0.6, 0.6]], [0, 1, 2, 3, 5], parameters=parameters)


def test_a_card_that_contradicts_its_grid_is_refused(tmp_path: Path) -> None:
    levels = (CardParameter("vl_weight", 0.2, 1.0, levels=(0.2, 0.4, 1.0)), CardParameter("exp_weight", 0.2, 1.0))
    with pytest.raises(InvalidCardError, match=r"levels of vl_weight are 0.2, 0.4, 1, and .*parquet has 0.2, 0.6, 1;"):
        tiny(tmp_path, [*CORNERS, [0.6, 0.6]], [0, 1, 2, 3, 5], parameters=levels)
    with pytest.raises(InvalidCardError, match=r"n_examples\.validation are 11, and scores in .*parquet are of 10;"):
        tiny(tmp_path, [*CORNERS, [0.6, 0.6]], [0, 1, 2, 3, 5], n_examples={"validation": {"skill": 5, "general": 6}})


def test_an_irregular_design_in_five_dimensions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"w{i}" for i in range(5)]
    X = np.vstack([np.zeros(5), np.full(5, 2.0), 2 * rng.random((60, 5))])
    parameters = tuple(CardParameter(name, 0.0, 2.0) for name in names)
    about = {"method": "other", "domain": "other", "units": "nats", "n_examples": {"validation": {"all": 1}}}
    card = synthetic.card("own/grid", parameters=parameters, **about)
    rows = pd.DataFrame(X, columns=names).assign(
        split="validation", score=-100 * ((X - 1) ** 2).sum(1), standard_error=np.nan,
        n_examples=1, merge_seconds=np.nan, eval_seconds=np.nan,
    )  # fmt: skip
    write_grid(tmp_path / "grid.parquet", rows, card.space)
    card.write(tmp_path / "card.yaml")
    landscape = Landscape.read(tmp_path)
    assert landscape.optimum.x == pytest.approx(np.ones(5), abs=0.25)
    assert np.isnan(landscape.noise)
    assert landscape.fidelity().exact_loocv < 20


def test_regret_noise_is_that_of_paired_differences(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta", seed=4)
    landscape = Landscape.read(folder)
    answers = Outcomes.read(folder / "outcomes.parquet", landscape.space)
    unit = landscape.space.to_unit(landscape.grid.X)
    best = int(landscape.grid.scores.argmax())
    distance = np.linalg.norm(unit - unit[best], axis=1)
    nearest = np.argsort(distance, kind="stable")[1:5]
    spreads = [np.std(answers.correct[best] - answers.correct[i], ddof=1) for i in nearest]
    assert landscape.regret_noise == pytest.approx(np.median(spreads) / np.sqrt(len(answers.ids)))


def test_regret_noise_without_outcomes_is_that_of_independent_scores(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    (folder / "outcomes.parquet").unlink()
    landscape = Landscape.read(folder)
    assert landscape.regret_noise == pytest.approx(2**0.5 * landscape.noise)


def test_outcomes_of_other_settings_are_refused(tmp_path: Path) -> None:
    folder, other = synthetic.record(tmp_path, "smooth-a/ta"), synthetic.record(tmp_path, "smooth-b/ta")
    space = Landscape.read(folder).space
    rows = pd.read_parquet(other / "outcomes.parquet")
    rows["correct"] = rows["correct"].astype(float)
    rows["vl_weight"] = rows["vl_weight"] * 0.999 + 0.0002
    write_outcomes(folder / "outcomes.parquet", rows, space)
    with pytest.raises(InvalidGridError, match="different settings; record both again"):
        _ = Landscape.read(folder).regret_noise


def sample(scale: float = 1.0, offset: float = 0.0) -> tuple[list, list]:
    X = np.random.default_rng(0).random((30, 2))
    X[:4] = [[0, 0], [0, 1], [1, 0], [1, 1]]
    return (0.2 + 0.8 * X).tolist(), (scale * np.exp(-3 * ((X - 0.4) ** 2).sum(1)) + offset).tolist()


@pytest.mark.parametrize(("factor", "offset"), [(1e12, 0.0), (1e-12, 0.0), (1e-300, 0.0), (1.0, 1e9), (1e-3, -1e9)])
def test_units_and_offsets_of_scores_do_not_matter(tmp_path: Path, factor: float, offset: float) -> None:
    X, scores = sample(factor, offset)
    landscape = tiny(tmp_path, X, scores)
    plain = tiny(tmp_path, X, ((np.array(scores) - offset) / factor).tolist())
    lost = np.spacing(np.abs(scores).max()) / factor
    assert landscape.optimum.x == pytest.approx(plain.optimum.x, abs=1e-4)
    assert (landscape.optimum.score - offset) / factor == pytest.approx(plain.optimum.score, abs=1e-7 + 4 * lost)
    assert landscape.optimum.gap / factor < 1e-6
    assert landscape.random_regret(10) == pytest.approx(plain.random_regret(10), abs=1e-6 + 8 * lost)
    assert landscape.regret_sample[0] >= 0.0
    for one in ("study_loocv", "exact_loocv", "argmax_shift", "overshoot_percent"):
        found, expected = (getattr(each.fidelity(), one) for each in (landscape, plain))
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-3 + 1e3 * lost)


def test_tiny_scores_are_not_equal_and_rounding_is(tmp_path: Path) -> None:
    X, _ = sample()
    with pytest.raises(FlatLandscapeError):
        tiny(tmp_path, X, [0.3, *[0.1 + 0.2] * 29])
    with pytest.raises(FlatLandscapeError):
        tiny(tmp_path, X, [0.0] * 30)
    assert tiny(tmp_path, X, [5e-324, *[0.0] * 29]).range > 0


def test_settings_next_to_each_other_do_not_throw_the_landscape_up(tmp_path: Path) -> None:
    X, scores = sample()
    beside = [X[9][0] + 1e-8, X[9][1]]
    landscape = tiny(tmp_path, [*X, beside], [*scores, scores[9] + 0.3])
    spread = landscape.grid.range
    assert landscape.optimum.score < max(scores) + 0.4 * spread
    assert landscape.minimum.score > min(scores) - 0.4 * spread
    # Its scores are not what they would be without smoothing, and its hash says so.
    assert landscape.surrogate.settings["smoothing"] > 0
    assert "smoothing" not in tiny(tmp_path, X, scores).surrogate.settings
