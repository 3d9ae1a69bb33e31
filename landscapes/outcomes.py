"""Recorded outcomes: how each example was answered at each setting.

`outcomes.parquet` has the columns: one a parameter of the card, split, id, category (skill or general, or what the
benchmark calls its parts) and correct, which is true or false, or a number where the metric gives partial credit; and
mask_seed where settings were recorded with several masks. Rows are sorted so that equal values are neighbours, which is
what makes 100 settings x 300 examples fit into some ten kilobytes.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from landscapes import tables
from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet, read_schema, write_parquet
from landscapes.grid import RecordedGrid
from landscapes.space import SearchSpace

Array = NDArray[np.float64]

FILE = "outcomes.parquet"
WORDS = ("split", "id", "category")
COLUMNS = (*WORDS, "correct")
EVERY = "all"
"""The category of examples that name none."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """How each example of one split was answered at each setting.

    Attributes:
        X: Settings, of shape (n, d), sorted as in `RecordedGrid`; all different, but for mask seeds.
        ids: The examples' ids, of shape (m,), sorted.
        categories: Their categories, of shape (m,).
        correct: The score of each example at each setting, of shape (n, m); 0 or 1 unless there is partial credit, NaN
            where the example was not evaluated.
        split: On which examples: validation or test.
    """

    X: Array
    ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    correct: Array
    split: str

    @classmethod
    def read(cls, path: str | Path, space: SearchSpace, *, split: str = "validation") -> Self:
        """Read one split of an outcomes file.

        Raises:
            InvalidGridError: If the file cannot be used; the message names row and column.
        """
        path = Path(path)
        frame = read_parquet(path)
        tables.require(frame, ["split"], path)
        # The other split is usually four times as large, and checking it would take as much longer.
        frame = frame[frame["split"] == split]
        if frame.empty:
            raise InvalidGridError(f"{path} has no row with split {split!r}; record that split")
        seeds = [tables.MASK_SEED] if tables.MASK_SEED in frame else []
        if (block := _block(frame, space, seeds, path)) is not None:
            return cls(*block, split=split)
        frame = _checked(frame, space, path)
        X, setting = _distinct(frame[[*space.names, *seeds]])
        example, ids = pd.factorize(frame["id"].to_numpy(object), sort=True)
        _, first = np.unique(example, return_index=True)
        correct = np.full((len(X), len(ids)), np.nan)
        correct[setting, example] = frame["correct"].to_numpy(np.float64)
        X = X[:, : space.dim]
        return cls(X=X, ids=ids, categories=frame["category"].to_numpy(object)[first], correct=correct, split=split)

    @classmethod
    def matching(cls, path: str | Path, grid: RecordedGrid, space: SearchSpace) -> Self:
        """Read the outcomes behind a recorded grid: same split, row i of `correct` belongs to row i of the grid.

        Raises:
            InvalidGridError: If the file cannot be used, or has other settings than the grid.
        """
        answers = cls.read(path, space, split=grid.split)
        if not tables.same_settings(answers.X, grid.X, space):
            raise InvalidGridError(f"{path} and {grid.path} have different settings; record both again")
        return answers


def drawn(example: str) -> float:
    """A number in [0, 1) by a hash of an example's id, never by position: it does not depend on the other examples."""
    return int.from_bytes(hashlib.sha256(example.encode()).digest()[:8], "big") / 2**64


def split_of(example: str, *, share: float) -> Literal["validation", "test"]:
    """On which side an example is; see `drawn`.

    Args:
        example: Its id.
        share: How many of all examples are to be validation; the others are test.
    """
    return "validation" if drawn(example) < share else "test"


def split_rule(share: float) -> str:
    """The same in words, for cards."""
    return (
        f"validation if the first 8 bytes of SHA-256(example id), big-endian, over 2**64 are below {share:g}, else test"
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of a recorded file, which changes with what is in it.

    Raises:
        InvalidGridError: If it should be parquet and is not.
    """
    if path.suffix == ".parquet":
        read_schema(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_outcomes(path: str | Path, rows: pd.DataFrame, space: SearchSpace) -> None:
    """Write an outcomes file whole or not at all.

    Args:
        path: The parquet file; an existing one is replaced in one step.
        rows: The columns that this module's docstring names, in any order of rows and columns.
        space: The parameters and the box that the settings must lie in.

    Raises:
        InvalidGridError: If the rows could not be read again; nothing is written then.
        UnwritableError: If the file cannot be written.
    """
    path = Path(path)
    frame = _checked(rows, space, path)
    arrays: dict[str, pa.Array] = {name: pa.array(frame[name]) for name in space.names}
    arrays |= {name: pa.array(frame[name]) for name in (tables.MASK_SEED,) if name in frame}
    write_parquet(path, pa.table(arrays | stored_answers(frame)))


def checked_answers(frame: pd.DataFrame, path: Path) -> dict[str, object]:
    """The columns that say who was asked and what came of it, whatever was asked.

    Raises:
        InvalidGridError: If one is missing, or a cell makes no sense; the message names row and column.
    """
    tables.require(frame, COLUMNS, path)
    words: dict[str, object] = {name: tables.words(frame, name, path) for name in WORDS}
    return words | {"correct": tables.numbers(frame, "correct", path)}


def stored_answers(frame: pd.DataFrame) -> dict[str, pa.Array]:
    """The same as they are stored: words by number, and scores that are all 0 or 1 as a bit each."""
    correct = frame["correct"].to_numpy(np.float64)
    binary = bool(np.isin(correct, (0.0, 1.0)).all())
    words = {name: pa.array(frame[name]).dictionary_encode() for name in WORDS}
    return words | {"correct": pa.array(correct.astype(bool) if binary else correct)}


def _block(
    frame: pd.DataFrame, space: SearchSpace, seeds: list[str], path: Path
) -> tuple[Array, NDArray[np.object_], NDArray[np.object_], Array] | None:
    """Settings, ids, categories and scores of a table as `write_outcomes` leaves it, every example at every setting.

    Its rows are one block, which needs no sorting, and of which one example and one setting are looked at closely: a
    tenth of the work.

    Returns:
        None for any other table, and for one with something wrong in it, which `_checked` will name.
    """
    names = [*space.names, *seeds]
    if not {*names, *COLUMNS} <= set(frame) or not all(_is_plain(frame[name]) for name in (*names, "correct")):
        return None
    if not all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in WORDS):
        return None
    example = frame["id"].cat.codes.to_numpy()
    each = int(np.argmax(example != example[0])) or len(frame)
    if len(frame) % each:
        return None
    settings = frame[names].to_numpy(np.float64).reshape(-1, each, len(names))
    words = [frame[name].cat.codes.to_numpy().reshape(-1, each) for name in ("id", "category")]
    correct = frame["correct"].to_numpy(np.float64).reshape(-1, each)
    ids, categories = (
        frame[name].cat.categories.to_numpy(object)[codes[:, 0]]
        for name, codes in zip(("id", "category"), words, strict=True)
    )
    X = settings[0] + 0.0
    if (
        (settings != X).any()
        or any((codes != codes[:, :1]).any() or codes.min() < 0 for codes in words)
        or not np.isfinite(correct).all()
        or not all(isinstance(word, str) and word for word in (*ids, *categories))
        or any(one >= other for one, other in pairwise(ids))
        or any(tuple(one) >= tuple(other) for one, other in pairwise(X.tolist()))
    ):
        return None
    try:
        _checked(frame.iloc[:each], space, path)
    except InvalidGridError:
        return None
    return X[:, : space.dim], ids, categories, np.ascontiguousarray(correct.T)


def _is_plain(column: pd.Series) -> bool:
    return column.dtype.kind in "biuf"


def _distinct(frame: pd.DataFrame) -> tuple[Array, NDArray[np.intp]]:
    """The different rows of a table of numbers, sorted by its columns, and which of them each row is."""
    # Column by column, each of which has few values: sorting some hundred thousand rows takes a second.
    place = np.zeros(len(frame), dtype=np.int64)
    for name in frame.columns:
        level, levels = pd.factorize(frame[name].to_numpy(np.float64), sort=True)
        _, place = np.unique(place * len(levels) + level, return_inverse=True)
    _, first = np.unique(place, return_index=True)
    return frame.to_numpy(np.float64)[first], place


def _checked(frame: pd.DataFrame, space: SearchSpace, path: Path) -> pd.DataFrame:
    tables.require(frame, [*space.names, *COLUMNS], path)
    frame = frame.reset_index(drop=True)
    clean: dict[str, object] = dict(zip(space.names, tables.settings(frame, space, path).T + 0.0, strict=True))
    seeds = tables.mask_seeds(frame, path)
    clean |= seeds
    checked = pd.DataFrame(clean | checked_answers(frame, path))
    tables.refuse_repeats(checked[["split", "id", *space.names, *seeds]], path, "example at the same setting", space)
    return checked.sort_values(["split", "id", *space.names, *seeds], kind="stable", ignore_index=True)
