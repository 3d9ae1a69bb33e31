"""Runs a plan: lockstep groups in worker processes, each stored as soon as it is finished."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from operator import call
from pathlib import Path

import numpy as np
import pyarrow as pa

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Chunk, Plan
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display.progress import Progress
from hpo_bench.display.words import counted
from hpo_bench.errors import HpoBenchError, ResultsError, UsageError
from hpo_bench.statistics.cube import column_of
from hpo_bench.workers import Workers, one_thread
from landscapes.problem import Problem
from optimizers.base import Optimizer


def run(plan: Plan, folder: ResultsFolder, *, workers: Workers, progress: Progress) -> int:
    """Make the runs of a plan that are not stored yet.

    Safe to interrupt at any moment: an unfinished group leaves nothing behind, and the next call goes on there.

    Args:
        plan: What to run.
        folder: Where to store it; it is opened.
        workers: Who runs it.
        progress: Is told how far the work is.

    Returns:
        How many runs were made.

    Raises:
        HpoBenchError: If an optimiser fails, or workers die again and again. Groups that were finished by then are
            stored.
        ResultsError: If the store cannot be read or written.
    """
    folder.open()
    chunks = plan.chunks(folder.keys())
    if not chunks:
        return 0
    kinds = {contender.kind.__module__ for contender in plan.contenders}
    workers.ahead([__name__, *sorted(one for one in kinds if one.startswith("optimizers."))])
    by_name = {landscape.name: landscape for landscape in plan.landscapes}
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        counters = Path(scratch) / "evaluations"
        np.memmap(counters, dtype=np.int64, mode="w+", shape=(len(chunks),)).flush()
        tasks = [
            partial(advance, chunk, {run.landscape: by_name[run.landscape] for run in chunk.runs}, (counters, place))
            for place, chunk in enumerate(chunks)
        ]
        done = np.memmap(counters, dtype=np.int64, mode="r", shape=(len(chunks),))
        runs, evaluations = sum(len(chunk.runs) for chunk in chunks), [chunk.evaluations for chunk in chunks]
        with progress.watch(done, runs=runs, evaluations=evaluations, costs=[chunk.cost for chunk in chunks]):
            for table in workers.stream(call, tasks):
                folder.add(table)
    return runs


def advance(chunk: Chunk, landscapes: Mapping[str, Problem], counter: tuple[Path, int] | None = None) -> pa.Table:
    """Run a group in lockstep: step by step, one `ask_many` for all runs.

    Args:
        chunk: Runs of one optimiser, dimension and budget.
        landscapes: Their landscapes, by name.
        counter: A file of integers, and the place in it where to keep the number of evaluations made, for progress.

    Returns:
        One row an evaluation, as `ResultsFolder.add` takes it.

    Raises:
        HpoBenchError: If the optimiser fails, or proposes what is no point of the unit cube.
        UsageError: If the problem cannot be evaluated.
    """
    kind = Contender.find(chunk.given or chunk.optimizer).kind
    try:
        with one_thread():
            return _advance(chunk, kind, landscapes, counter)
    except (UsageError, ResultsError):
        raise  # of the problem, in a line of its own
    except Exception as error:
        # Whatever a user's optimiser raises is worth one clear line; the cause stays attached.
        where = f"{chunk.runs[0].landscape}, seed {chunk.runs[0].seed}"
        others = f" and {counted(len(chunk.runs) - 1, 'run')} beside it" if len(chunk.runs) > 1 else ""
        raise HpoBenchError(
            f"the optimiser {chunk.optimizer} failed on {where}{others}: {type(error).__name__}: {error}; "
            "finished runs are stored"
        ) from error


def _advance(
    chunk: Chunk, kind: type[Optimizer], landscapes: Mapping[str, Problem], counter: tuple[Path, int] | None
) -> pa.Table:
    runs, budget = chunk.runs, chunk.runs[0].budget
    members = {name: np.flatnonzero([run.landscape == name for run in runs]) for name in landscapes}
    group = [run.make(kind) for run in runs]
    shape = (len(runs), budget)
    native, scores, seconds = np.empty((*shape, chunk.dim)), np.empty(shape), np.empty(shape)
    evaluate = [run.evaluator(landscapes[run.landscape]) for run in runs]
    recommended, reported = np.full(shape, np.nan), np.full(shape, np.nan)
    for t in range(budget):
        # Of the processor and not of the clock on the wall: what else the machine does is not the optimiser's doing.
        before = _cpu_seconds(group)
        points = kind.ask_many(group)
        seconds[:, t] = (_cpu_seconds(group) - before) / len(runs)
        unit = np.stack(points)
        for name, rows in members.items():
            native[rows, t] = landscapes[name].space.from_unit(unit[rows])
        for row, (run, optimizer) in enumerate(zip(runs, group, strict=True)):
            scores[row, t], error = evaluate[row](native[row, t])
            optimizer.tell(points[row], float(scores[row, t]), standard_error=error)
            if run.noisy and t:
                recommended[row, t], reported[row, t] = recommended[row, t - 1], reported[row, t - 1]
            if run.is_judged(t + 1) and np.isfinite(scores[row, : t + 1]).any():
                problem, best = landscapes[run.landscape], optimizer.recommend()
                recommended[row, t] = problem.score(problem.space.from_unit(best[None]))[0]
                X, told = optimizer.history
                reported[row, t] = next((y for x, y in zip(X, told, strict=True) if np.array_equal(x, best)), np.nan)
        if counter is not None:
            _count(counter, len(runs) * (t + 1))
    judged = {"recommended": recommended, "reported": reported} if runs[0].noisy else {}
    return _table(chunk, group, landscapes, native, scores, judged, seconds)


def _cpu_seconds(group: Sequence[Optimizer]) -> float:
    return time.process_time() + sum(optimizer.seconds_elsewhere for optimizer in group)


def _table(
    chunk: Chunk,
    group: Sequence[Optimizer],
    landscapes: Mapping[str, Problem],
    native: np.ndarray,
    scores: np.ndarray,
    judged: Mapping[str, np.ndarray],
    seconds: np.ndarray,
) -> pa.Table:
    runs, budget = chunk.runs, chunk.runs[0].budget
    restart = np.zeros((len(runs), budget), dtype=np.int16)
    reasons: list[str | None] = [None] * (len(runs) * budget)
    for row, optimizer in enumerate(group):
        for event in optimizer.restarts:
            # A search that ended after its last evaluation started none anew.
            if event.evaluation < budget:
                restart[row, event.evaluation :] += 1
                reasons[row * budget + event.evaluation] = event.reason
    names = list(dict.fromkeys(name for landscape in landscapes.values() for name in landscape.space.names))
    parameters = {column_of(name): np.full(scores.shape, np.nan) for name in names}
    for row, run in enumerate(runs):
        for axis, name in enumerate(landscapes[run.landscape].space.names):
            parameters[column_of(name)][row] = native[row, :, axis]
    return pa.table(
        {
            "key": pa.array(np.repeat([run.key for run in runs], budget)).dictionary_encode(),
            "t": pa.array(np.tile(np.arange(1, budget + 1, dtype=np.int32), len(runs))),
            **{name: pa.array(values.ravel(), from_pandas=True) for name, values in parameters.items()},
            "score": pa.array(scores.ravel(), from_pandas=True),
            **{name: pa.array(values.ravel(), from_pandas=True) for name, values in judged.items()},
            "restart": pa.array(restart.ravel()),
            "restart_reason": pa.array(reasons, type=pa.string()),
            "ask_seconds": pa.array(seconds.ravel()),
        }
    )


def _count(counter: tuple[Path, int], evaluations: int) -> None:
    path, place = counter
    # On another machine of a cluster the file is not there; progress then moves when groups finish.
    if path.exists():
        with path.open("r+b", buffering=0) as file:
            file.seek(place * 8)
            file.write(np.int64(evaluations).tobytes())
