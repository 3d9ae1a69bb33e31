"""`hpo-bench plan`: a forecast from one timed trial."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.examples import of_split, write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.planning.forecast import Forecast, forecast
from hpo_bench.tuning.planning.outlook import Outlook, plan
from hpo_bench.tuning.planning.spending import model_of
from hpo_bench.tuning.trial import Failure, TrialCost
from hpo_bench.tuning.workers.session import PairSession

KNOWN = Forecast(
    load_seconds=60.0, cost=TrialCost(merge_seconds=2.0, eval_seconds=34.0, dollars=0.1), validation=20, test=80,
    memory=2**30, model_bytes=2**31,
)  # fmt: skip


def test_hours_and_dollars_follow_from_one_trial() -> None:
    # 100 trials, and three merges that need no tuning: 2 s each, and 1.7 s and half a cent for each of 50 examples.
    assert KNOWN.hours(100, 50, workers=2) == pytest.approx((2 * 60 + 103 * (2 + 85)) / 3600)
    judged = 103 * 50 * 0.005
    assert KNOWN.money(100, 50, price=2.5, workers=2) == pytest.approx(2.5 * KNOWN.hours(100, 50, workers=2) + judged)


def test_an_outlook_as_a_data_frame_has_what_its_table_shows() -> None:
    outlook = Outlook(references=(), forecast=KNOWN, recommendation="", spendings={}, price=2.5, workers=2)
    row = outlook.to_frame().set_index("trials").loc[40]
    assert row["device_hours"] == KNOWN.hours(40, 100, workers=2) == 2 * row["wall_hours"]
    assert row["dollars"] == KNOWN.money(40, 100, price=2.5, workers=2)
    assert row["loss_3d"] == model_of(3).loss(40, 100) > row["loss_2d"]
    shown = next(one for one in outlook.table().rows if one.head == "40")
    assert shown.cells[-1] == f"{row['loss_3d']:.1f}"


def test_a_pair_is_forecast_on_real_models(small_pair: Pair) -> None:
    result = CliRunner().invoke(cli, ["plan", str(small_pair.folder), "--price", "2", "--workers", "2"])
    assert result.exit_code == 0, result.output
    for words in (
        "Without tuning, on 8 validation examples",
        "expert swapped in: score",
        "on cpu: loading",
        "memory",
        "disk",
        "Each trial on all 40 examples",
        "device-hours",
        "dollars",
    ):
        assert words in result.output
    assert [line.split()[0] for line in result.output.splitlines() if line.strip()[:1].isdigit()] == [
        "8", "16", "25", "40", "60", "100",
    ]  # fmt: skip
    assert "loss, TA" in result.output
    assert "do not tell two good settings apart" in result.output
    assert "TA: Plan: 8 settings, each scored on all 40 examples" in result.output


def test_one_budget_and_one_that_costs_something(small_pair: Pair) -> None:
    both = CliRunner().invoke(cli, ["plan", str(small_pair.folder), "--gpu-hours", "1", "--dollars", "2"])
    assert isinstance(both.exception, UsageError)
    free = CliRunner().invoke(cli, ["plan", str(small_pair.folder), "--dollars", "2"])
    assert "--dollars needs --price" in str(free.exception)


def test_examples_that_cannot_be_used_are_refused_before_anything_is_loaded(
    small_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo_bench.tuning.planning.outlook.forecast", lambda *_: pytest.fail("a model was loaded"))
    write_examples(of_split(read_examples(small_pair.examples), "test"), small_pair.examples)
    with pytest.raises(UsageError, match="makes 0 validation and"):
        plan(small_pair)
    small_pair.examples.write_bytes(b"no parquet")
    with pytest.raises(UsageError, match=r"examples\.parquet: is not parquet"):
        plan(small_pair)


def test_a_trial_that_fails_is_no_forecast(small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(PairSession):
        def run(self, job):
            return Failure("raised", "no luck", "the traceback")

    with pytest.raises(TuningError, match=r"fails \(raised\): no luck"):
        forecast(small_pair, lambda device: Broken(None, None, None), "cpu")  # pyright: ignore[reportArgumentType]
