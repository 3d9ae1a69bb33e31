"""How a study ends, and goes on where its end was cut short."""

from collections.abc import Callable

from click.testing import Result
from tuning_toys import success

from hpo_bench.tuning.trial import Failure, Job, Success

Tune = Callable[..., Result]
OPTIONS = ("-o", "sobol", "--examples-each", "60")


def test_where_every_trial_failed_it_is_said_why_and_what_to_do(tune: Tune) -> None:
    def run(job: Job) -> Success | Failure:
        return Failure("out-of-memory", "the device is full") if job.name.startswith("trial") else success(job)

    for _ in range(2):
        ended = tune(*OPTIONS, "--trials", "3", run=run)
        assert ended.exit_code == 1
        told = str(ended.exception)
        assert told.startswith("none of 3 trials completed, the last at ta ")
        assert "the device is full; lower `batch_size`" in told
        assert "Then a higher --trials goes on" in told
        assert "scoring" not in ended.output


def test_a_study_of_one_trial_is_told_of_as_one(tune: Tune) -> None:
    told = tune(*OPTIONS, "--trials", "1").output
    assert "Plan: 1 setting, each scored on" in told
    assert "\n1 trial in 0:0" in told
