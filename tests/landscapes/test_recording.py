"""What is held out is read beside the landscape, checked, never listed and never fitted to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
import synthetic_truth

from landscapes import catalogue
from landscapes.errors import InvalidCardError, InvalidGridError
from landscapes.landscape import Landscape
from landscapes.trust import judge, marked, split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return synthetic.record(tmp_path, "smooth-a/ta")


def test_without_any_there_is_none(folder: Path) -> None:
    landscape = Landscape.read(folder)
    assert landscape.held_out is None
    assert landscape.dense is None
    assert landscape.masks is None
    assert landscape.fidelity().held_out == 0
    assert np.isnan(landscape.fidelity().spearman)
    assert "held-out RMSE not measured" in landscape.weaknesses


def test_held_out_settings_are_read_and_not_listed(folder: Path) -> None:
    before = Landscape.read(folder)
    synthetic_truth.hold_out(folder)
    synthetic_truth.dense(folder)
    landscape = Landscape.read(folder)
    assert catalogue.names(folder.parents[1]) == ["smooth-a/ta"]
    assert landscape.held_out is not None
    assert landscape.dense is not None
    assert (len(landscape.held_out.grid), landscape.held_out.grid.split) == (64, "test")
    assert len(landscape.dense.grid) == 225
    answers = landscape.held_out.outcomes()
    assert answers is not None
    assert answers.correct.mean(axis=1) == pytest.approx(landscape.held_out.grid.scores)
    # Stored runs stay valid, while what is derived for the report does not.
    assert landscape.content_hash == before.content_hash
    assert landscape.outcomes_hash != before.outcomes_hash


def test_fidelity_against_the_truth_by_hand(folder: Path) -> None:
    synthetic_truth.hold_out(folder)
    landscape = Landscape.read(folder)
    held_out = landscape.held_out
    assert held_out is not None
    X, truth = held_out.grid.X, held_out.grid.scores
    trust = landscape.fidelity()
    assert trust.held_out == 64
    test = landscape.on("test")
    assert test.grid.split == "test"
    error = np.sqrt(np.mean((test.score(X) - truth) ** 2))
    assert trust.held_out_rmse == pytest.approx(100 * error / np.ptp(test.grid.scores))
    ranks = [np.argsort(np.argsort(values)) for values in (landscape.score(X), truth)]
    assert trust.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.02)
    first = truth[np.argmax(landscape.score(X))]
    assert trust.argmax_regret == pytest.approx(100 * (truth.max() - first) / np.ptp(truth))
    # The same smooth formula lies behind both: a good surrogate must be called one.
    assert landscape.weaknesses == ()
    assert marked(landscape) == "smooth-a/ta"


def test_settings_beyond_the_box_do_not_count_against_the_surrogate(folder: Path) -> None:
    synthetic_truth.dense(folder)
    synthetic_truth.write(folder, "held-out", np.array([[0.3, 0.3], [0.5, 0.9], [0.9, 0.4]]))
    trust = Landscape.read(folder).fidelity()
    assert trust.held_out == 3
    assert np.isfinite(trust.real_overshoot_percent)


def test_noise_of_masks_is_their_spread(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/dare")
    assert "mask noise not measured" in Landscape.read(folder).weaknesses
    X = np.array([[0.4, 0.6, 0.5], [0.8, 0.2, 0.3], [0.6, 0.6, 0.6]])
    synthetic_truth.write(folder, "masks", X, mask_seeds=range(10), mask_noise=0.1)
    landscape = Landscape.read(folder)
    assert landscape.masks is not None
    assert len(landscape.masks.grid) == 30
    assert landscape.masks.grid.mask_seeds is not None
    assert sorted(set(landscape.masks.grid.mask_seeds.tolist())) == list(range(10))
    by_hand = [landscape.masks.grid.scores[(x == landscape.masks.grid.X).all(axis=1)].var(ddof=1) for x in X]
    percent = 100 * np.sqrt(np.mean(by_hand)) / landscape.on("test").grid.range
    assert landscape.fidelity().mask_noise_percent == pytest.approx(percent)
    assert any(found.startswith("mask noise 1") for found in landscape.weaknesses)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": "another"}, "benchmark differs from .*record it again"),
        ({"checkpoints": {"vlm": {"model.safetensors": "1" * 64}}}, "checkpoints differs"),
        ({"merge_options": {"normalize": True}}, "merge_options differs"),
    ],
)
def test_truth_of_something_else_is_refused(folder: Path, changes: dict, message: str) -> None:
    synthetic_truth.hold_out(folder, **changes)
    with pytest.raises(InvalidCardError, match=message):
        _ = Landscape.read(folder).held_out


def test_another_seed_of_masks_is_the_same_thing(folder: Path) -> None:
    synthetic_truth.hold_out(folder, merge_options={"normalize": False, "mask_seed": 7, "dtype": "float32"})
    assert Landscape.read(folder).held_out is not None


def test_a_wrong_design_is_refused(folder: Path) -> None:
    place = synthetic_truth.hold_out(folder)
    place.rename(folder / "dense")
    with pytest.raises(InvalidCardError, match="design must be 'dense' here, not 'held-out'"):
        _ = Landscape.read(folder).dense


def test_no_surrogate_is_fitted_to_what_is_held_out(folder: Path) -> None:
    place = synthetic_truth.hold_out(folder)
    with pytest.raises((InvalidCardError, InvalidGridError), match=r"validation|held out"):
        Landscape.read(place)
    synthetic.record(folder.parents[1], "b/ta", design="held-out")
    with pytest.raises(InvalidCardError, match="'held-out' is held out, and no surrogate may be fitted to it"):
        catalogue.load("b/ta", root=folder.parents[1])


def test_a_folder_without_its_card_is_named(folder: Path) -> None:
    (synthetic_truth.hold_out(folder) / "card.yaml").unlink()
    with pytest.raises(InvalidCardError, match=r"held_out has no card\.yaml, as a recording .* goes on"):
        _ = Landscape.read(folder).held_out


def test_landscapes_are_split_into_sound_and_weak(folder: Path) -> None:
    synthetic_truth.hold_out(folder)
    synthetic.record(folder.parents[1], "weak/ta")
    sound, weak = split(catalogue.load_all(root=folder.parents[1]))
    assert [one.name for one in sound] == ["smooth-a/ta"]
    assert [marked(one) for one in weak] == ["weak/ta†"]


def test_a_figure_just_beyond_the_rule_is_not_rounded_onto_it(folder: Path) -> None:
    synthetic_truth.hold_out(folder)
    landscape = Landscape.read(folder)
    near = replace(landscape.fidelity(), argmax_regret=10.04, spearman=0.7996)
    assert judge(near, landscape.card) == ("argmax regret 10.04% > 10%", "held-out Spearman 0.7996 < 0.8")
    far = replace(near, argmax_regret=12.34, spearman=0.7)
    assert judge(far, landscape.card) == ("argmax regret 12.3% > 10%", "held-out Spearman 0.70 < 0.8")
