"""Tables of which a row is one example at one setting, and the scores that examples add up to."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from landscapes import tables
from landscapes.errors import InvalidGridError
from landscapes.importing.reading import Reading
from landscapes.outcomes import EVERY
from landscapes.space import SearchSpace

YES_AND_NO = {"true": "1", "yes": "1", "false": "0", "no": "0"}
"""What a CSV file may say of an example that was scored as right or wrong."""


def yes_and_no(cells: pd.Series) -> pd.Series:
    """Cells of a CSV file with numbers for true and false, in any case; others as they are."""
    if cells.dtype == bool:
        return cells.astype(np.float64)
    return cells.map(lambda cell: YES_AND_NO.get(cell.strip().lower(), cell) if isinstance(cell, str) else cell)


def answered(
    out: pd.DataFrame, frame: pd.DataFrame, path: Path, reading: Reading, box: SearchSpace
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """How each example was answered at each setting, in the columns of `outcomes.parquet`, and what was left out.

    Args:
        out: Settings, split and score of every row.
        frame: The table's own columns, row by row.
        path: Where it is from, for messages.
        reading: Which columns have the examples' ids and categories; whether repeats are averaged, and examples that
            were not answered everywhere left out.
        box: What the settings span.

    Raises:
        InvalidGridError: If a row has no id or category, an example is in both splits, in two categories, twice at one
            setting, or not at every setting of its split.
    """
    names = list(box.names)
    answers = out[[*names, "split"]].copy()
    answers["id"] = _labels(frame, str(reading.example), path)
    answers["category"] = EVERY if reading.category is None else _labels(frame, reading.category, path)
    answers["correct"] = out["score"]
    for column, given in (("split", reading.split), ("category", reading.category)):
        _refuse_several(answers, column, path, given)
    answers[names] = _settings(answers[names], box)
    keys = ["split", "id", *names]
    if reading.average:
        answers = answers.groupby(keys, sort=False, as_index=False).agg({"category": "first", "correct": "mean"})
    else:
        shown = answers[keys].rename(columns={"id": str(reading.example), "split": reading.split or "split"})
        tables.refuse_repeats(shown, path, "example at the same setting", box, numbers=answers.index.tolist())
    answers, incomplete = _everywhere(answers, path, names, drop=reading.drop_failed)
    return answers.reset_index(drop=True)[[*names, "split", "id", "category", "correct"]], incomplete


def unmerged(
    measured: pd.DataFrame, bare: pd.DataFrame, path: Path, reading: Reading, *, asked: pd.DataFrame
) -> pd.DataFrame:
    """How the model that is merged into answers as it is, in the columns of `vlm.parquet`.

    Args:
        measured: Split and score of every row.
        bare: The table's own columns of the rows without a hyperparameter, which are the model as it is.
        path: Where it is from, for messages.
        reading: Which columns have the examples' ids and categories; whether repeats are averaged.
        asked: What the settings answered, as `answered` has it; what they did not is left out.

    Raises:
        InvalidGridError: If a row has no id, an example is there twice, or lacks such a row.
    """
    rows = measured.loc[bare.index, ["split"]]
    rows["id"] = _labels(bare, str(reading.example), path)
    rows["correct"] = measured.loc[bare.index, "score"]
    if reading.average:
        rows = rows.groupby(["split", "id"], sort=False, as_index=False)["correct"].mean()
    else:
        tables.refuse_repeats(rows[["split", "id"]], path, "example without a setting", numbers=rows.index.tolist())
    examples = asked.drop_duplicates(["split", "id"])[["split", "id", "category"]]
    examples = examples[examples["split"].isin(rows["split"])]
    found = examples.merge(rows, on=["split", "id"], how="left")
    if (lacking := found["correct"].isna()).any():
        raise InvalidGridError(
            f"{path}: example {found.loc[lacking, 'id'].iloc[0]!r} has no row without a setting, which others of its "
            "split have, for the model as it is; add the row, or leave all such rows out"
        )
    return found


def averaged(answers: pd.DataFrame, box: SearchSpace) -> pd.DataFrame:
    """The scores that examples add up to, in the columns of `grid.parquet`.

    Args:
        answers: In the columns of `outcomes.parquet`.
        box: The hyperparameters.
    """
    groups = answers.groupby([*box.names, "split"], sort=False)["correct"]
    count = groups.size()
    rows = pd.DataFrame(
        {"score": groups.mean(), "standard_error": groups.std(ddof=1) / np.sqrt(count), "n_examples": count}
    )
    return rows.reset_index().assign(merge_seconds=np.nan, eval_seconds=np.nan)


def _labels(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """A column as words; whole numbers, which ids often are, as they are written."""
    values = frame[name]
    if values.dtype.kind in "iu":
        values = values.astype(str).astype(object)
    else:
        values = values.map(lambda value: value.strip() if isinstance(value, str) else value)
    return tables.words(pd.DataFrame({name: values}, index=frame.index), name, path)


def _settings(settings: pd.DataFrame, box: SearchSpace) -> pd.DataFrame:
    """The same settings, those that differ by rounding alone as the first of them."""
    same = tables.alike(settings, box)
    return settings.groupby([same[name] for name in same.columns], sort=False).transform("first")


def _refuse_several(answers: pd.DataFrame, column: str, path: Path, given: str | None) -> None:
    if given is None:
        return
    first = answers.groupby("id", sort=False)[column].transform("first")
    if (other := np.asarray(first != answers[column])).any():
        row = int(np.flatnonzero(other)[0])
        raise InvalidGridError(
            f"{tables.where(path, answers.index[row], given)}: example {answers['id'].iloc[row]!r} is "
            f"{answers[column].iloc[row]!r} here and {first.iloc[row]!r} before; an example has one {column}"
        )


def _everywhere(
    answers: pd.DataFrame, path: Path, names: list[str], *, drop: bool
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """The examples that were answered at every setting of their split: means over different ones do not compare."""
    place = answers.groupby(names, sort=False).ngroup()
    settings = place.groupby(answers["split"]).transform("nunique")
    lacking = answers.groupby(["split", "id"], sort=False)["correct"].transform("size") < settings
    if not lacking.any():
        return answers, {}
    if not drop:
        one = answers[lacking].iloc[0]
        of_split = answers[answers["split"] == one["split"]]
        there = set(place[answers["id"] == one["id"]])
        where = of_split[~place[of_split.index].isin(there)].iloc[0]
        setting = ", ".join(f"{name} = {where[name]:g}" for name in names)
        raise InvalidGridError(
            f"{path}: example {one['id']!r} has no row at {setting}, where others of {one['split']} have one, and "
            "means over different examples do not compare; add the row, or leave such examples out with --drop-failed"
        )
    if answers[~lacking].empty or "validation" not in set(answers.loc[~lacking, "split"]):
        raise InvalidGridError(f"{path}: no example has a row at every setting; add the rows that are missing")
    return answers[~lacking], {"of examples that lack a setting": int(lacking.sum())}
