"""A job that is no trial: a worker is given it, and waited for."""

from pathlib import Path

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.preflight import Preflight
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.trial import Failure, Job, Success
from hpo_bench.tuning.workers.base import Finished, Lost, WorkerPool

ATTEMPTS = 2
"""A worker that dies or hangs is given one more chance; an error of the evaluator's would come again."""


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
    attempts, waiting = 0, False
    while True:
        if interrupt.requested:
            raise KeyboardInterrupt
        if not waiting and pool.idle:
            pool.submit(pool.idle[0], job, limit=limit)
            waiting = True
        event = pool.poll(0.25)
        if not isinstance(event, Finished | Lost):
            continue
        waiting = False
        result = event.result if isinstance(event, Finished) else event.failure
        attempts += 1
        if isinstance(event, Finished) or attempts == ATTEMPTS:
            return result


def _error(failure: Failure, logs: Path | None) -> TuningError:
    what = f"the base VLM cannot be evaluated, and so no merge can: {failure.kind}: {failure.reason}"
    if logs is None:
        return TuningError(what)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "preflight.log"
    log.write_text(failure.details or failure.reason, encoding="utf-8", errors="replace")
    return TuningError(f"{what}; no trial was begun, and {log} has the details")
