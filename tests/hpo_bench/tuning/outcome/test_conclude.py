"""How a study ends, and goes on where its end was cut short."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from tuning_toys import CATEGORIES, IDS, success

from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import BASE
from hpo_bench.statistics.examples import Z95, error_of_mean
from hpo_bench.tuning.outcome import conclude
from hpo_bench.tuning.outcome.honest import answers_path
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Failure, Job, Success

Tune = Callable[..., Result]
OPTIONS = ("-o", "sobol", "--examples-each", "60")


def cut_short(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_study_that_was_killed_with_its_result_has_its_tables(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = TuningResult.write
    with monkeypatch.context() as patch:
        patch.setattr(TuningResult, "write", lambda result, folder: cut_short(write(result, folder)))
        assert tune(*OPTIONS, "--trials", "3").exit_code != 0
    again = tune(*OPTIONS, "--trials", "3")
    assert "is finished" in again.output
    table = (tmp_path / "tuning/s/trials-ta.csv").read_text()
    assert len(table.splitlines()) == 4


def test_what_a_page_shows_goes_with_the_result_until_there_is_another(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tune(*OPTIONS, "--trials", "3").exit_code == 0
    path = answers_path(tmp_path / "tuning/s")
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(conclude, "chance_of_luck", cut_short)
        assert tune(*OPTIONS, "--trials", "8").exit_code != 0
    assert path.read_bytes() == before
    assert tune(*OPTIONS, "--trials", "8").exit_code == 0
    assert path.read_bytes() != before, "further trials choose otherwise"


def test_the_base_vlm_counts_once_where_a_trial_is_the_same_merge(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    measure = conclude.chance_of_luck

    def counting(scored: list[Answers]) -> float:
        seen.append(len(scored))
        return measure(scored)

    monkeypatch.setattr(conclude, "chance_of_luck", counting)
    assert tune(*OPTIONS, "--trials", "3", "--start", "1,0").exit_code == 0
    (count,) = seen
    assert count == 3, f"{BASE} is one of three trials"


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


def test_a_score_has_one_interval_wherever_it_stands(tune: Tune, tmp_path: Path) -> None:
    told = tune(*OPTIONS, "--trials", "1").output
    study = Study.open("s", tmp_path / "tuning")
    half = Z95 * error_of_mean(study.store.answers(0).scores)
    assert f"{study.trials[0].score:.3f} ± {half:.3f}, best" in told

    def perfect(job: Job) -> Success:
        return replace(success(job), answers=dict.fromkeys(job.splits, Answers(IDS, CATEGORIES, np.ones(len(IDS)))))

    shutil.rmtree(tmp_path / "tuning")
    assert "1.000 ± 0.046, best 1.000" in tune(*OPTIONS, "--trials", "1", run=perfect).output


def test_of_a_single_example_no_error_is_told(tune: Tune, tmp_path: Path) -> None:
    # As an evaluator may have it whose examples nobody knew before; the whole split is answered by others.
    rare = tuple("skill" if name == "example-3" else "general" for name in IDS)

    def run(job: Job) -> Success:
        made = success(job)
        return replace(made, answers={split: replace(own, categories=rare) for split, own in made.answers.items()})

    told = tune("-o", "sobol", "--trials", "2", "--hold-out", "--keep", "general", "--at-most-below", "100", run=run)
    assert told.exit_code == 0
    page = Study.open("s", tmp_path / "tuning").write_report().read_text(encoding="utf-8")
    assert "nan" not in told.output
    assert "± nan" not in page
    assert "the posterior expects 1.000 there" in told.output
