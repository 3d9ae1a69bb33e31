from collections.abc import Callable

import pytest

from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.trial import Failure, Job
from hpo_bench.tuning.workers.base import Event, Finished, Lost, WorkerPool
from hpo_bench.tuning.workers.jobs import results_of

JOBS = [Job(f"job {number}", MergeSetting("ta", 0.1 * number, 1.0)) for number in range(4)]
DONE = Failure("raised", "the evaluator says no")
DEATH = Failure("worker-died", "killed")


class ScriptedPool(WorkerPool):
    """Two workers that end jobs in the order in which they got them, each as the script says."""

    def __init__(self, script: Callable[[str, Job], Event]) -> None:
        self._script = script
        self.given: dict[str, Job] = {}
        self.at_once = 0

    @property
    def size(self) -> int:
        return 2

    @property
    def idle(self) -> list[str]:
        return [name for name in ("one", "two") if name not in self.given]

    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        assert worker in self.idle
        self.given[worker] = job
        self.at_once = max(self.at_once, len(self.given))

    def poll(self, timeout: float) -> Event | None:
        worker = next(iter(self.given))
        return self._script(worker, self.given.pop(worker))

    def stop(self) -> None:
        self.given.clear()


def test_every_worker_has_a_job_and_every_job_one_result() -> None:
    pool = ScriptedPool(lambda worker, job: Finished(worker, job, DONE))
    found = list(results_of(pool, Interrupt(), JOBS, limit=9.0))
    assert found == [(job, DONE) for job in JOBS], "an error of the evaluator's is not asked for again"
    assert pool.at_once == 2


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_job_whose_worker_dies_has_one_more_chance(deaths: int) -> None:
    left = [deaths]

    def script(worker: str, job: Job) -> Event:
        if job is JOBS[1] and left[0]:
            left[0] -= 1
            return Lost(worker, job, DEATH)
        return Finished(worker, job, DONE)

    found = dict(results_of(ScriptedPool(script), Interrupt(), JOBS, limit=9.0))
    assert found == dict.fromkeys(JOBS, DONE) | ({JOBS[1]: DEATH} if deaths == 2 else {})


def test_an_end_that_is_asked_for_comes_after_what_is_running_and_paid() -> None:
    interrupt, paid = Interrupt(), []
    pool = ScriptedPool(lambda worker, job: Finished(worker, job, DONE))
    results = results_of(pool, interrupt, JOBS, limit=9.0, paid=paid.append)
    found = [next(results)]
    interrupt.requested = True
    with pytest.raises(KeyboardInterrupt):
        found += results
    assert found == [(job, DONE) for job in JOBS[:2]], "one more was running, and none was begun"
    assert len(paid) == 2
