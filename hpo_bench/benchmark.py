"""Runs a plan: lockstep groups in worker processes, each stored as soon as it is finished."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import joblib
import numpy as np
import pyarrow as pa
from joblib.externals.loky.process_executor import TerminatedWorkerError

from hpo_bench.errors import HpoBenchError
from hpo_bench.plan import Chunk, Contender, Plan
from hpo_bench.progress import Progress
from hpo_bench.results import ResultsFolder
from hpo_bench.workers import one_thread, pool
from landscapes.landscape import Landscape
from optimizers.base import Optimizer


def run(plan: Plan, folder: ResultsFolder, *, jobs: int, progress: Progress) -> int:
    """Make the runs of a plan that are not stored yet.

    Safe to interrupt at any moment: an unfinished group leaves nothing behind, and the next call goes on there.

    Args:
        plan: What to run.
        folder: Where to store it; must be open.
        jobs: Worker processes; 1 works in this process.
        progress: Is told how far the work is.

    Returns:
        How many runs were made.

    Raises:
        HpoBenchError: If an optimiser fails or a worker dies. Groups that were finished by then are stored.
        ResultsError: If the store cannot be read or written.
    """
    chunks = plan.chunks(folder.keys())
    if not chunks:
        return 0
    by_name = {landscape.name: landscape for landscape in plan.landscapes}
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        counters = Path(scratch) / "evaluations"
        np.memmap(counters, dtype=np.int64, mode="w+", shape=(len(chunks),)).flush()
        tasks = (
            joblib.delayed(advance)(
                chunk, {run.landscape: by_name[run.landscape] for run in chunk.runs}, counter=(counters, place)
            )
            for place, chunk in enumerate(chunks)
        )
        done = np.memmap(counters, dtype=np.int64, mode="r", shape=(len(chunks),))
        with progress.watch(chunks, done), pool(jobs):
            # One group a dispatch and no queue ahead of it, so that the costliest go first and nobody idles at the end.
            parallel = joblib.Parallel(
                n_jobs=jobs,
                return_as="generator_unordered",
                pre_dispatch="n_jobs",
                batch_size=1,  # pyright: ignore[reportArgumentType]
            )
            try:
                for table in parallel(tasks):
                    folder.add(cast(pa.Table, table))
            except TerminatedWorkerError as error:
                raise HpoBenchError(
                    "a worker process was killed, perhaps for want of memory (try --jobs 1); finished runs are stored, "
                    "and the same command goes on from there"
                ) from error
    return sum(len(chunk.runs) for chunk in chunks)


def advance(chunk: Chunk, landscapes: Mapping[str, Landscape], *, counter: tuple[Path, int] | None = None) -> pa.Table:
    """Run a group in lockstep: step by step, one `ask_many` for all runs.

    Args:
        chunk: Runs of one optimiser, dimension and budget.
        landscapes: Their landscapes, by name.
        counter: A file of integers, and the place in it where to keep the number of evaluations made, for progress.

    Returns:
        One row an evaluation, as `ResultsFolder.add` takes it.

    Raises:
        HpoBenchError: If the optimiser fails, or proposes what is no point of the unit cube.
    """
    kind = Contender.find(chunk.optimizer).kind
    try:
        with one_thread():
            return _advance(chunk, kind, landscapes, counter)
    except Exception as error:
        # Whatever a user's optimiser raises is worth one clear line; the cause stays attached.
        where = f"{chunk.runs[0].landscape}, seed {chunk.runs[0].seed}"
        others = f" and {len(chunk.runs) - 1} runs beside it" if len(chunk.runs) > 1 else ""
        raise HpoBenchError(
            f"optimizer {chunk.optimizer} failed on {where}{others}: {type(error).__name__}: {error}; "
            "finished runs are stored"
        ) from error


def _advance(
    chunk: Chunk, kind: type[Optimizer], landscapes: Mapping[str, Landscape], counter: tuple[Path, int] | None
) -> pa.Table:
    runs, budget = chunk.runs, chunk.runs[0].budget
    members = {name: np.flatnonzero([run.landscape == name for run in runs]) for name in landscapes}
    group = [kind(chunk.dim, seed=run.generator_seed, budget=budget) for run in runs]
    shape = (len(runs), budget)
    native, scores, seconds = np.empty((*shape, chunk.dim)), np.empty(shape), np.empty(shape)
    for t in range(budget):
        start = time.perf_counter()
        points = kind.ask_many(group)
        seconds[:, t] = (time.perf_counter() - start) / len(runs)
        unit = np.stack(points)
        for name, rows in members.items():
            native[rows, t] = landscapes[name].space.from_unit(unit[rows])
        for row, (run, optimizer) in enumerate(zip(runs, group, strict=True)):
            # One point a call: in a batch the last bit depends on the others, and then so would the trace.
            scores[row, t] = landscapes[run.landscape].score(native[row, t][None])[0]
            optimizer.tell(points[row], float(scores[row, t]))
        if counter is not None:
            _count(counter, len(runs) * (t + 1))
    return _table(chunk, group, landscapes, native, scores, seconds)


def _table(
    chunk: Chunk,
    group: Sequence[Optimizer],
    landscapes: Mapping[str, Landscape],
    native: np.ndarray,
    scores: np.ndarray,
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
    parameters = {name: np.full(scores.shape, np.nan) for name in names}
    for row, run in enumerate(runs):
        for axis, name in enumerate(landscapes[run.landscape].space.names):
            parameters[name][row] = native[row, :, axis]
    return pa.table(
        {
            "key": pa.array(np.repeat([run.key for run in runs], budget)).dictionary_encode(),
            "t": pa.array(np.tile(np.arange(1, budget + 1, dtype=np.int32), len(runs))),
            **{name: pa.array(values.ravel(), from_pandas=True) for name, values in parameters.items()},
            "score": pa.array(scores.ravel(), from_pandas=True),
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
