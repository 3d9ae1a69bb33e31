from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import synthetic

from landscapes.errors import InvalidGridError
from landscapes.grid import RecordedGrid, write_grid

CARD = synthetic.card("rugged-b/dare")
ROWS = synthetic.rows(CARD, synthetic.outcomes(CARD, kind="rugged"))


def test_what_was_written_is_read_again_in_order(tmp_path: Path) -> None:
    path = tmp_path / "grid.parquet"
    write_grid(path, ROWS.sample(frac=1, random_state=0).assign(remark="kept"), CARD.space)
    back = pd.read_parquet(path)
    assert list(back.columns)[:9] == [
        *("vl_weight", "exp_weight", "density", "split", "score", "standard_error"),
        *("n_examples", "merge_seconds", "eval_seconds"),
    ]
    expected = ROWS.sort_values(["split", "vl_weight", "exp_weight", "density"], ascending=True, ignore_index=True)
    pd.testing.assert_frame_equal(back.drop(columns="remark"), expected[back.columns[:9]], check_dtype=False)
    assert set(back["remark"]) == {"kept"}


@pytest.mark.parametrize(("split", "examples"), [("validation", 80), ("test", 320)])
def test_one_split(tmp_path: Path, split: str, examples: int) -> None:
    write_grid(tmp_path / "grid.parquet", ROWS, CARD.space)
    grid = RecordedGrid.read(tmp_path / "grid.parquet", CARD.space, split=split)
    rows = ROWS[ROWS["split"] == split].set_index(["vl_weight", "exp_weight", "density"])
    assert len(grid) == 100
    assert set(grid.n_examples) == {examples}
    for x, score, error in zip(grid.X, grid.scores, grid.standard_errors, strict=True):
        assert rows.loc[tuple(x), "score"] == score
        assert rows.loc[tuple(x), "standard_error"] == error
    assert np.array_equal(grid.X, grid.X[np.lexsort(grid.X.T[::-1])])
    assert grid.scores[grid.best] == rows["score"].max()
    assert grid.range == rows["score"].max() - rows["score"].min()
    with pytest.raises(ValueError, match="read-only"):
        grid.scores[0] = 1.0


def test_a_grid_as_a_table_is_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "grid.parquet"
    write_grid(path, ROWS, CARD.space)
    grid, rows = RecordedGrid.read(path, CARD.space), pd.read_parquet(path)
    table = grid.to_frame()
    pd.testing.assert_frame_equal(table, rows[rows["split"] == "validation"].reset_index(drop=True)[table.columns])
    write_grid(tmp_path / "again.parquet", table, CARD.space)
    assert np.array_equal(RecordedGrid.read(tmp_path / "again.parquet", CARD.space).scores, grid.scores)
    seeds = RecordedGrid.of(ROWS.assign(mask_seed=3), CARD.space, path=path).to_frame()
    assert set(seeds["mask_seed"]) == {3}


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    for name, rows in (("a", ROWS), ("b", ROWS.sample(frac=1, random_state=1))):
        write_grid(tmp_path / name, rows, CARD.space)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_nobody_measured_may_be_missing(tmp_path: Path) -> None:
    rows = ROWS.assign(standard_error=np.nan, merge_seconds=None, eval_seconds=None)
    write_grid(tmp_path / "grid.parquet", rows, CARD.space)
    grid = RecordedGrid.read(tmp_path / "grid.parquet", CARD.space)
    assert np.isnan(grid.standard_errors).all()
    assert np.isnan(grid.merge_seconds).all()


def with_cell(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        cells = list(rows[column])
        cells[row] = value
        # As text if it must be, because parquet has no mixed columns.
        return rows.assign(**{column: [str(c) for c in cells] if isinstance(value, str) else cells})

    return change


BAD = {
    "missing column": (
        lambda rows: rows.drop(columns="score").rename(columns={"density": "dens"}),
        "has no column 'density', 'score'; did you mean 'dens'. it has split, vl_weight, exp_weight, dens",
    ),
    "no rows": (lambda rows: rows.iloc[:0], "has no rows"),
    "text": (with_cell(4, "score", "n/a"), "row 5, column 'score': 'n/a' is not a finite number; evaluate the setting"),
    "infinite": (with_cell(0, "score", np.inf), "row 1, column 'score': inf is not a finite number"),
    "nan": (with_cell(7, "score", np.nan), "row 8, column 'score': nan is not a finite number"),
    "infinite setting": (with_cell(2, "density", -np.inf), "row 3, column 'density': -inf is not a finite number"),
    "outside the box": (
        with_cell(9, "exp_weight", 1.4),
        r"row 10, column 'exp_weight': 1.4 is outside the card's box \[0.2, 1\]; widen low and high in card.yaml",
    ),
    "negative error": (with_cell(1, "standard_error", -0.1), "row 2, column 'standard_error': -0.1 is below 0"),
    "no examples": (with_cell(1, "n_examples", 0), "row 2, column 'n_examples': 0 is below 1"),
    "no split": (with_cell(3, "split", ""), "row 4, column 'split': '' is not a word"),
    "duplicate": (
        lambda rows: pd.concat([rows, rows.iloc[[6]].assign(score=0.5)], ignore_index=True),
        r"rows 7 and 201: the same setting \(split = test, vl_weight = 0.2, .*density = 0.6\); keep one of them",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_rows_are_neither_read_nor_written(tmp_path: Path, change: Callable, message: str) -> None:
    path = tmp_path / "grid.parquet"
    bad = change(ROWS)
    pq.write_table(pa.Table.from_pandas(bad, preserve_index=False), path)
    with pytest.raises(InvalidGridError, match=message) as caught:
        RecordedGrid.read(path, CARD.space)
    assert str(path) in str(caught.value)
    other = tmp_path / "other.parquet"
    with pytest.raises(InvalidGridError, match=message):
        write_grid(other, bad, CARD.space)
    assert not other.exists()


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_corrupt_file_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "grid.parquet"
    write_grid(path, ROWS, CARD.space)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        InvalidGridError, match=r"grid\.parquet is not a readable parquet file \(.*record the landscape again"
    ):
        RecordedGrid.read(path, CARD.space)


def test_damage_inside_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grid.parquet"
    write_grid(path, ROWS, CARD.space)
    content = bytearray(path.read_bytes())
    content[4:900] = b"\xff" * 896
    path.write_bytes(content)
    with pytest.raises(InvalidGridError, match="not a readable parquet file"):
        RecordedGrid.read(path, CARD.space)


def test_a_missing_file_and_a_missing_split_are_named(tmp_path: Path) -> None:
    path = tmp_path / "grid.parquet"
    with pytest.raises(InvalidGridError, match=r"grid\.parquet does not exist; check the path"):
        RecordedGrid.read(path, CARD.space)
    write_grid(path, ROWS[ROWS["split"] == "test"], CARD.space)
    with pytest.raises(InvalidGridError, match="no row with split 'validation', only test"):
        RecordedGrid.read(path, CARD.space)


def test_settings_that_differ_by_rounding_are_the_same(tmp_path: Path) -> None:
    again = ROWS.iloc[[0]].assign(vl_weight=ROWS["vl_weight"].iloc[0] + 1e-13)
    with pytest.raises(InvalidGridError, match="rows 1 and 201: the same setting"):
        write_grid(tmp_path / "grid.parquet", pd.concat([ROWS, again]), CARD.space)
