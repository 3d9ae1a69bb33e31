"""Recorded scores: one row a setting and split.

`grid.parquet` has the columns: one a parameter of the card, in its order (vl_weight, exp_weight, and density where the
method has one); split (validation or test); score and standard_error, in the card's units; n_examples; merge_seconds
and eval_seconds. Standard errors and seconds may be missing where nobody measured them. A further column mask_seed
tells apart evaluations of one setting with several masks. Other columns are kept and not read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from landscapes import tables
from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet, write_parquet
from landscapes.space import SearchSpace

Array = NDArray[np.float64]

FILE = "grid.parquet"
MEASURES = ("split", "score", "standard_error", "n_examples", "merge_seconds", "eval_seconds")


@dataclass(frozen=True, slots=True, eq=False)
class RecordedGrid:
    """What was measured on one split, sorted by setting with the first parameter slowest.

    Attributes:
        names: The d hyperparameters, in order.
        X: Settings, of shape (n, d), in the parameters' own units and order; all different, but for mask seeds.
        scores: Their scores, of shape (n,), in the card's units, to be maximised.
        standard_errors: Standard error of each score over examples, of shape (n,); NaN where unknown.
        n_examples: How many examples each score is the mean of, of shape (n,).
        merge_seconds: What each merge took, of shape (n,); NaN where unknown.
        eval_seconds: What each evaluation took, of shape (n,); NaN where unknown.
        split: On which examples: validation or test.
        path: Where it was read from, for messages.
        mask_seeds: Seed of the mask of each row, of shape (n,), where settings were recorded with several; else None.
    """

    names: tuple[str, ...]
    X: Array
    scores: Array
    standard_errors: Array
    n_examples: NDArray[np.int64]
    merge_seconds: Array
    eval_seconds: Array
    split: str
    path: Path
    mask_seeds: NDArray[np.int64] | None = None

    @classmethod
    def read(cls, path: str | Path, space: SearchSpace, *, split: str = "validation") -> Self:
        """Read one split of a grid file.

        Args:
            path: The parquet file.
            space: The parameters it must have, and the box that its settings must lie in.
            split: Which rows.

        Raises:
            InvalidGridError: If the file cannot be used; the message names row and column.
        """
        return cls.of(read_parquet(Path(path)), space, split=split, path=Path(path))

    @classmethod
    def of(cls, rows: pd.DataFrame, space: SearchSpace, *, split: str = "validation", path: Path) -> Self:
        """One split of rows that are in no grid file, or not yet.

        Args:
            rows: The columns that this module's docstring names, in any order of rows and columns.
            space: The parameters they must have, and the box that the settings must lie in.
            split: Which rows.
            path: Where they are from, for messages.

        Raises:
            InvalidGridError: If the rows cannot be used; the message names row and column.
        """
        frame = _checked(rows, space, path)
        chosen = frame[frame["split"] == split]
        if chosen.empty:
            there = ", ".join(sorted(set(frame["split"])))
            raise InvalidGridError(f"{path} has no row with split {split!r}, only {there}; record that split")

        def column(name: str) -> Array:
            values = chosen[name].to_numpy(dtype=np.float64, copy=True)
            values.flags.writeable = False
            return values

        X = chosen[list(space.names)].to_numpy(dtype=np.float64, copy=True)
        X.flags.writeable = False
        measured = {name: column(name) for name in ("merge_seconds", "eval_seconds")}
        return cls(
            names=space.names,
            X=X,
            scores=column("score"),
            standard_errors=column("standard_error"),
            n_examples=chosen["n_examples"].to_numpy(dtype=np.int64),
            split=split,
            path=path,
            mask_seeds=chosen[tables.MASK_SEED].to_numpy(np.int64) if tables.MASK_SEED in chosen else None,
            **measured,
        )

    def __len__(self) -> int:
        return len(self.scores)

    def to_frame(self) -> pd.DataFrame:
        """What was measured as a table, one row a setting, in the columns of `grid.parquet`."""
        seeds = {} if self.mask_seeds is None else {tables.MASK_SEED: self.mask_seeds}
        return pd.DataFrame(
            {
                **dict(zip(self.names, self.X.T, strict=True)),
                **seeds,
                "split": self.split,
                "score": self.scores,
                "standard_error": self.standard_errors,
                "n_examples": self.n_examples,
                "merge_seconds": self.merge_seconds,
                "eval_seconds": self.eval_seconds,
            }
        )

    @property
    def best(self) -> int:
        """Row of the highest score; the first of equals."""
        return int(np.argmax(self.scores))

    @property
    def range(self) -> float:
        """Highest minus lowest score."""
        return float(np.ptp(self.scores))


def write_grid(path: str | Path, rows: pd.DataFrame, space: SearchSpace) -> None:
    """Write a grid file whole or not at all.

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
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_parquet(path, table)


def _checked(frame: pd.DataFrame, space: SearchSpace, path: Path) -> pd.DataFrame:
    tables.require(frame, [*space.names, *MEASURES], path)
    frame = frame.reset_index(drop=True)
    clean: dict[str, object] = dict(zip(space.names, tables.settings(frame, space, path).T, strict=True))
    clean["split"] = tables.words(frame, "split", path)
    clean["score"] = tables.numbers(frame, "score", path)
    clean["standard_error"] = tables.numbers(frame, "standard_error", path, at_least=0, may_be_missing=True)
    clean["n_examples"] = tables.numbers(frame, "n_examples", path, at_least=1, whole=True).astype(np.int64)
    for name in ("merge_seconds", "eval_seconds"):
        clean[name] = tables.numbers(frame, name, path, at_least=0, may_be_missing=True)
    seeds = tables.mask_seeds(frame, path)
    clean |= seeds
    checked = pd.DataFrame({**clean, **{name: frame[name] for name in frame.columns if name not in clean}})
    keys = ["split", *space.names, *seeds]
    tables.refuse_repeats(checked[keys], path, "setting", space)
    # A negative zero would sort and hash differently from a zero.
    checked[list(space.names)] += 0.0
    return checked.sort_values(keys, kind="stable", ignore_index=True)
