"""The long table of runs: made of what is stored, and read from the file of the last command."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.benchmark.plan import Plan, Run
from hpo_bench.benchmark.store import ResultsFolder, wrong_columns
from hpo_bench.errors import ResultsError
from hpo_bench.statistics.cube import column_of
from landscapes.errors import UnreadableError
from landscapes.problem import Problem
from landscapes.written import check_regular, read_json


def read_runs(path: Path, landscapes: Sequence[Problem]) -> pd.DataFrame:
    """The runs that the last command asked for, as `assemble` gave them.

    Args:
        path: `runs.parquet` of a results folder.
        landscapes: Some of those that they may be of, whose hyperparameters must be there.

    Raises:
        ResultsError: If it is missing or damaged, or of other recordings or surrogates than these landscapes are.
    """
    cure = f"make it with `hpo-bench run --results {path.parent}`"
    try:
        check_regular(path)
        # Until 0.2 the column had the British name.
        table = pq.read_table(path)
        table = table.rename_columns(["optimizer" if name == "optimiser" else name for name in table.column_names])
    except UnreadableError as error:
        raise ResultsError(f"{error}; {cure}") from error
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path} is damaged; {cure}") from error
    flaw = wrong_columns(table.schema, ("landscape", "optimizer", "seed", "t", "score", "regret"))
    frame = pd.DataFrame() if flaw else table.to_pandas(ignore_metadata=True)
    if not flaw and np.isinf(frame[["score", "regret"]].to_numpy(np.float64)).any():
        flaw = "a score is infinite"
    if not flaw and len(frame):
        budgets = frame.groupby(["landscape", "optimizer", "seed"])["t"].agg(["count", "nunique", "min", "max"])
        whole = (budgets["min"] == 1) & (budgets[["count", "nunique"]].eq(budgets["max"], axis=0).all(axis=1))
        if not whole.all() or (budgets.groupby("landscape")["max"].nunique() > 1).any():
            flaw = "a run lacks evaluations, or has one twice"
    for landscape in () if flaw else landscapes:
        mine, names = frame[frame["landscape"] == landscape.name], map(column_of, landscape.space.names)
        flaw = flaw or next((f"it has no numbers {name!r}" for name in names if not _numeric(mine, name)), "")
    if flaw:
        raise ResultsError(f"{path} is damaged ({flaw}); {cure}")
    hashes = _hashes(path.with_name("summary.json"))
    for landscape in landscapes:
        if hashes.get(landscape.name, landscape.content_hash) != landscape.content_hash:
            raise ResultsError(
                f"{path} has runs on another recording of {landscape.name} than lies there now, or through another "
                f"surrogate; {cure}"
            )
    return frame


def _hashes(summary: Path) -> Mapping[str, str]:
    """Of the landscapes that runs were made on, by name; none where that is not known, or recorded answers replayed."""
    try:
        content = read_json(summary)
        replayed = content["goal"] == "test"
        return {} if replayed else {str(one["name"]): str(one["content_hash"]) for one in content["landscapes"]}
    except (UnreadableError, LookupError, TypeError):
        return {}


def _numeric(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column has a finite number in each row."""
    if frame.empty:
        return True
    return name in frame and frame[name].dtype.kind in "fi" and bool(np.isfinite(frame[name]).all())


def stored_runs(plan: Plan, folder: ResultsFolder) -> pd.DataFrame:
    """The long table of a plan's runs, as `assemble` gives it.

    Raises:
        ResultsError: If a run is not stored, or what is stored is damaged.
    """
    runs = list(plan.runs())
    return assemble(folder.load(runs), runs=runs, landscapes=plan.landscapes)


def assemble(stored: pa.Table, *, runs: Sequence[Run], landscapes: Sequence[Problem]) -> pd.DataFrame:
    """The long table of results.

    Args:
        stored: Evaluations as they lie in the store.
        runs: Which runs, each of them stored.
        landscapes: The landscapes of those runs.

    Returns:
        One row an evaluation, sorted by landscape, optimiser, seed and t (from 1): `landscape`, `pair`, `domain`,
        `task`, `method`, `optimizer`, `seed`, `t`, one column a hyperparameter (missing where a landscape lacks it;
        `column_of` says what it is called),
        `score`, `best_so_far` (with noise: the noise-free score of what the optimiser recommends by then), `regret`
        (that of best_so_far, normalised, lower is better), `restart` (how often the search had started over
        before this evaluation), `restart_reason` (why it did just before this evaluation, missing if it did not) and
        `ask_seconds` (the optimiser's own processor time, shared evenly by the runs that were asked together); with
        noise also `reported`, the score that it was told of what it recommends. All but `ask_seconds` are the same
        every time.
    """
    by_name = {landscape.name: landscape for landscape in landscapes}
    about = pd.DataFrame(
        {
            "key": [run.key for run in runs],
            "landscape": [run.landscape for run in runs],
            "pair": [by_name[run.landscape].card.pair for run in runs],
            "domain": [by_name[run.landscape].card.domain for run in runs],
            "task": [by_name[run.landscape].card.benchmark for run in runs],
            "method": [by_name[run.landscape].card.method for run in runs],
            "optimizer": [run.optimizer for run in runs],
            "seed": [run.seed for run in runs],
        }
    )
    frame = about.merge(stored.to_pandas(), on="key", validate="one_to_many").drop(columns="key")
    frame = frame.sort_values(["landscape", "optimizer", "seed", "t"], ignore_index=True)
    budgets: Mapping[str, int] = {run.landscape: run.budget for run in runs}
    best, regret = np.empty(len(frame)), np.empty(len(frame))
    for name, rows in frame.groupby("landscape", sort=False).indices.items():
        column = "recommended" if "recommended" in frame else "score"
        scores = frame[column].to_numpy()[rows].reshape(-1, budgets[str(name)])
        # A recommendation may become worse again, an incumbent cannot.
        incumbent = scores if column == "recommended" else np.fmax.accumulate(scores, axis=-1)
        best[rows] = incumbent.ravel()
        # Until an evaluation succeeds it is that of the worst setting.
        regret[rows] = np.nan_to_num(by_name[str(name)].regret(incumbent), nan=1.0).ravel()
    names = list(dict.fromkeys(column_of(name) for landscape in landscapes for name in landscape.space.names))
    if lacking := [name for name in names if name not in frame]:
        raise ResultsError(f"stored runs have no column {lacking[0]!r}; delete the store, and they will be made again")
    return frame.assign(best_so_far=best, regret=regret)[
        [*about.columns[1:], "t", *names, "score", "best_so_far", "regret", "restart", "restart_reason", "ask_seconds",
         *(["reported"] if "reported" in frame else [])]
    ]  # fmt: skip
