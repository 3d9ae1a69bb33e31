"""Runs as COCO's tools read them: `cocoviz` for all problems, `cocopp` for those of COCO's own suite.

Hansen et al., "COCO: a platform for comparing continuous optimizers in a black-box setting" (2021).
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.benchmark.plan import Plan
from hpo_bench.errors import UsageError
from hpo_bench.files import check_folder, write
from landscapes.functions.bbob import Bbob
from landscapes.functions.function import Function
from landscapes.problem import Problem

PRECISION = 1e-8
"""The last target of `cocopp`."""


def write_coco(plan: Plan, runs: pd.DataFrame, folder: Path) -> Path:
    """Write runs for COCO's tools: `BenchmarkResult.to_coco` says what is written.

    Raises:
        UsageError: If the folder is something else, or not empty, or two names give one of its files.
        ResultsError: If a file cannot be written.
    """
    check_new(folder)
    for names in ([one.name for one in plan.landscapes], [one.label for one in plan.contenders]):
        _refuse_one_file(names)
    problems = {problem.name: problem for problem in plan.landscapes}
    labels = {contender.identity: contender.label for contender in plan.contenders}
    for (name, optimizer), own in runs.groupby(["landscape", "optimizer"], sort=False):
        problem, label = problems[str(name)], labels[str(optimizer)]
        for seed, run in own.groupby("seed"):
            _write_result(problem, label, int(str(seed)), run, folder / "cocoviz" / _file_name(label))
        if isinstance(problem, Function) and isinstance(problem.f, Bbob) and not plan.noisy:
            _write_logs(problem, problem.f, label, own, folder / "cocopp" / _file_name(label))
    return folder


def check_new(folder: Path) -> None:
    """See that a folder can be written that is new or empty, before the work that it is of.

    Raises:
        UsageError: If it is something else.
    """
    check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty, and COCO's tools read all that lies in a folder; name a new one")


def _write_result(problem: Problem, label: str, seed: int, run: pd.DataFrame, folder: Path) -> None:
    """One run as `cocoviz.Result.from_parquet` reads it: whose it is stands beside the columns."""
    about = {
        "name": problem.name,
        "instance": str(seed),
        "number_of_variables": problem.space.dim,
        "number_of_objectives": 1,
    }
    table = pa.table({"fevals": run["t"].to_numpy(), "regret": run["regret"].to_numpy()})
    table = table.replace_schema_metadata({"algorithm": label, "problem": json.dumps(about)})
    write(folder / f"{_file_name(problem.name)}-{seed}.parquet", lambda path: pq.write_table(table, path))


def _write_logs(problem: Problem, f: Bbob, label: str, runs: pd.DataFrame, folder: Path) -> None:
    """All runs on one function as COCO's own logger writes them, which minimises in [-5, 5]^d."""
    stem = f"bbobexp_f{f.number}_DIM{f.dim}"
    head = f"% f evaluations | g evaluations | best noise-free fitness - Fopt ({-f.maximum:.12e}) + sum g_i+ "
    head += "| measured fitness | best measured fitness or single-digit g-values | x1 | x2...\n"
    improved, every, ends = "", "", []
    for _, run in runs.groupby("seed"):
        scores, best = run["score"].to_numpy(), run["best_so_far"].to_numpy()
        x = 10.0 * run[list(problem.space.names)].to_numpy() - 5.0
        rows = [
            f"{t} 0 {f.maximum - top:+.9e} {-score:+.9e} {-top:+.9e} {' '.join(f'{value:+.4e}' for value in point)}\n"
            for t, top, score, point in zip(run["t"], best, scores, x, strict=True)
        ]
        last = len(rows) - 1
        news = np.diff(best, prepend=-np.inf) > 0
        improved += head + "".join(row for t, row in enumerate(rows) if news[t] or t == last)
        every += head + "".join(rows)
        ends.append(f"{f.instance}:{len(rows)}|{f.maximum - best[-1]:.1e}")
    info = (
        f"suite = 'bbob', funcId = {f.number}, DIM = {f.dim}, Precision = {PRECISION:.3e}, algId = '{label}', "
        "logger = 'bbob', data_format = 'bbob-new2'\n% \n"
        f"data_f{f.number}/{stem}.dat, {', '.join(ends)}\n"
    )
    logs = {f"data_f{f.number}/{stem}.dat": improved, f"data_f{f.number}/{stem}.tdat": every, f"{stem}.info": info}
    for name, text in logs.items():
        write(folder / name, text)


def _refuse_one_file(names: Sequence[str]) -> None:
    called: dict[str, str] = {}
    for name in names:
        if (other := called.setdefault(_file_name(name), name)) != name:
            raise UsageError(
                f"{other} and {name} would both be written as {_file_name(name)}, one over the other; rename one, or "
                "run them apart"
            )


def _file_name(name: str) -> str:
    """A name as a file or folder may have it, and `cocopp` puts on its pages."""
    return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in name)
