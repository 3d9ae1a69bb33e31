"""Jobs that are no trials: workers are given them, and waited for."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.preflight import Preflight
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.trial import Failure, Job, Success
from hpo_bench.tuning.workers.base import Finished, Lost, WorkerPool


def ask(
    pool: WorkerPool,
    interrupt: Interrupt,
    *,
    limit: float,
    logs: Path | None = None,
    setting: MergeSetting = BASE,
    examples: tuple[str, ...] = (),
) -> Preflight:
    """Let a worker ask the base VLM, or another merge.

    Args:
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        limit: Seconds that it may take.
        logs: Where everything that is known of a failure goes, if anywhere.
        setting: The merge that is asked.
        examples: Ids of the questions; some of different lengths by default.

    Raises:
        TuningError: If it cannot be evaluated.
        KeyboardInterrupt: If an end was asked for.
    """
    name = "the base VLM before the first trial" if setting == BASE else "the recommended merge"
    job = Job(name, setting, preflight=True, examples=examples)
    result = result_of(pool, interrupt, job, limit=limit)
    if isinstance(result, Success):
        return result.preflight or Preflight((), "", ())
    raise _error(result, logs)


def result_of(pool: WorkerPool, interrupt: Interrupt, job: Job, *, limit: float) -> Success | Failure:
    """Let a worker do a job; one that dies or hangs is given one more chance.

    Args:
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        job: What to do.
        limit: Seconds that it may take.

    Raises:
        KeyboardInterrupt: If an end was asked for.
    """
    ((_, result),) = results_of(pool, interrupt, [job], limit=limit)
    return result


def results_of(
    pool: WorkerPool, interrupt: Interrupt, jobs: Sequence[Job], *, limit: float
) -> Iterator[tuple[Job, Success | Failure]]:
    """Let workers do jobs, as many at once as there are workers.

    A worker that dies or hangs is given one more chance; an error of the evaluator's would come again.

    Args:
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        jobs: What to do.
        limit: Seconds that each may take.

    Yields:
        A job with what came of it, as soon as it is there.

    Raises:
        KeyboardInterrupt: If an end was asked for.
    """
    todo, busy, lost = deque(jobs), 0, set[Job]()
    while todo or busy:
        if interrupt.requested:
            raise KeyboardInterrupt
        for worker in pool.idle[: len(todo)]:
            pool.submit(worker, todo.popleft(), limit=limit)
            busy += 1
        event = pool.poll(0.25)
        if not isinstance(event, Finished | Lost):
            continue
        busy -= 1
        if isinstance(event, Lost) and event.job not in lost:
            lost.add(event.job)
            todo.append(event.job)
        else:
            yield event.job, event.result if isinstance(event, Finished) else event.failure


def _error(failure: Failure, logs: Path | None) -> TuningError:
    what = f"the base VLM cannot be evaluated, and so no merge can: {failure.kind}: {failure.reason}"
    if logs is None:
        return TuningError(what)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "preflight.log"
    log.write_text(failure.details or failure.reason, encoding="utf-8", errors="replace")
    return TuningError(f"{what}; no trial was begun, and {log} has the details")
