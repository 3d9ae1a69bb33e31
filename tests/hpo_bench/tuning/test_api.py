"""`hpo_bench.tune` and `load_study`: the command's options and manners, from Python."""

import inspect
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tuning_toys import InlinePool, success

from hpo_bench.cli.tune import command
from hpo_bench.errors import UsageError
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Job, Success
from hpo_bench.tuning.tune import tune
from hpo_bench.tuning.workers import processes


def test_options_are_those_of_the_command() -> None:
    ours = {name: parameter.default for name, parameter in inspect.signature(tune).parameters.items()}
    typed = command.make_context("tune", ["a-pair"]).params
    assert set(typed) - set(ours) == {"demo", "dry_run", "origins", "published"}
    assert set(ours) - set(typed) == {"beside", "progress"}
    assert {name: typed[name] for name in typed if name in ours and name not in ("pair", "methods")} == {
        name: default for name, default in ours.items() if name in typed and name not in ("pair", "methods")
    }


def test_a_pair_is_tuned_quietly_and_looked_at(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: InlinePool())
    options = {"optimizer": "sobol", "starts": [(0.5, 0.25)], "studies": tmp_path, "study": "s"}
    study = tune(small_pair, trials=3, **options)
    assert capsys.readouterr().out == ""
    assert repr(study).startswith("<Study 's' of ja-llama: 3 trials, highest score 0.")
    assert [trial.state for trial in study.trials] == ["complete"] * 3
    assert study.result is not None
    assert study.result.trials == 3
    frame = study.to_frame()
    assert frame.loc[0, ["vl_weight", "exp_weight"]].tolist() == [0.5, 0.25]
    assert frame["score"].tolist() == [trial.score for trial in study.trials]
    assert frame["density"].isna().all()
    told = Invocation.read(study.folder)
    assert told.command[:2] == ("hpo-bench", "tune")
    assert told.command[3:] == (
        "--optimizer", "sobol", "--trials", "3", "--start", "0.5,0.25", "--study", "s", "--studies", str(tmp_path),
    )  # fmt: skip
    assert len(tune(small_pair, trials=4, progress=True, **options).trials) == 4, "the same call goes on"
    assert "Recommended" in capsys.readouterr().out


def test_ctrl_c_ends_it_after_the_running_trial(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(job: Job) -> Success:
        if job.name == "trial 1":
            os.kill(os.getpid(), signal.SIGINT)
        return success(job)

    monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: InlinePool(run=run))
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="study s goes on where it stopped"):
        tune(small_pair, optimizer="sobol", trials=4, studies=tmp_path, study="s")
    assert signal.getsignal(signal.SIGINT) is handler
    study = Study.open("s", tmp_path)
    assert [trial.state for trial in study.trials] == ["complete"] * 2
    assert study.result is None


def test_a_further_merge_is_scored_of_a_finished_study_too(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = InlinePool()
    monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: pool)
    asked = partial(tune, small_pair, optimizer="sobol", trials=3, examples_each=40, studies=tmp_path, study="s")
    first, mine = asked().result, MergeSetting("ta", 0.3, 0.4)
    before, pool = len(pool.jobs), InlinePool()
    second = asked(beside={"mine": mine}).result
    assert first is not None
    assert second is not None
    assert {one.name for one in second.merges} - {one.name for one in first.merges} == {"mine"}
    assert before == 3 + 1 + 3, "trials, the questions before, and what trials are compared with"
    assert [job.setting for job in pool.jobs] == [mine]
    pool = InlinePool()
    assert asked(beside={"mine": mine}).result == second
    assert asked().result == second
    assert pool.jobs == []


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"recommended": MergeSetting("ta", 0.3, 0.4)}, "cannot be called 'recommended'"),
        ({"base VLM": MergeSetting("ta", 0.3, 0.4)}, "cannot be called 'base VLM'"),
        ({"mine": (0.3, 0.4)}, r"is a MergeSetting, .* not \(0.3, 0.4\)"),
    ],
)
def test_a_further_merge_takes_no_other_s_name(small_pair: Pair, tmp_path: Path, beside: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tune(small_pair, studies=tmp_path, beside=beside)
