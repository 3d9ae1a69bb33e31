"""Tables as they are read, before anybody asks what they mean."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from landscapes.errors import InvalidGridError
from landscapes.tables import read_table


def table(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = tmp_path / "sweep.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_cells_are_text_under_their_names(tmp_path: Path) -> None:
    path = table(tmp_path, '\ufeffa, b ,"c, d"\n1, 0.50 ,x\n\n2,,"y, z"\n')
    frame = read_table(path)
    assert frame.to_dict("list") == {"a": ["1", "2"], "b": ["0.50 ", ""], "c, d": ["x", "y, z"]}


def test_a_column_without_a_name_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.5, 1.0], "b": [1, 2]}, index=[7, 8])
    frame.to_csv(tmp_path / "sweep.csv")
    assert read_table(tmp_path / "sweep.csv").to_dict("list") == {"a": ["0.5", "1.0"], "b": ["1", "2"]}


BAD = {
    "a name is missing": (
        "a,b\nrun1,1,2\n",
        r"row 1: has 3 fields where the head has 2; name every column in the head",
    ),
    "a decimal comma": ("a,b\n1,2\n0,5,2\n", r"row 2: has 3 fields where the head has 2; .*a decimal point"),
    "commas at the end": ("a,b\n1,2,\n", "row 1: has 3 fields where the head has 2; those beyond it are empty: remove"),
    "too short": (
        "a,b\n1,2\n3\n",
        "row 2: has 1 fields where the head has 2; fill in what is missing, or drop the row",
    ),
    "a name twice": ("a,b,acc, acc \n1,2,3,4\n", "column 'acc' is there twice; rename or remove one of the two"),
    "nothing": ("", "is empty; its first line must name the columns"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_what_pandas_would_guess_about_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InvalidGridError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidGridError, match=r"line 1: byte 0x.. is not UTF-8; save it as UTF-8"):
        read_table(table(tmp_path, "größe,b\n1,2\n", encoding="latin1"))


def test_parquet_keeps_its_types_and_may_have_no_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "sweep.parquet"
    pd.DataFrame({"a": [0.5, 1.0], " b ": [1, 2]}).set_index("a").to_parquet(path)
    assert read_table(path)[["a", "b"]].dtypes.astype(str).to_dict() == {"a": "float64", "b": "int64"}
    for names in (["acc", "acc"], ["acc", "acc "]):
        pq.write_table(pa.table([pa.array([1.0]), pa.array([2.0])], names=names), path)
        with pytest.raises(InvalidGridError, match=r"sweep\.parquet: column 'acc' is there twice"):
            read_table(path)
