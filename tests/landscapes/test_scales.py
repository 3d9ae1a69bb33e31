"""Log scales, whole numbers, names as exports have them, and rows that were not finished. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landscapes.card import Card
from landscapes.errors import InvalidCardError, InvalidGridError, InvalidSpaceError
from landscapes.importing import Reading, asks_for_log, import_table, parse_kinds, parse_space, read_sweep
from landscapes.landscape import Landscape
from landscapes.space import Parameter, SearchSpace

SPACE = SearchSpace(
    (Parameter("model.lr", 1e-6, 1e-1, scale="log"), Parameter("layers", 1, 8, integer=True), Parameter("b", -1.0, 3.0))
)


def sweep(n: int = 60) -> pd.DataFrame:
    """Best at a learning rate of 1e-3 and five layers."""
    rng = np.random.default_rng(0)
    lr, layers = 10 ** rng.uniform(-6, -1, n), rng.integers(1, 9, n)
    score = 0.9 - 0.05 * (np.log10(lr) + 3) ** 2 - 0.01 * (layers - 5) ** 2
    return pd.DataFrame({"model.lr": lr, "train/layers": layers, "eval/acc": score})


def add(frame: pd.DataFrame, tmp_path: Path, space: str, **options: object) -> Landscape:
    path = tmp_path / "sweep.csv"
    frame.to_csv(path, index=False)
    reading = Reading(parameters=parse_space(space), kinds=parse_kinds(space), metric="eval/acc", **options)
    return import_table(path, reading, name="x/y", root=tmp_path / "own", command="test", replace=True)


def test_equal_factors_are_equal_steps_on_a_log_scale() -> None:
    unit = SPACE.to_unit([[1e-6, 1, -1.0], [1e-1, 8, 3.0], [10**-3.5, 8, 1.0]])
    assert unit == pytest.approx(np.array([[0, 0, 0], [1, 1, 1], [0.5, 1, 0.5]]))
    back = SPACE.from_unit(np.random.default_rng(0).random((200, 3)))
    assert SPACE.contains(back).all()
    assert np.array_equal(back[:, 1], np.rint(back[:, 1]))
    assert set(back[:, 1]) == set(range(1, 9))
    assert SPACE.from_unit(SPACE.to_unit(back)) == pytest.approx(back)
    with pytest.raises(InvalidSpaceError, match=r"layers = 2\.5 is no whole number; round it"):
        SPACE.to_unit([[1e-3, 2.5, 0.0]])
    with pytest.raises(InvalidSpaceError, match=r"model\.lr = 0, layers = 2, b = 0 lies outside the box"):
        SPACE.to_unit([[0.0, 2, 0.0]])
    assert SPACE.contains([[1e-3, 2.5, 0], [1e-3, 2, 0], [-1, 2, 0], [np.nan, 2, 0]]).tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert SPACE.parameters[0].spread(6) == pytest.approx(10.0 ** np.arange(-6, 0))
    assert SPACE.parameters[1].spread(81).tolist() == list(range(1, 9))


@pytest.mark.parametrize(
    ("low", "high", "kind", "message"),
    [
        (0.0, 1.0, {"scale": "log"}, "low of a must be above 0 on a log scale"),
        (-1.0, 1.0, {"scale": "log"}, "must be above 0"),
        (1.0, 1.0, {"scale": "log"}, "must be below high"),
        (1.0, float("nan"), {"scale": "log"}, "must be a finite number"),
        (0.5, 3, {"integer": True}, "low of a must be a whole number"),
        (3, 3, {"integer": True}, "must be below high"),
        (0.0, 1.0, {"scale": "sqrt"}, "scale linear or log"),
    ],
)
def test_senseless_ranges(low: float, high: float, kind: dict, message: str) -> None:
    with pytest.raises(InvalidSpaceError, match=message):
        Parameter("a", low, high, **kind)


@pytest.mark.parametrize("name", ["model.lr", "train/wd", "params_lr", "lora-r", "config:lr", "größe"])
def test_names_as_exports_have_them(name: str) -> None:
    assert Parameter(name, 0.0, 1.0).name == name
    assert parse_space(f"{name}=0..1,b") == {name: (0.0, 1.0), "b": None}


def test_kinds_stand_behind_ranges_and_names() -> None:
    text = "lr=1e-6..1e-1 log, n int,w = 0..1, batch=8..512 log int"
    assert parse_space(text) == {"lr": (1e-6, 0.1), "n": None, "w": (0.0, 1.0), "batch": (8.0, 512.0)}
    assert parse_kinds(text) == {"lr": {"log"}, "n": {"int"}, "batch": {"log", "int"}}
    for wrong in ("lr=0..1 log", "lr=1..0 log", "n=0.5..3 int", "lr=1e-6..1 lgo", "lr=inf..1 log"):
        with pytest.raises(InvalidSpaceError):
            parse_kinds(wrong)


def test_a_sweep_over_decades_is_mapped_by_its_logarithm(tmp_path: Path) -> None:
    frame = sweep()
    landscape = add(frame, tmp_path, "model.lr log,train/layers int")
    best = frame["eval/acc"].max()
    assert landscape.optimum.score < best + 0.05 * np.ptp(frame["eval/acc"])
    assert np.log10(landscape.optimum.x[0]) == pytest.approx(-3, abs=0.3)
    assert landscape.optimum.x[1] == 5
    assert landscape.regret_sample[0] >= 0
    # As card and hash say.
    again = Card.read(tmp_path / "own/x/y/card.yaml")
    assert [(p.scale, p.integer) for p in again.space.parameters] == [("log", False), ("linear", True)]
    assert landscape.content_hash != add(frame, tmp_path, "model.lr,train/layers int").content_hash
    assert "scale" not in (tmp_path / "own/x/y/card.yaml").read_text()


def test_whole_numbers_alone_are_looked_at_one_by_one(tmp_path: Path) -> None:
    frame = sweep().assign(**{"model.lr": lambda f: 2.0 ** np.rint(3 + np.log2(f["model.lr"] * 1e6) / 4)})
    landscape = add(frame, tmp_path, "model.lr log int,train/layers int", average=True)
    assert np.array_equal(landscape.optimum.x, np.rint(landscape.optimum.x))
    assert landscape.optimum.gap == 0.0
    grid = np.stack(np.meshgrid(np.arange(landscape.space.low[0], landscape.space.high[0] + 1), np.arange(1, 9)), -1)
    assert landscape.score(grid.reshape(-1, 2)).max() == pytest.approx(landscape.optimum.score)


def test_settings_a_decade_apart_are_two_on_a_log_scale_alone(tmp_path: Path) -> None:
    frame = sweep().assign(**{"model.lr": lambda f: f["model.lr"] ** 4})
    frame.loc[0, ["model.lr", "train/layers"]] = [1e-14, 3]
    frame.loc[1, ["model.lr", "train/layers"]] = [1e-15, 3]
    assert len(add(frame, tmp_path, "model.lr log,train/layers").grid) == 60
    with pytest.raises(InvalidGridError, match="the same setting"):
        add(frame, tmp_path, "model.lr,train/layers")


def test_columns_that_ask_for_a_log_scale() -> None:
    assert asks_for_log(sweep()["model.lr"].to_numpy())
    assert asks_for_log(np.array([1e-5, 1e-4, 1e-3, 1e-2]))
    for values in (np.linspace(0.001, 1, 50), np.array([0.0, 1e-4, 1.0]), np.array([1.0, 2.0, 4.0, 8.0])):
        assert not asks_for_log(values)


def test_zero_has_no_place_on_a_log_scale(tmp_path: Path) -> None:
    frame = sweep().astype(float)
    frame.loc[4, "model.lr"] = 0.0
    with pytest.raises(
        InvalidGridError, match=r"row 5, column 'model\.lr': 0 has no place on a log scale; drop the row"
    ):
        add(frame, tmp_path, "model.lr log,train/layers")
    frame.loc[4, ["model.lr", "train/layers"]] = [0.1, 2.5]
    with pytest.raises(InvalidGridError, match=r"row 5, column 'train/layers': 2\.5 is not a whole number"):
        add(frame, tmp_path, "model.lr log,train/layers int")


STATES = {3: "FAIL", 8: "PRUNED", 9: "TrialState.RUNNING", 20: "crashed"}


@pytest.mark.parametrize("column", ["state", "State", "STATUS"])
def test_unfinished_rows_are_refused_or_dropped_and_counted(tmp_path: Path, column: str) -> None:
    frame = sweep().assign(**{column: "COMPLETE"}).astype({"eval/acc": object})
    for row, state in STATES.items():
        frame.loc[row, column] = state
    frame.loc[3, ["model.lr", "eval/acc"]] = np.nan
    frame.loc[30, "eval/acc"] = "NaN"
    space = "model.lr log,train/layers int"
    with pytest.raises(InvalidGridError, match=r"row 4, .*'FAIL' has no score to learn from; leave .* --drop-failed"):
        add(frame, tmp_path, space)
    landscape = add(frame, tmp_path, space, drop_failed=True)
    assert len(landscape.grid) == 55
    assert landscape.card.notes == "Rows left out: 1 crashed, 1 fail, 1 pruned, 1 running, 1 without eval/acc."
    # Rows keep their numbers.
    frame.loc[40, "model.lr"] = -1.0
    with pytest.raises(InvalidGridError, match=r"row 41, column 'model\.lr': -1 has no place"):
        add(frame, tmp_path, space, drop_failed=True)
    frame.loc[40, "model.lr"] = frame.loc[50, "model.lr"]
    frame.loc[40, "train/layers"] = frame.loc[50, "train/layers"]
    with pytest.raises(InvalidGridError, match="rows 41 and 51: the same setting"):
        add(frame, tmp_path, space, drop_failed=True)


def test_states_that_mean_something_else(tmp_path: Path) -> None:
    space = "model.lr log,train/layers int"
    assert len(add(sweep().assign(state="Ohio"), tmp_path, space).grid) == 60
    with pytest.raises(InvalidGridError, match="'Ohio' is no state; write complete or failed, or leave --state out"):
        add(sweep().assign(where="Ohio"), tmp_path, space, state="where")
    with pytest.raises(InvalidGridError, match="of 60 rows none is of a finished evaluation"):
        add(sweep().assign(state="failed"), tmp_path, space, drop_failed=True)


def test_missing_scores_of_parquet_are_dropped(tmp_path: Path) -> None:
    frame = sweep()
    frame.loc[[0, 5], "eval/acc"] = np.nan
    frame.to_parquet(path := tmp_path / "t.parquet")
    reading = Reading(parameters={"model.lr": None}, metric="eval/acc", drop_failed=True)
    assert read_sweep(path, reading).dropped == {"without eval/acc": 2}


def test_cards_refuse_unknown_scales(tmp_path: Path) -> None:
    add(sweep(), tmp_path, "model.lr log,train/layers int")
    card = tmp_path / "own/x/y/card.yaml"
    card.write_text(card.read_text().replace("scale: log", "scale: cubic"))
    with pytest.raises(InvalidCardError, match=r"parameters\[0\].*model\.lr must have the scale linear or log"):
        Card.read(card)
