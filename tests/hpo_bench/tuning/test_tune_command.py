"""`hpo-bench tune` from the first trial to the result, on real models."""

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from tuning_toys import open_here

from hpo_bench.cli import cli
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.budget import Budget
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.storage import lock
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.study import Study
from optimizers.errors import UnknownOptimizerError


def tune(pair: Pair, studies: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["tune", str(pair.folder), "--studies", str(studies), "--study", "s", *options])


def test_a_pair_is_tuned_and_judged_once(small_pair: Pair, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    options = ("-o", "sobol", "--start", "nan", "--start", "0.5,0.5")
    first = tune(small_pair, studies, *options, "--trials", "4")
    assert first.exit_code == 0, first.output
    assert "trial 3, ta" in first.output
    store = TrialStore(studies / "s", "s")
    trials = store.trials()
    assert [trial.state for trial in trials] == ["complete"] * 4
    assert trials[0].setting.vl_weight + trials[0].setting.exp_weight == pytest.approx(1.0), "begun with NAN"
    assert (trials[1].setting.vl_weight, trials[1].setting.exp_weight) == (0.5, 0.5)
    assert len({trial.fingerprint for trial in trials}) == 4
    assert len(store.answers(0)) == 40, "all examples are tuned on"
    assert "Plan: 4 settings, each scored on all 40 examples (160 example evaluations)." in first.output
    result = json.loads((studies / "s" / "result.json").read_text())
    lines = {line["name"]: line for line in result["merges"]}
    assert {"recommended", "base VLM", "expert swapped in", "half and half"} <= set(lines)
    assert lines["half and half"]["validation"] == trials[1].score, "the same merge scores the same"
    assert result["reproduced"] is None
    assert lines["recommended"]["behind"] == 0.0

    again = tune(small_pair, studies, *options, "--trials", "4")
    assert "is finished" in again.output
    assert "base VLM" in again.output
    assert "cross-fitted" in again.output
    page = Study.open("s", studies).write_report().read_text(encoding="utf-8")
    assert "abilities, cross-fitted, with half" in page
    assert "on test examples" not in page
    fewer = tune(small_pair, studies, *options, "--trials", "4", "--examples-each", "20")
    assert "other examples (--examples-each 40 then, --examples-each 20 now)" in str(fewer.exception)
    other = tune(small_pair, studies, *options, "--hold-out", "--seed", "7", "--coefficients", "0,1")
    assert "examples (--examples-each 40 then, --hold-out now)" in str(other.exception)
    other = tune(small_pair, studies, *options, "--seed", "7", "--coefficients", "0,1")
    assert isinstance(other.exception, TuningError)
    assert "begun with other --seed (0 then, 7 now), --coefficients" in str(other.exception)
    assert store.trials() == trials


def test_columns_are_named_by_options_and_kept_with_the_study(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo_bench.tuning.run.open_workers", open_here)
    table = pq.read_table(small_pair.examples)
    other = {"question": "asked", "answer": "said", "images": "shown", "category": "subject"}
    renamed = table.rename_columns([other.get(name, name) for name in table.column_names])
    pq.write_table(renamed, small_pair.examples)
    studies, options = tmp_path / "studies", ("-o", "sobol", "--trials", "1")
    with pytest.raises(UsageError, match="has no column 'question'"):
        raise tune(small_pair, studies, *options).exception or AssertionError
    assert not studies.exists()
    named = ("--question", "asked", "--answer", "said", "--image", "shown", "--category", "subject", "--limit", "30")
    made = tune(small_pair, studies, *options, *named)
    assert made.exit_code == 0, made.output
    study = Study.open("s", studies)
    told = {"question": "asked", "answer": "said", "image": "shown", "category": "subject", "limit": 30}
    assert study.config.evaluation == {**small_pair.evaluation, **told}
    assert " ".join(named) in " ".join(Invocation.read(study.folder).command)
    assert study.export(tmp_path / "out").same == len(study.store.answers(0))
    again = tune(small_pair, studies, *options, *named[:-2], "--limit", "20")
    assert isinstance(again.exception, TuningError)
    assert "begun with other" in str(again.exception)
    assert "evaluation.limit (30 then, 20 now)" in str(again.exception)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (("-m", "tis"), UsageError, "did you mean 'ties'"),
        (("-o", "gpbo"), UnknownOptimizerError, "did you mean 'gp-bo'"),
        (("-o", "powell", "--workers", "2"), UsageError, "cannot use 2 workers"),
        (("--start", "middle"), UsageError, "'middle' is none of them"),
        (("--start", "nan,0.5"), UsageError, "'nan,0.5' is none of them"),
        (("-m", "ta", "--start", "0.5,0.5,0.5"), UsageError, "Task Arithmetic takes no density"),
        (("--start", "9,9"), UsageError, "9 lies outside 0 to 1.4, which is searched"),
        (("-m", "dare", "--start", "0.5,0.5,0.01"), UsageError, "0.01 lies outside 0.1 to 1, which is searched"),
        (("--timeout", "-1"), UsageError, "cannot end within -1 s"),
        (("--dollars", "3"), UsageError, "needs --price"),
        (("--trials", "3", "--gpu-hours", "-1"), UsageError, "buys nothing"),
        (("--device", "cuda:77"), UsageError, "there is no cuda:77"),
        (("--from", "nowhere", "-o", "sobol"), UsageError, "no study 'nowhere'"),
    ],
)
def test_requests_without_sense_end_before_anything_is_loaded(
    small_pair: Pair, tmp_path: Path, options: tuple[str, ...], error: type, message: str
) -> None:
    result = tune(small_pair, tmp_path, *options)
    assert isinstance(result.exception, error), result.output
    assert message in str(result.exception)
    assert not list(tmp_path.glob("s/logs/worker-*")), "no worker was started"


def test_dollars_need_a_price_where_nothing_else_costs_any(small_pair: Pair, tmp_path: Path) -> None:
    with (small_pair.folder / "pair.yaml").open("a") as described:
        described.write("\nevaluation: {metric: contains, max_new_tokens: 4}\n")
    result = tune(small_pair, tmp_path, "--dollars", "3")
    assert "--dollars needs --price" in str(result.exception), result.output
    assert not list(tmp_path.glob("s/logs/worker-*")), "no worker was started"


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ({"hours": math.inf}, "is no limit"),
        ({"hours": math.nan}, "buys nothing"),
        ({"dollars": math.inf}, "is no limit"),
        ({"dollars": math.nan}, "buys nothing"),
    ],
)
def test_a_limit_that_is_none_is_refused(limit: dict[str, float], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Budget(trials=1, **limit)


@pytest.mark.parametrize("price", ["nan", "inf", "-inf", "-1", "1e400"])
@pytest.mark.parametrize("command", ["tune", "plan"])
def test_a_price_that_is_none_is_refused(small_pair: Pair, tmp_path: Path, command: str, price: str) -> None:
    result = CliRunner().invoke(cli, [command, str(small_pair.folder), "--price", price])
    assert result.exit_code == 2
    assert "Invalid value for '--price'" in result.output
    with pytest.raises(UsageError, match="price of an hour must be finite"):
        Budget(trials=1, dollars=1.0, price=float(price))


def test_a_storage_that_another_folder_tunes_on_is_refused(small_pair: Pair, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    with lock.in_storage(url, "s"):
        result = tune(small_pair, tmp_path / "mine", "--storage", url, "--trials", "2")
    assert isinstance(result.exception, TuningError)
    assert "is being tuned by another process" in str(result.exception)


def test_a_pair_or_the_demo_must_be_named() -> None:
    assert isinstance(CliRunner().invoke(cli, ["tune"]).exception, UsageError)
