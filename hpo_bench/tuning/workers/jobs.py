"""Jobs other than trials, which workers are given and waited for."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost
from hpo_bench.tuning.workers.base import Finished, Lost, WorkerPool

Paid = Callable[[TrialCost], object]
"""Told what a job took, before anybody hears of its result."""


def result_of(
    pool: WorkerPool, interrupt: Interrupt, job: Job, *, limit: float, paid: Paid = lambda _: None
) -> Success | Failure:
    """Let a worker do a job; one that dies or hangs is given one more chance.

    An end that is asked for meanwhile comes after it.

    Args:
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        job: What to do.
        limit: Seconds that it may take.
        paid: Told what it took.

    Raises:
        KeyboardInterrupt: If an end was asked for before it was begun.
    """
    ((_, result),) = results_of(pool, interrupt, [job], limit=limit, paid=paid)
    return result


def results_of(
    pool: WorkerPool, interrupt: Interrupt, jobs: Sequence[Job], *, limit: float, paid: Paid = lambda _: None
) -> Iterator[tuple[Job, Success | Failure]]:
    """Let workers do jobs, as many at once as there are workers.

    A worker that dies or hangs is given one more chance; an error of the evaluator's would come again. An end that is
    asked for comes after what is running, which has been paid for.

    Args:
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        jobs: What to do.
        limit: Seconds that each may take.
        paid: Told what each took, a first try that failed too.

    Yields:
        A job with what came of it, as soon as it is there.

    Raises:
        KeyboardInterrupt: If an end was asked for before all were begun.
    """
    todo, busy, lost = deque(jobs), 0, set[Job]()
    while todo or busy:
        if interrupt.requested and not busy:
            raise KeyboardInterrupt
        for worker in () if interrupt.requested else pool.idle[: len(todo)]:
            pool.submit(worker, todo.popleft(), limit=limit)
            busy += 1
        event = pool.poll(0.25)
        if not isinstance(event, Finished | Lost):
            continue
        busy -= 1
        result = event.result if isinstance(event, Finished) else event.failure
        paid(result.cost)
        if isinstance(event, Lost) and event.job not in lost:
            lost.add(event.job)
            todo.append(event.job)
        else:
            yield event.job, result
