"""Tables of one row an example and setting become landscapes that know their noise. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from landscapes import maxima
from landscapes.errors import InvalidGridError, InvalidSpaceError
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape

LEVELS = np.linspace(0, 1, 6)
SPLIT = Reading(parameters={"lr": None}, metric="correct", example="id", category="kind", split="part")
ALL = Reading(parameters={"lr": None}, metric="correct", example="id")


def answers() -> pd.DataFrame:
    """Forty examples at six settings, best at .4 and .6, ten of them validation, in two categories."""
    rows = [
        (lr, f"q{i}", i % 10 < 2 + 28 * lr * (1 - lr), "val" if i < 10 else "Test", "skill" if i % 2 else "general")
        for lr in LEVELS
        for i in range(40)
    ]
    return pd.DataFrame(rows, columns=["lr", "id", "correct", "part", "kind"])


def add(tmp_path: Path, frame: pd.DataFrame, reading: Reading = SPLIT, name: str = "a.csv") -> Landscape:
    path = tmp_path / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    return import_table(path, reading, name="mine/sweep", root=tmp_path / "own", command="add", replace=True)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_scores_and_standard_errors_follow_from_examples(tmp_path: Path, name: str) -> None:
    frame = answers()
    landscape = add(tmp_path, frame, name=name)
    test = frame[frame["part"] == "Test"]
    of_test = landscape.on("test").grid
    assert of_test.scores == pytest.approx(test.groupby("lr")["correct"].mean().to_numpy())
    deviations = test.assign(correct=test["correct"].astype(float)).groupby("lr")["correct"].std(ddof=1)
    assert of_test.standard_errors == pytest.approx(deviations.to_numpy() / np.sqrt(30))
    assert landscape.card.n_examples == {
        "validation": {"general": 5, "skill": 5},
        "test": {"general": 15, "skill": 15},
    }
    assert landscape.outcomes is not None
    assert landscape.outcomes.correct.shape == (6, 10)
    assert landscape.regret_noise < 2**0.5 * landscape.noise  # paired, as neighbours answer alike
    found = maxima.find(landscape)
    assert found is not None
    assert found.where == "grid 6, test"


def test_answers_may_be_yes_and_no(tmp_path: Path) -> None:
    usual = add(tmp_path, answers()).grid.scores
    words = answers().assign(correct=lambda frame: frame["correct"].map({True: "Yes", False: " no"}))
    assert add(tmp_path, words).grid.scores.tolist() == usual.tolist()


def test_losses_of_examples_are_negated_and_whole_numbers_are_ids(tmp_path: Path) -> None:
    frame = answers().assign(id=lambda f: f["id"].str[1:].astype(int), correct=lambda f: 1.0 - f["correct"] / 2)
    reading = Reading(parameters={"lr": None}, metric="correct", example="id", minimise=True)
    landscape = add(tmp_path, frame, reading, "a.parquet")
    assert landscape.grid.scores.max() == pytest.approx(-1 + 0.9 / 2)
    assert landscape.outcomes is not None
    assert {"0", "39"} <= set(landscape.outcomes.ids)
    assert landscape.card.n_examples == {"validation": {"all": 40}}


def test_settings_that_differ_by_rounding_are_one(tmp_path: Path) -> None:
    frame = answers()
    frame.loc[frame["id"] == "q3", "lr"] += 1e-13
    assert len(add(tmp_path, frame, ALL).grid) == 6


def test_repeats_of_an_example_are_refused_or_averaged(tmp_path: Path) -> None:
    twice = pd.concat([answers(), answers().assign(correct=True)])
    with pytest.raises(InvalidGridError, match=r"a\.csv, rows 1 and 241: the same example at the same setting \(split"):
        add(tmp_path, twice, ALL)
    reading = Reading(parameters={"lr": None}, metric="correct", example="id", average=True)
    landscape = add(tmp_path, twice, reading)
    assert set(landscape.grid.n_examples) == {40}
    assert landscape.grid.scores.min() == pytest.approx((0.2 + 1) / 2)


def test_an_example_that_lacks_a_setting_is_refused_by_name_or_left_out(tmp_path: Path) -> None:
    frame = answers().drop(index=57)
    with pytest.raises(
        InvalidGridError, match=r"example 'q17' has no row at lr = 0\.2, where others of test .* --drop-failed"
    ):
        add(tmp_path, frame)
    reading = Reading(parameters={"lr": None}, metric="correct", example="id", split="part", drop_failed=True)
    landscape = add(tmp_path, frame, reading)
    assert landscape.card.n_examples == {"validation": {"all": 10}, "test": {"all": 29}}
    assert "Rows left out: 5 of examples that lack a setting." in landscape.card.notes
    with pytest.raises(InvalidGridError, match="no example has a row at every setting"):
        add(tmp_path, answers().query("(id != 'q1') == (lr > 0.5)"), reading)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (5, "id", "", r"a\.csv, row 6, column 'id': '' is not a word; fill it in"),
        (7, "correct", "half", r"a\.csv, row 8, column 'correct': 'half' is not a finite number"),
        (41, "part", "test", r"a\.csv, row 42, column 'part': example 'q1' is 'test' here and 'validation' before"),
        (42, "kind", "skill", r"a\.csv, row 43, column 'kind': example 'q2' is 'skill' here and 'general' before"),
        (3, "lr", "x", r"a\.csv, row 4, column 'lr': 'x' is not a finite number"),
    ],
)
def test_bad_cells_are_named(tmp_path: Path, row: int, column: str, value: str, message: str) -> None:
    frame = answers().astype(object)
    frame.loc[row, column] = value
    with pytest.raises(InvalidGridError, match=message):
        add(tmp_path, frame)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"example": "id", "error": "se"}, "follow from the examples themselves; leave out --error"),
        ({"example": "id", "examples": 40}, "follow from the examples themselves"),
        ({"category": "kind"}, "only examples have categories; say with --example"),
        ({"example": "lr"}, "column 'lr' is given twice, as hyperparameter and as example"),
        ({"parameters": {"category": None}, "example": "id"}, "no hyperparameter can be called 'category'"),
    ],
)
def test_what_has_no_meaning_is_refused(given: dict, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        Reading(**{"parameters": {"lr": None}, "metric": "correct", **given})


def merges(*names: str, tuned: tuple[float, ...] = (0.0, 0.5, 1.0)) -> pd.DataFrame:
    """Forty examples, ten of them validation, at all settings of some hyperparameters."""
    settings = np.stack(np.meshgrid(*[tuned] * len(names), indexing="ij"), axis=-1).reshape(-1, len(names))
    rows = [
        (*setting, f"q{i}", (i + setting @ [3, 5, 7][: len(names)]) % 7 < 3, "val" if i < 10 else "Test")
        for setting in settings
        for i in range(40)
    ]
    return pd.DataFrame(rows, columns=[*names, "id", "correct", "part"])


def added(tmp_path: Path, frame: pd.DataFrame, *names: str, method: str, name: str = "a.csv", **how: bool) -> Landscape:
    path = tmp_path / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_parquet(path)
    reading = Reading(parameters=dict.fromkeys(names), metric="correct", example="id", split="part", **how)
    root, about = tmp_path / "own", {"method": method}
    return import_table(path, reading, name=f"mine/{method}", root=root, command="add", about=about, replace=True)


@pytest.mark.parametrize(
    ("names", "method", "known"),
    [
        (("vl_weight", "exp_weight"), "ta", True),
        (("exp_weight", "vl_weight"), "ta", True),
        (("vl_weight", "exp_weight", "heat"), "ta", False),
        (("vl_weight", "exp_weight", "density"), "ties", False),
        (("a", "b"), "ta", False),
    ],
)
def test_task_arithmetic_has_the_vlm_as_it_is_among_its_settings(
    tmp_path: Path, names: tuple[str, ...], method: str, known: bool
) -> None:
    frame = merges(*names)
    landscape = added(tmp_path, frame, *names, method=method)
    assert np.isfinite(landscape.vlm) == known
    if known:
        own = frame.query("vl_weight == 1 and exp_weight == 0 and part == 'val'")
        assert landscape.vlm == pytest.approx(own["correct"].mean())


NAMES = ("vl_weight", "exp_weight", "density")


def bare(**changes: object) -> pd.DataFrame:
    rows = [(None, None, None, f"q{i}", i % 5 < 2, "val" if i < 10 else "Test") for i in range(40)]
    return pd.DataFrame(rows, columns=[*NAMES, "id", "correct", "part"]).assign(**changes)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_rows_without_a_setting_are_the_model_as_it_is(tmp_path: Path, name: str) -> None:
    frame, own = merges(*NAMES), bare()
    landscape = added(tmp_path, pd.concat([own, frame]), *NAMES, method="ties", name=name)
    assert len(landscape.grid) == 27
    assert landscape.vlm == pytest.approx(own["correct"][:10].mean())
    assert landscape.on("test").vlm == pytest.approx(own["correct"][10:].mean())
    assert landscape.card.n_examples == {"validation": {"all": 10}, "test": {"all": 30}}


def test_such_rows_may_be_of_one_split_alone_and_are_averaged_as_others_are(tmp_path: Path) -> None:
    test = bare().iloc[10:]
    landscape = added(tmp_path, pd.concat([merges(*NAMES), test]), *NAMES, method="ties")
    assert np.isnan(landscape.vlm)
    assert np.isfinite(landscape.on("test").vlm)
    twice = pd.concat([merges(*NAMES), bare(correct=1.0), bare(correct=0.5)])
    with pytest.raises(InvalidGridError, match=r"rows 1081 and 1121: the same example without a setting"):
        added(tmp_path, twice, *NAMES, method="ties")
    assert added(tmp_path, twice, *NAMES, method="ties", average=True).vlm == 0.75


def test_an_example_that_only_the_model_as_it_is_lacks_is_named(tmp_path: Path) -> None:
    frame = pd.concat([merges(*NAMES), bare().drop(index=20)])
    with pytest.raises(InvalidGridError, match="example 'q20' has no row without a setting"):
        added(tmp_path, frame, *NAMES, method="ties")
    with pytest.raises(InvalidGridError, match="has no rows"):
        added(tmp_path, bare(), *NAMES, method="ties")
