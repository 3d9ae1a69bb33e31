"""How many settings a new study scores on how many examples, and that it goes on with just that."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import killing
import pytest
from click.testing import Result
from tuning_toys import EXAMPLES, InlinePool, config, success

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import PLANNED, StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.planning.forecast import timed
from hpo_bench.tuning.planning.spending import Prices, Spending
from hpo_bench.tuning.planning.study_plan import measure_prices, plan_study, sentences
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Job, Success, TrialCost

DEAR = Prices(merge_seconds=30.0, example_seconds=1.5, hourly=2.0)


def planned(total: int = 4000, *, prices: Prices = DEAR, **options: object) -> Spending:
    of_study = {name: options.pop(name) for name in ("methods", "examples") if name in options}
    wanted = config(**{"examples": PLANNED, "optimizer": "gp-bo", **of_study})
    return plan_study(wanted, RunOptions(**options), total=total, prices=prices)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("methods", "trials"), [(("ta",), 40), (("ties",), 60), (("ta", "ties"), 60)])
def test_without_a_budget_it_costs_no_more_than_the_study_on_a_fifth(methods: tuple[str, ...], trials: int) -> None:
    plan = planned(methods=methods)
    assert plan.evaluations <= trials * 800
    assert plan.examples > 800
    assert plan.settings < trials
    assert plan.settings % len(methods) == 0


def test_what_is_named_is_kept() -> None:
    assert planned(trials=40).examples == 800
    assert planned(trials=8).examples == 4000
    assert planned(trials=100).examples == 800, "a fifth at least"
    assert planned(examples=500).examples == 500
    both = planned(trials=3, examples=5000)
    assert (both.settings, both.examples) == (3, 4000)
    assert planned(methods=("ta", "ties"), trials=9).settings == 9


@pytest.mark.parametrize("total", [4, 12, 40])
@pytest.mark.parametrize("methods", [("ta",), ("ta", "dare", "ties")])
def test_few_examples_are_no_reason_to_refuse(total: int, methods: tuple[str, ...]) -> None:
    plan = planned(total, methods=methods)
    assert min(20, total) <= plan.examples <= total
    assert plan.settings >= 5


def test_hours_and_dollars_are_kept_to() -> None:
    hours = planned(gpu_hours=2.0)
    assert hours.settings >= 5
    shown = 2 * (30 + 1.5 * 15)
    assert hours.seconds == pytest.approx((hours.settings + 3) * (30 + 1.5 * hours.examples) + shown)
    assert hours.seconds <= 7200
    both = planned(gpu_hours=2.0, dollars=1.0, price=2.0)
    assert both.dollars <= 1.0
    with pytest.raises(UsageError, match="do not buy 5 settings, and 3 merges beside them, on 20 examples"):
        planned(gpu_hours=0.05)
    with pytest.raises(UsageError, match="--gpu-hours buys no setting"):
        planned(gpu_hours=0.01)


def test_what_was_spent_before_is_taken_off_and_what_is_compared_with_is_kept_room_for() -> None:
    wanted, options = config(examples=PLANNED), RunOptions(gpu_hours=2.0)
    spent = TrialCost(merge_seconds=600, eval_seconds=3000)
    less = plan_study(wanted, options, total=4000, prices=DEAR, spent=spent)
    assert less.evaluations < planned(gpu_hours=2.0).evaluations
    assert 3600 < less.seconds <= 7200
    more = replace(options, beside={"mine": MergeSetting("ta", 0.2, 0.3)})
    assert plan_study(wanted, more, total=4000, prices=DEAR).evaluations < planned(gpu_hours=2.0).evaluations
    race = planned(methods=("ta", "ties"), gpu_hours=4.0)
    assert (race.settings + 3) * (30 + 1.5 * race.examples) < race.seconds <= 4 * 3600


@pytest.mark.parametrize(("methods", "trials"), [(("ta", "ties"), 5), (("ta", "ties", "dare"), 8), (("ta", "ties"), 1)])
def test_trials_that_methods_cannot_share_evenly_are_all_paid_for(methods: tuple[str, ...], trials: int) -> None:
    plan = planned(methods=methods, trials=trials, gpu_hours=3.0)
    assert plan.settings == trials
    assert 0.99 * 3 * 3600 < plan.seconds <= 3 * 3600


def test_it_is_said_what_is_spent_and_what_that_cannot_tell() -> None:
    wanted = config(examples=PLANNED)
    told = " ".join(sentences(planned(), wanted, RunOptions(), total=4000, validation=800))
    assert "Plan: 9 settings, each scored on 3,555 of 4,000 examples (31,995 example evaluations, about " in told
    assert "with all that is counted beside them)" in told
    assert "3 merges to compare with, such as the base VLM" in told
    alone = " ".join(sentences(planned(prices=Prices()), wanted, RunOptions(), total=4000, validation=800))
    assert "(31,995 example evaluations)" in alone
    assert "counted" not in alone
    assert "expected to lose 0.3 points" in told
    assert "40 settings on a fifth of the examples would lose 0.5" in told
    assert "do not tell two good settings apart that differ by less than 0.7 points; --examples-each takes more" in told
    every = " ".join(sentences(planned(trials=8), wanted, RunOptions(), total=4000, validation=800))
    assert "scored on all 4,000 examples" in every
    assert "--examples-each" not in every
    one = planned(trials=1, examples=100)
    assert sentences(one, wanted, RunOptions(), total=4000, validation=0)[0].startswith("Plan: 1 setting, each")


def test_it_is_said_why_less_is_spent_than_may_be_and_that_there_are_no_more_examples() -> None:
    def told(**options: object) -> str:
        wanted = config(examples=options.get("examples", PLANNED))
        run = RunOptions(**{name: value for name, value in options.items() if name != "examples"})  # pyright: ignore[reportArgumentType]
        return sentences(planned(400, **options), wanted, run, total=400, validation=80)[0]

    assert "of 4:00:00: further settings are expected to gain less than 0.05 points." in told(gpu_hours=4.0)
    assert "of $8.00: further settings" in told(dollars=8.0, price=2.0)
    assert "--trials names no more settings" in told(gpu_hours=4.0, trials=6)
    assert "further settings" not in told(gpu_hours=1.0)
    assert "further settings" not in told()
    assert "There are no more examples, though --examples-each asks for 900." in told(examples=900)
    assert "There are no more" not in told(examples=400)


@pytest.fixture
def tune(tune: Callable[..., Result]) -> Callable[..., Result]:
    return partial(tune, "-o", "sobol")


def test_hours_are_planned_from_one_timed_trial(tune: Callable[..., Result], tmp_path: Path) -> None:
    costs: list[TrialCost] = []

    def run(job: Job) -> Success:
        made = success(job)
        costs.append(TrialCost(merge_seconds=10, eval_seconds=float(len(made.answers["validation"]))))
        return Success(made.answers, made.fingerprint, costs[-1])

    pool = InlinePool(run=run)
    told = tune("--gpu-hours", "0.2", "--start", "experience", pool=pool)
    assert told.exit_code == 0, told.output
    assert "Begins where 9 landscapes recorded of other pairs were best." in told.output
    once, again = (job for job in pool.jobs if job.name == "a timed trial")
    trials = [job for job in pool.jobs if job.name.startswith("trial ")]
    assert once.tuned_on == again.tuned_on == 32
    study = TrialStore(tmp_path / "tuning" / "s", "s", existing=True)
    known = study.begun
    assert known.trials == len(trials) == len(study.trials())
    assert {job.tuned_on for job in trials} == {known.examples} == {len(study.answers(0))}
    seconds = sum(cost.seconds for cost in costs)
    assert 360 < seconds <= 720
    assert f"Spent in all: {seconds / 3600:.2f} of 0.2 GPU-hours (trials " in told.output


class Payment:
    """Charges a cent for each example that any job answers, sixteen where a handful is asked."""

    def __init__(self) -> None:
        self.dollars = 0.0

    def run(self, job: Job) -> Success:
        made = success(job)
        answered = len(job.examples) * 3 or 16 if job.preflight else sum(map(len, made.answers.values()))
        self.dollars += 0.01 * answered
        return Success(made.answers, made.fingerprint, TrialCost(dollars=0.01 * answered))


@pytest.mark.parametrize(
    ("limit", "further"),
    [(6.0, ()), (6.0, ("--keep", "general")), (8.0, ("-m", "ta", "-m", "ties")), (22.0, ("--hold-out",))],
)
def test_dollars_pay_for_all_that_a_study_does(
    tune: Callable[..., Result], tmp_path: Path, limit: float, further: tuple[str, ...]
) -> None:
    paid, options = Payment(), ("--dollars", str(limit), "--price", "1e-9", *further)
    told = tune(*options, run=paid.run)
    assert told.exit_code == 0, told.output
    # What is held out is four times what is tuned on, but half of the toy's examples.
    assert (0.3 if "--hold-out" in further else 0.6) * limit < paid.dollars <= limit
    folder = tmp_path / "tuning" / "s"
    trials = TrialStore(folder, "s", existing=True).trials()
    expenses = Expenses.read(folder)
    everything = sum(trial.cost.dollars for trial in trials) + expenses.asked.dollars + expenses.scored.dollars
    assert everything == pytest.approx(paid.dollars)
    assert f"Spent in all: ${paid.dollars:.2f} of ${limit:g} (trials $" in told.output
    assert "held back for what is compared at the end" in told.output
    result = TuningResult.read(folder)
    assert result is not None
    assert result.expenses == expenses
    before = paid.dollars
    assert "is finished" in tune(*options, run=paid.run).output
    assert paid.dollars == before


@pytest.mark.parametrize("further", [(), ("--hold-out",)])
@pytest.mark.parametrize(("limit", "why"), [("0.1", "buys no setting"), ("2", "3 merges beside|5 merges on all")])
def test_a_budget_that_buys_no_setting_is_refused_before_the_first_trial(
    tune: Callable[..., Result], tmp_path: Path, limit: str, why: str, further: tuple[str, ...]
) -> None:
    paid, pool_jobs = Payment(), []
    told = tune("--dollars", limit, "--price", "1e-9", *further, run=lambda job: pool_jobs.append(job) or paid.run(job))
    assert isinstance(told.exception, UsageError), told.output
    assert re.search(why, str(told.exception))
    assert not any(job.name.startswith("trial ") for job in pool_jobs)
    assert TrialStore(tmp_path / "tuning" / "s", "s").config is None
    assert Expenses.read(tmp_path / "tuning" / "s").asked.dollars == pytest.approx(paid.dollars)


def test_a_study_of_before_keeps_a_plan_that_left_no_room(
    tune: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, paid = ("--dollars", "1.3", "--price", "1e-9"), Payment()
    with monkeypatch.context() as then:
        then.setattr("hpo_bench.tuning.run.replace", lambda record, **changes: replace(
            record, **{name: one for name, one in changes.items() if name != "all_counted"}
        ))  # fmt: skip
        assert tune("--trials", "6", "--examples-each", "20", "--patience", "9").exit_code == 0
    folder = tmp_path / "tuning" / "s"
    (folder / "result.json").unlink()
    assert TrialStore(folder, "s", existing=True).begun.all_counted is False
    assert paid.dollars == 0
    budget = RunOptions(dollars=1.3, price=1e-9).budget(TrialStore(folder, "s", existing=True).begun)
    assert budget.closing is None
    spent = budget.spent([], Expenses(asked=TrialCost(dollars=99.0)))
    assert budget.allow(spent)
    assert tune(*options, "--trials", "7").exit_code == 0
    assert len(TrialStore(folder, "s", existing=True).trials()) == 7


def test_a_limit_of_money_that_nothing_counts_towards_is_refused() -> None:
    study, options = config(evaluation={"kind": "mine:open_kind"}, examples=PLANNED), RunOptions(dollars=3.0)

    def prices(dollars: float) -> Prices:
        return measure_prices(
            study,
            options,
            lambda job: Success(success(job).answers, "", TrialCost(eval_seconds=2, dollars=dollars)),
            total=40,
        )

    with pytest.raises(UsageError, match="--dollars needs --price"):
        prices(0.0)
    assert prices(0.3).hourly == 0


def test_what_is_slow_once_and_paid_once_is_priced_as_what_it_is() -> None:
    costs = iter(
        [TrialCost(merge_seconds=60, eval_seconds=90, dollars=0.3), TrialCost(merge_seconds=1, eval_seconds=2)]
    )

    def run(job: Job) -> Success:
        return Success(success(job).answers, "", next(costs))

    assert timed(run, Job("a timed trial", MergeSetting("ta", 0.5, 0.5))) == TrialCost(
        merge_seconds=1, eval_seconds=2, dollars=0.3
    )


def test_the_plan_is_kept_to_whatever_is_asked_later(tune: Callable[..., Result], tmp_path: Path) -> None:
    assert tune("--trials", "6", "--examples-each", "30").exit_code == 0
    more = tune("--trials", "9")
    assert more.exit_code == 0, more.output
    assert "study s goes on after 6 trials" in more.output
    study = TrialStore(tmp_path / "tuning" / "s", "s", existing=True)
    assert [len(study.answers(trial.number)) for trial in study.trials()] == [30] * 9
    assert "Plan:" not in more.output
    assert isinstance(tune("--hold-out").exception, TuningError)
    assert "give --examples-each or --hold-out" in str(tune("--hold-out", "--examples-each", "30").exception)
    assert "--method (ta then, ties now), --start (none then, 0.5,0.5 now)" in str(
        tune("-m", "ties", "--start", "0.5,0.5").exception
    )
    assert "too few to cross-fit a score from" in str(tune("--examples-each", "3").exception)


def test_a_split_is_not_gone_on_with_by_who_does_not_ask_for_it(tune: Callable[..., Result]) -> None:
    assert tune("--hold-out", "--trials", "3").exit_code == 0
    told = str(tune("--trials", "5").exception)
    assert "examples (--hold-out then, no --hold-out now); ask for the same again, or name another study" in told
    assert tune("--hold-out", "--trials", "5").exit_code == 0


def test_a_study_of_before_goes_on_with_its_split(
    tune: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = StudyConfig.as_dict
    absent = ("examples", "trials", "learnt_from", "all_counted", "before_planning")
    with monkeypatch.context() as then:
        then.setattr(
            StudyConfig, "as_dict", lambda self: {key: one for key, one in written(self).items() if key not in absent}
        )
        assert tune("--hold-out", "--trials", "3").exit_code == 0
    study = TrialStore(tmp_path / "tuning" / "s", "s", existing=True)
    assert study.begun.examples is None, "what hpo-bench 0.1 wrote means the split"
    assert (study.begun.before_planning, study.begun.all_counted) == (True, False)
    pool = InlinePool()
    assert tune("--trials", "5", pool=pool).exit_code == 0
    assert {job.tuned_on for job in pool.jobs} == {None}
    assert tune("--hold-out", "--trials", "6").exit_code == 0


def test_killed_a_planned_study_goes_on_exactly(tune: Callable[..., Result], tmp_path: Path) -> None:
    def trace() -> list[tuple[object, ...]]:
        study = TrialStore(tmp_path / "tuning" / "s", "s", existing=True)
        return [(one.setting, one.score, one.told_as, study.answers(one.number).ids) for one in study.trials()]

    killing.run_killed(
        lambda: tune().exception,
        "hpo_bench.tuning.storage.store.TrialStore.finish",
        lambda function: killing.after(function, calls=4),
    )
    assert tune().exit_code == 0
    killed = trace()
    (tmp_path / "tuning").rename(tmp_path / "other")
    assert tune().exit_code == 0
    assert killed == trace()
    assert len(killed) >= 5
    assert len(killed[0][3]) <= EXAMPLES  # pyright: ignore[reportArgumentType]
