"""A user's own table becomes a landscape, or is refused with file, row and column. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import synthetic

from landscapes import catalogue
from landscapes.errors import (
    FlatLandscapeError,
    InvalidCardError,
    InvalidGridError,
    InvalidSpaceError,
    LandscapeError,
    UnwritableError,
)
from landscapes.importing import Reading, default_name, import_table, parse_examples, parse_space, remove

SPACE = {"lr": (0.0, 1.0), "density": None}


def sweep(n: int = 32, dim: int = 2, seed: int = 0) -> pd.DataFrame:
    """An irregular design with a hill in it."""
    X = np.random.default_rng(seed).random((n, dim))
    names = ["lr", "density", "c", "d", "e", "f"][:dim]
    return pd.DataFrame(X, columns=names).assign(acc=np.exp(-3 * ((X - 0.4) ** 2).sum(1)))


def add(path: Path, root: Path, reading: Reading | None = None, **options):
    reading = reading or Reading(parameters=dict(SPACE), metric="acc")
    return import_table(
        path, reading, **{"name": "mine/sweep", "root": root, "command": "hpo-bench landscapes add", **options}
    )


def saved(tmp_path: Path, frame: pd.DataFrame, name: str = "sweep.csv") -> Path:
    path = tmp_path / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    return path


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.parquet"])
def test_an_irregular_sweep_becomes_a_landscape(tmp_path: Path, name: str) -> None:
    frame = sweep()
    landscape = add(saved(tmp_path, frame, name), tmp_path / "own")
    assert landscape.card.design == "sweep"
    assert len(landscape.grid) == 32
    assert landscape.score(frame[["lr", "density"]].to_numpy()) == pytest.approx(frame["acc"].to_numpy(), abs=1e-9)
    assert landscape.space.low == pytest.approx(frame[["lr", "density"]].min().to_numpy())
    assert landscape.optimum.x == pytest.approx([0.4, 0.4], abs=0.1)
    assert catalogue.names(tmp_path / "own") == ["mine/sweep"]
    assert "noise of one evaluation not measured" in landscape.weaknesses
    assert landscape.card.parameters[0].levels == ()


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 6])
def test_one_to_six_dimensions(tmp_path: Path, dim: int) -> None:
    frame = sweep(64, dim)
    reading = Reading(parameters=dict.fromkeys(frame.columns[:dim]), metric="acc")
    landscape = add(saved(tmp_path, frame), tmp_path / "own", reading)
    assert landscape.space.dim == dim
    assert landscape.score(landscape.grid.X) == pytest.approx(landscape.grid.scores, abs=1e-8)


def test_lower_is_better_where_it_is_said(tmp_path: Path) -> None:
    frame = sweep().assign(loss=lambda f: -f["acc"])
    reading = Reading(parameters=dict(SPACE), metric="loss", minimise=True)
    landscape = add(saved(tmp_path, frame), tmp_path / "own", reading)
    assert landscape.grid.scores.max() == pytest.approx(frame["acc"].max())
    assert landscape.card.metric.startswith("negated loss")


def test_errors_examples_and_splits_are_taken(tmp_path: Path) -> None:
    frame = sweep().assign(se=0.02, n=500).astype({"se": object})
    both = pd.concat([frame.assign(part="val"), frame.assign(part="Test", acc=frame["acc"] * 0.9)])
    both.iloc[0, both.columns.get_loc("se")] = "nan"
    both.iloc[1:3, both.columns.get_loc("se")] = np.nan
    reading = Reading(parameters=dict(SPACE), metric="acc", error="se", examples="n", split="part")
    landscape = add(saved(tmp_path, both), tmp_path / "own", reading)
    assert set(landscape.grid.n_examples) == {500}
    assert np.isnan(landscape.grid.standard_errors).sum() == 3
    assert landscape.on("test").grid.scores.max() == pytest.approx(0.9 * frame["acc"].max())
    assert landscape.card.n_examples == {"test": {"all": 500}, "validation": {"all": 500}}


@pytest.mark.parametrize(
    ("name", "words"), [("sweep.csv", ["yes", "No"]), ("sweep.csv", [True, False]), ("sweep.parquet", [True, False])]
)
def test_answers_without_their_example_are_told_how_they_are_read(
    tmp_path: Path, name: str, words: list[object]
) -> None:
    frame = sweep().assign(acc=words * 16)
    with pytest.raises(InvalidGridError, match=r"column 'acc': says yes or no, .*say with --example which column"):
        add(saved(tmp_path, frame, name), tmp_path / "own")


def test_settings_of_test_alone_beyond_those_of_validation_are_named(tmp_path: Path) -> None:
    """Beyond what was tuned on there is no landscape, and no card to be corrected."""
    validation, test = sweep().assign(part="val"), sweep(seed=1).assign(part="test")
    test.loc[3, "lr"] = 1.25
    reading = Reading(parameters={"lr": None, "density": None}, metric="acc", split="part")
    within = [test[name].between(validation[name].min(), validation[name].max()) for name in ("lr", "density")]
    inside = test[within[0] & within[1]]
    assert len(add(saved(tmp_path, pd.concat([validation, inside])), tmp_path / "own", reading).grid) == 32
    path = saved(tmp_path, pd.concat([validation, inside, test.loc[[3]]]))
    row = len(validation) + len(inside) + 1
    with pytest.raises(InvalidGridError, match=rf"row {row}, column 'lr': 1.25 is a setting of test alone, outside "):
        add(path, tmp_path / "own", reading, replace=True)


def test_repeats_are_averaged_if_asked(tmp_path: Path) -> None:
    frame = pd.concat([sweep(), sweep().assign(acc=lambda f: f["acc"] + 0.1)])
    path = saved(tmp_path, frame)
    with pytest.raises(
        InvalidGridError, match=r"rows 1 and 33: the same setting .*keep one of them, or average them with --average"
    ):
        add(path, tmp_path / "own")
    landscape = add(path, tmp_path / "own", Reading(parameters=dict(SPACE), metric="acc", average=True))
    assert len(landscape.grid) == 32
    # Two values 0.1 apart: mean at 0.05, standard deviation 0.1 / sqrt 2, standard error 0.05.
    assert landscape.grid.scores.max() == pytest.approx(sweep()["acc"].max() + 0.05)
    assert landscape.grid.standard_errors == pytest.approx(np.full(32, 0.05))


def test_settings_that_differ_by_rounding_are_averaged_too(tmp_path: Path) -> None:
    path = saved(tmp_path, pd.concat([sweep(), sweep().assign(lr=lambda f: f["lr"] + 1e-13)]))
    with pytest.raises(InvalidGridError, match=r"rows 1 and 33: the same setting \(lr = 0\.636962, density"):
        add(path, tmp_path / "own")
    landscape = add(path, tmp_path / "own", Reading(parameters=dict(SPACE), metric="acc", average=True))
    assert len(landscape.grid) == 32
    assert set(landscape.grid.n_examples) == {2}


def test_a_mean_is_as_unknown_as_any_of_its_errors(tmp_path: Path) -> None:
    frame = pd.concat([sweep().assign(se=0.03), sweep().assign(se=0.04)], ignore_index=True)
    frame.loc[0, "se"] = np.nan
    reading = Reading(parameters=dict(SPACE), metric="acc", error="se", average=True)
    errors = add(saved(tmp_path, frame), tmp_path / "own", reading).grid.standard_errors
    assert np.isnan(errors).sum() == 1
    assert errors[~np.isnan(errors)] == pytest.approx(0.025)


def cell(row: int, column: str, value: str):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        text = frame.astype(str)
        text.iloc[row, list(frame.columns).index(column)] = value
        return text

    return change


BAD = {
    "text": (cell(3, "acc", "n/a"), r"row 4, column 'acc': 'n/a' is not a finite number; write numbers with a decimal"),
    "comma": (cell(0, "lr", "0,5"), r"row 1, column 'lr': '0,5' is not a finite number"),
    "per cent": (cell(5, "acc", "61%"), r"row 6, column 'acc': '61%' is not a finite number; .*no unit"),
    "underscore": (cell(5, "acc", "0_6"), r"row 6, column 'acc': '0_6' is not a finite number"),
    "digits of full width": (cell(0, "lr", "０.5"), r"row 1, column 'lr': '０.5' is not a finite number"),
    "empty": (cell(2, "acc", ""), r"row 3, column 'acc': '' is not a finite number; fill it in, or drop the row"),
    "nan": (cell(2, "acc", "nan"), r"row 3, column 'acc': 'nan' is not a finite number"),
    "infinite": (cell(2, "lr", "-inf"), r"row 3, column 'lr': '-inf' is not a finite number"),
    "outside": (cell(7, "lr", "1.5"), r"row 8, column 'lr': 1.5 is outside \[0, 1\]; widen the range in --space"),
    "missing column": (lambda f: f.rename(columns={"acc": "accuracy"}), r"no column 'acc'; did you mean 'accuracy'"),
    "no rows": (lambda f: f.iloc[:0], "has no rows"),
    "one value": (lambda f: f.assign(density=0.5), "column 'density': is 0.5 in every row; leave it out of the space"),
    "too wide": (
        lambda f: f.assign(density=1.7e308 * (2 * f["density"] - 1)),
        "density from .* is too wide; rescale it",
    ),
    "too few": (lambda f: f.iloc[:3], "3 settings .* needs at least 4 in 2 dimensions; record more"),
    "on a line": (lambda f: f.assign(density=f["lr"]), "the points lie on a line or plane"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_tables_are_refused_and_nothing_is_written(tmp_path: Path, change, message: str) -> None:
    path = saved(tmp_path, change(sweep()))
    with pytest.raises(InvalidGridError, match=message) as caught:
        add(path, tmp_path / "own")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.parquet"])
@pytest.mark.parametrize(
    ("given", "column", "value", "message"),
    [
        ("error", "se", -0.1, "row 1, column 'se': -0.1 is below 0"),
        ("examples", "n", 2.5, "row 1, column 'n': 2.5 is not a whole number"),
        ("examples", "n", 0, "row 1, column 'n': 0 is below 1"),
        (
            "split",
            "part",
            "test",
            "column 'part': no row is of validation, which a landscape is made of; add such rows",
        ),
    ],
)
def test_errors_name_the_file_and_column_that_the_user_knows(
    tmp_path: Path, name: str, given: str, column: str, value: object, message: str
) -> None:
    path = saved(tmp_path, sweep().assign(**{column: value}), name)
    with pytest.raises(InvalidGridError, match=message) as caught:
        add(path, tmp_path / "own", Reading(parameters=dict(SPACE), metric="acc", **{given: column}))
    assert str(path) in str(caught.value)


def test_repeats_are_named_by_the_columns_that_the_table_has(tmp_path: Path) -> None:
    path = saved(tmp_path, pd.concat([sweep(), sweep().iloc[[4]]]).assign(part="val"))
    with pytest.raises(InvalidGridError, match=r"rows 5 and 33: the same setting \(part = validation, lr = "):
        add(path, tmp_path / "own", Reading(parameters=dict(SPACE), metric="acc", split="part"))
    with pytest.raises(InvalidGridError, match=r"the same setting \(lr = "):
        add(path, tmp_path / "own")


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"metric": "lr"}, "column 'lr' is given twice, as hyperparameter and as score"),
        ({"error": "acc"}, "column 'acc' is given twice, as score and as standard error"),
        ({"examples": "se", "error": "se"}, "column 'se' is given twice, as standard error and as examples"),
        ({"split": "density"}, "column 'density' is given twice, as hyperparameter and as split"),
        ({"parameters": {"score": None}}, "no hyperparameter can be called 'score'.*rename the column"),
    ],
)
def test_one_column_has_one_meaning(roles: dict, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        Reading(**{"parameters": dict(SPACE), "metric": "acc", **roles})


def test_tiny_settings_far_apart_are_told_apart(tmp_path: Path) -> None:
    frame = sweep().assign(lr=lambda f: 1e-10 + 1e-9 * f["lr"])
    landscape = add(saved(tmp_path, frame), tmp_path / "own", Reading(parameters=dict.fromkeys(SPACE), metric="acc"))
    assert len(landscape.grid) == 32


def test_flat_tables_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, sweep().assign(acc=0.5))
    with pytest.raises(FlatLandscapeError, match=r"sweep\.csv, column 'acc': all scores are equal"):
        add(path, tmp_path / "own")


def test_numbers_as_text_in_parquet_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, sweep().assign(acc=lambda f: f["acc"].astype(str)), "sweep.parquet")
    with pytest.raises(InvalidGridError, match=r"row 1, column 'acc': '0\.\d+' is text; write the column as numbers"):
        add(path, tmp_path / "own")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sweep.xlsx", r"must be a \.csv or \.parquet file"),
        ("none.csv", "does not exist"),
        ("none.parquet", "not exist"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidGridError, match=message):
        add(tmp_path / name, tmp_path / "own")


@pytest.mark.parametrize(
    ("head", "row", "word"),
    [("lr;score", "0,1;0,5", "semicolons"), ("lr;score", "1;0,5", "semicolons"), ("lr\tscore", "1\t2", "tabs")],
)
def test_columns_apart_by_another_mark_are_told(tmp_path: Path, head: str, row: str, word: str) -> None:
    (tmp_path / "sweep.csv").write_text(f"{head}\n{row}\n")
    reading = Reading(parameters=parse_space("lr"), metric="score")
    with pytest.raises(InvalidGridError, match=rf"sweep\.csv has {word} between its columns, .*; save it with commas"):
        import_table(
            tmp_path / "sweep.csv", reading, name="a/b", root=tmp_path / "own", replace=False, command="", about={}
        )


def test_strange_splits_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, sweep().assign(part=["train", *["val"] * 31]))
    with pytest.raises(InvalidGridError, match="row 1, column 'part': 'train' is no split; write validation"):
        add(path, tmp_path / "own", Reading(parameters=dict(SPACE), metric="acc", split="part"))


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("lr=0..1,density=0.1..1", {"lr": (0.0, 1.0), "density": (0.1, 1.0)}),
        (" a , b = -1e-3..2 ", {"a": None, "b": (-0.001, 2.0)}),
    ],
)
def test_spaces_are_understood(text: str, parameters: dict) -> None:
    assert parse_space(text) == parameters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning rate,b", "letters, digits and underscores, not 'learning rate'; rename it"),
        ("lr=0-1", "'lr=0-1' is no range; write it as lr=0..1"),
        ("lr=a..b", "is no range"),
        ("lr=0..1_0", "is no range"),
        ("lr=1..0", "low of lr must be below high"),
        ("lr,lr", "'lr' is in the space twice"),
        ("", "a space needs 1 to 6 named parameters"),
        ("a,b,c,d,e,f,g", "a space needs 1 to 6"),
    ],
)
def test_strange_spaces_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        parse_space(text)


@pytest.mark.parametrize(("text", "examples"), [("500", 500), ("1e3", 1000), ("n", "n"), ("²", "²"), ("1_0", "1_0")])
def test_examples_are_a_number_or_a_column(text: str, examples: object) -> None:
    assert parse_examples(text) == examples


@pytest.mark.parametrize("text", ["-3", "0", "10.5", "nan", "inf"])
def test_strange_numbers_of_examples_are_refused(text: str) -> None:
    with pytest.raises(InvalidGridError, match=f"{text} examples make no score; give a whole number of at least 1"):
        parse_examples(text)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("trials.parquet", "trials/sweep"),
        ("my sweep.csv", "my-sweep/sweep"),
        ("sweep (1).csv", "sweep-1/sweep"),
        ("ünï cödé.csv", "uni-code/sweep"),
    ],
)
def test_names_come_from_the_file(file: str, name: str) -> None:
    assert default_name(Path(file)) == name


@pytest.mark.parametrize("file", ["学习率.csv", "größe.csv", "...csv"])
def test_files_that_give_no_name_are_named(file: str) -> None:
    with pytest.raises(
        InvalidCardError, match=r"no landscape can be named after .*; give a name with --name PAIR/METH"
    ):
        default_name(Path(file))


@pytest.mark.parametrize("name", ["/evil", "../evil", "x/..", "evil", "a/b/c", "x/y z", ""])
def test_names_stay_below_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidCardError, match="cannot be a landscape's name; --name takes PAIR/METHOD"):
        add(saved(tmp_path, sweep()), tmp_path / "own", name=name)
    assert not (tmp_path / "own").exists()


def test_nothing_takes_the_name_of_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, sweep())
    for root in (catalogue.OWN, catalogue.OWN.resolve()):
        with pytest.raises(
            UnwritableError, match="ja-llama/ta ships with the package and would always be found instead"
        ):
            add(path, root, name="ja-llama/ta")
    add(path, catalogue.OWN, name="ja-llama/mine")
    assert len(catalogue.load("ja-llama/mine").grid) == 32
    # Elsewhere it is found, because the folder must be named.
    assert len(add(path, tmp_path / "elsewhere", name="ja-llama/ta").grid) == 32


def test_what_is_there_is_replaced_only_if_asked(tmp_path: Path) -> None:
    path = saved(tmp_path, sweep())
    add(path, tmp_path / "own")
    with pytest.raises(UnwritableError, match=r"exists; give another name with --name, or replace it with --replace"):
        add(path, tmp_path / "own")
    smaller = add(saved(tmp_path, sweep(16)), tmp_path / "own", replace=True)
    assert len(smaller.grid) == 16
    # A table that cannot be used leaves the old one alone.
    with pytest.raises(LandscapeError):
        add(saved(tmp_path, sweep(3)), tmp_path / "own", replace=True)
    assert len(catalogue.load("mine/sweep", root=tmp_path / "own").grid) == 16
    assert [p.name for p in (tmp_path / "own" / "mine").iterdir()] == ["sweep"]


def test_only_what_was_added_can_be_removed(tmp_path: Path) -> None:
    add(saved(tmp_path, sweep()), tmp_path / "own")
    assert remove("mine/sweep", tmp_path / "own") == tmp_path / "own" / "mine" / "sweep"
    assert not (tmp_path / "own" / "mine").exists()
    folder = synthetic.record(tmp_path / "own", "smooth-a/ta")
    with pytest.raises(UnwritableError, match="was recorded and not added from a table"):
        remove("smooth-a/ta", tmp_path / "own")
    assert folder.exists()


def test_a_grid_keeps_its_levels(tmp_path: Path) -> None:
    axis = np.linspace(0, 1, 5)
    X = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    frame = pd.DataFrame(X, columns=["lr", "density"]).assign(acc=X.sum(1))
    assert add(saved(tmp_path, frame), tmp_path / "own").card.parameters[0].levels == tuple(axis)


def test_a_finer_grid_of_test_is_no_level_of_what_was_tuned_on(tmp_path: Path) -> None:
    """Levels are held against the grid of validation alone, whenever the landscape is read."""
    parts = []
    for part, levels in (("val", 3), ("test", 5)):
        axis = np.linspace(0, 1, levels)
        X = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        parts.append(pd.DataFrame(X, columns=["lr", "density"]).assign(acc=-((X - 0.4) ** 2).sum(1), part=part))
    reading = Reading(parameters=dict(SPACE), metric="acc", split="part")
    landscape = add(saved(tmp_path, pd.concat(parts)), tmp_path / "own", reading)
    assert landscape.card.parameters[0].levels == (0.0, 0.5, 1.0)
    assert len(landscape.on("test").grid) == 25
