"""Studies as the command line begins, continues and refuses them, on workers without models."""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from click.testing import CliRunner, Result
from tuning_toys import CATEGORIES, EXAMPLES, IDS, InlinePool, config, success

from hpo_bench.cli import cli
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import of_split, write_examples
from hpo_bench.evaluation.preflight import HANDFUL
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import MergeScope
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.storage.url import typed
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost
from hpo_bench.tuning.tune import tune as tuned
from hpo_bench.tuning.workers import processes

Tune = Callable[..., Result]


@pytest.fixture
def tune(tune: Tune) -> Tune:
    return partial(tune, "-o", "sobol", "--trials", "3")


def test_what_is_refused_leaves_nothing(tune: Tune, small_pair: Pair, tmp_path: Path) -> None:
    few = shutil.copytree(small_pair.folder, tmp_path / "few")
    examples = read_examples(small_pair.examples)
    one, *_ = of_split(examples, "validation")
    write_examples([one, *of_split(examples, "test")], few / small_pair.examples.name)
    category = one.category
    for words, options, message in (
        ({}, ("--storage", "sqlite://"), "in memory"),
        ({}, ("--storage", "study.db"), "write sqlite:///study.db"),
        ({}, ("--storage", "postgresql://me:a@hunter2@host/db"), "write %40"),
        ({}, ("--from", "nowhere"), "no study 'nowhere'"),
        ({}, ("--from", "../few"), "no study '../few'"),
        ({}, ("--keep", "none"), "least 2 examples of this category and of others; there are"),
        ({"pair": str(few)}, (), f"makes 1 validation and {len(of_split(examples, 'test'))} test examples"),
        ({"pair": ""}, (), "name is not ''"),
        ({"pair": " "}, ("--demo",), "name a pair, or say --demo"),
    ):
        result = tune(*options, **words)
        assert isinstance(result.exception, UsageError | TuningError), (options, result.output)
        assert message in str(result.exception)
        assert "hunter2" not in str(result.exception)
    assert not list(tmp_path.rglob("study.sqlite3"))
    assert not (tmp_path / "tuning").exists()
    alone = [one, *(other for other in examples if other.category != category or other.split == "test")]
    write_examples(alone, few / small_pair.examples.name)
    result = tune("--keep", category, pair=str(few))
    assert f"{category} (1)" in str(result.exception), result.output
    assert not (tmp_path / "tuning").exists()


def test_a_folder_that_an_earlier_call_left_lets_no_start_in_that_is_refused(tune: Tune, tmp_path: Path) -> None:
    assert isinstance(tune(run=lambda _: Failure("raised", "broken")).exception, TuningError)
    assert (tmp_path / "tuning" / "s").is_dir()
    refused = tune("--start", "2,2")
    assert "2 lies outside 0 to 1.4" in str(refused.exception), refused.output
    assert not (tmp_path / "tuning" / "s" / "trials").exists()
    assert tune("--start", "1,1").exit_code == 0


def test_a_renamed_study_reports_the_command_that_finds_it(tune: Tune, tmp_path: Path) -> None:
    assert tune().exit_code == 0
    (tmp_path / "tuning" / "s").rename(tmp_path / "tuning" / "other")
    assert CliRunner().invoke(cli, ["report", "other"]).exit_code == 0
    assert "<code>hpo-bench export other</code>" in (tmp_path / "tuning" / "other" / "report.html").read_text("utf-8")


def test_a_relative_file_is_the_same_from_another_folder(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--storage", "sqlite:///x.db", "--studies", str(tmp_path / "tuning"))
    assert tune(*options).exit_code == 0
    answers = {path: path.read_bytes() for path in tmp_path.rglob("trials/*.parquet")}
    assert len(answers) == 3
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = tune(*options)
    assert "holds the answers of 3 trials" in str(result.exception)
    assert not (tmp_path / "elsewhere" / "x.db").exists()
    assert {path: path.read_bytes() for path in answers} == answers
    study = Study.open("s", tmp_path / "tuning")
    assert len(study.store.trials()) == 3
    assert Invocation.read(study.folder).url == f"sqlite:///{tmp_path / 'x.db'}"


def test_a_password_is_in_no_file_and_on_no_screen(tune: Tune, tmp_path: Path) -> None:
    made = tune("--storage", f"sqlite:///{tmp_path / 'x.db'}?password=hunter2")
    assert made.exit_code == 0, made.output
    told = CliRunner().invoke(cli, ["report", "s"])
    assert told.exit_code == 0, told.output
    for path in (tmp_path / "tuning").rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in made.output + told.output
    page = (tmp_path / "tuning" / "s" / "report.html").read_text(encoding="utf-8")
    assert "password=***" in page, "the command is shown, without the password"


def test_a_url_whose_password_was_not_kept_is_asked_for(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tune("--storage", f"sqlite:///{tmp_path / 'x.db'}").exit_code == 0
    folder = tmp_path / "tuning" / "s"
    Invocation("p", ".", ("hpo-bench",), "postgresql://me:hunter2@host/db").write(folder)
    with pytest.raises(UsageError, match=r"postgresql://me:\*\*\*@host/db, whose password .* HPO_BENCH_STORAGE"):
        Study.open("s", tmp_path / "tuning")
    monkeypatch.setenv("HPO_BENCH_STORAGE", f"sqlite:///{tmp_path / 'x.db'}")
    assert len(Study.open("s", tmp_path / "tuning").store.trials()) == 3


def test_where_nothing_differs_no_change_is_recommended(tune: Tune, tmp_path: Path) -> None:
    scores = np.random.default_rng(0).integers(0, 2, len(IDS)).astype(float)
    said = tuple(f"answer {i} [/b]\0\ud800" for i in range(len(IDS)))

    def same(job: Job) -> Success:
        return Success(dict.fromkeys(job.splits, Answers(IDS, CATEGORIES, scores, said)), "f", TrialCost())

    result = tune("--trials", "5", run=same)
    assert result.exit_code == 0, result.output
    assert "Nothing was distinguished" in result.output
    assert "No change is recommended" in result.output
    assert "'answer 0 [/b]" in result.output, "answers are shown"
    assert "Recommended:" not in result.output
    assert "of the box" not in result.output
    result = TuningResult.read(tmp_path / "tuning" / "s")
    assert result is not None
    assert (result.luck, result.distinguished, len(result.examples)) == (1.0, False, 5)
    assert CliRunner().invoke(cli, ["report", "s"]).exit_code == 0
    page = (tmp_path / "tuning" / "s" / "report.html").read_text(encoding="utf-8")
    assert "No change is recommended" in page
    assert "answer 0 [/b]" in page
    assert "\0" not in page
    assert "Recommended:" in tune("--study", "other").output, "merges that differ are told apart"


def test_test_examples_without_a_score_end_the_study_without_a_result(tune: Tune, tmp_path: Path) -> None:
    none = Answers(IDS, CATEGORIES, np.full(len(IDS), np.nan))

    def run(job: Job) -> Success:
        found = success(job)
        return Success({**found.answers, **({"test": none} if "test" in job.splits else {})}, "f", TrialCost())

    result = tune("--hold-out", run=run)
    assert isinstance(result.exception, TuningError)
    assert "no mean score" in str(result.exception)
    assert not (tmp_path / "tuning" / "s" / "result.json").exists()
    assert "Recommended" in tune("--hold-out").output, "nothing that is no score was kept"


def test_what_studies_of_0_1_have_on_disk_is_read(tune: Tune, tmp_path: Path) -> None:
    assert tune().exit_code == 0
    folder = tmp_path / "tuning" / "s"
    expected = TuningResult.read(folder)
    assert expected is not None
    of_now = {"merges": "lines", "near_optimal": "zones", "examples": "samples"}
    values = {of_now.get(key, key): value for key, value in json.loads((folder / "result.json").read_text()).items()}
    (folder / "result.json").unlink()
    (folder / "verdict.json").write_text(json.dumps(values))
    (folder / "preflight.json").rename(folder / "rehearsal.json")
    assert TuningResult.read(folder) == expected
    assert "is finished" in tune().output
    jobs: list[Job] = []
    more = tune("--trials", "4", run=lambda job: jobs.append(job) or success(job))
    assert more.exit_code == 0, more.output
    assert jobs
    assert not any(job.preflight for job in jobs), "the base VLM was asked before"
    assert not (folder / "verdict.json").exists(), "there is one result"
    del values["luck"], values["samples"], values["expenses"]
    (folder / "result.json").unlink()
    (folder / "verdict.json").write_text(json.dumps(values))
    found = TuningResult.read(folder)
    assert found is not None
    assert found.distinguished


def test_one_trial_from_optuna_locks_nothing(tune: Tune, tmp_path: Path) -> None:
    assert tune().exit_code == 0
    url = TrialStore(tmp_path / "tuning" / "s", "s").url
    optuna.load_study(study_name="s", storage=url).enqueue_trial({"vl_weight": 0.5})
    more = tune("--trials", "5")
    assert more.exit_code == 0, more.output
    assert "passed over" in more.output
    assert "trial 3 of study s" in more.output
    told = CliRunner().invoke(cli, ["report", "s"])
    assert told.exit_code == 0, told.output
    assert "passed over" in told.output


def test_a_moved_study_is_told_its_new_pair(tune: Tune, small_pair: Pair, tmp_path: Path) -> None:
    assert tune().exit_code == 0
    moved = small_pair.folder.rename(tmp_path / "moved")
    folder = (tmp_path / "tuning" / "s").rename(tmp_path / "copied")
    gone = Invocation.read(Study.open("copied", tmp_path).folder)
    with pytest.raises(UsageError, match=r"no more at .*small; say where it is with --pair"):
        gone.find()
    told = Study.open(str(folder), Path("nowhere"), pair=str(moved)).pair
    assert told is not None
    assert told.folder == moved
    assert "--pair" in CliRunner().invoke(cli, ["export", "--help"]).output
    # The command that tunes it tells it for good.
    assert "is finished" in tune("--studies", str(tmp_path), "--study", "copied", pair=str(moved)).output
    assert Invocation.read(Study.open("copied", tmp_path).folder).find().folder == moved


def test_a_name_that_no_file_keeps_is_refused_before_a_study_is_begun(small_pair: Pair, tmp_path: Path) -> None:
    odd = small_pair.folder.rename(tmp_path / "caf\udce9")
    with pytest.raises(UsageError, match="bytes in its name that are no UTF-8"):
        tuned(str(odd), studies=tmp_path / "tuning", study="s")
    assert not (tmp_path / "tuning").exists()
    told = Invocation("p", ".", typed(["tune", "p", "--question", "caf\udce9"]))
    told.write(tmp_path)
    assert Invocation.read(tmp_path) == told, "what is but shown is kept as it can be"


def _begin(url: str, folder: Path, name: str, gate) -> None:
    gate.wait()
    TrialStore(folder / name, name, url=url).begin(config())


def test_studies_begun_at_once_in_a_new_file_are_all_there(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    url, names, gate = f"sqlite:///{tmp_path / 'new.db'}", ("a", "b", "c", "d"), context.Barrier(4)
    processes = [context.Process(target=_begin, args=(url, tmp_path, name, gate)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(optuna.get_all_study_names(url)) == list(names)


def test_a_study_does_not_go_on_where_other_weights_are_merged(tune: Tune, small_pair: Pair, tmp_path: Path) -> None:
    described = small_pair.folder / "pair.yaml"
    before = described.read_text()
    assert tune().exit_code == 0
    described.write_text(f"{before}\nmerge: {{embeddings: false, dtype: bfloat16}}\n")
    other = tune("--trials", "5")
    assert isinstance(other.exception, TuningError), other.output
    for told in ("merge.embeddings (true then, false now)", "merge.dtype (float32 then, bfloat16 now)"):
        assert told in str(other.exception)
    with pytest.raises(TuningError, match=r"is not as it was tuned on: other merge\.embeddings"):
        Study.open("s", tmp_path / "tuning").export(tmp_path / "out")
    described.write_text(f"{before}\nlanguage_prefixes: {{model.language_model.: model.}}\n")
    assert "language_prefixes (none then, model.language_model. model. now)" in str(tune("--trials", "5").exception)
    described.write_text(before)
    assert tune("--trials", "5").exit_code == 0


def test_what_a_study_of_before_did_not_keep_is_not_held_against_it(small_pair: Pair) -> None:
    stored = StudyConfig.of(small_pair, optimizer="random", examples_each=40).as_dict()
    del stored["merge"], stored["language_prefixes"]
    now = StudyConfig.of(replace(small_pair, merge=MergeScope(head=False)), optimizer="random", examples_each=40)
    now.check_same(StudyConfig.from_dict(stored), "s")


@pytest.mark.parametrize("held_out", [False, True])
def test_the_first_trial_has_the_time_that_questions_before_it_tell(tune: Tune, held_out: bool) -> None:
    def slow(job: Job) -> Success:
        return Success(success(job).answers, "", TrialCost(eval_seconds=240.0 if job.preflight else 100.0))

    pool = InlinePool(run=slow)
    how = ("--hold-out",) if held_out else ("--examples-each", "40")
    told = tune("--trials", "2", *how, pool=pool)
    assert told.exit_code == 0
    scoring = "scoring on test examples" if held_out else "scoring what there is without tuning"
    assert f"{scoring} ... (Ctrl-C ends after what is running, a second one at once)" in " ".join(told.output.split())
    examples = EXAMPLES if held_out else 40
    assert pool.limits[1:3] == [240.0 * examples / HANDFUL, 1000.0]


def test_the_timed_trial_has_the_time_that_questions_before_it_tell(tune: Tune) -> None:
    def slow(job: Job) -> Success:
        return Success(success(job).answers, "", TrialCost(eval_seconds=240.0 if job.preflight else 100.0))

    pool = InlinePool(run=slow)
    assert tune("--trials", "2", "--examples-each", "40", "--gpu-hours", "2", pool=pool).exit_code == 0
    assert (pool.jobs[1].name, pool.limits[1]) == ("a timed trial", 240.0 * EXAMPLES / HANDFUL)


def test_too_few_of_an_ability_to_cross_fit_are_refused_before_any_trial(tune: Tune, small_pair: Pair) -> None:
    drawn = sorted(read_examples(small_pair.examples), key=lambda one: (one.drawn, one.id))
    # As many as each side of the split needs, and of ten examples a trial one fold holds both.
    rare = {drawn[place].id for place in (0, 5, -2, -1)}
    write_examples([replace(one, category="rare" if one.id in rare else "skill") for one in drawn], small_pair.examples)
    jobs = []

    def run(job: Job) -> Success:
        jobs.append(job)
        found = success(job)
        rare = Answers(IDS, ("rare", *("skill",) * (EXAMPLES - 1)), np.ones(EXAMPLES))
        return replace(found, answers=dict.fromkeys(job.splits, rare))

    result = tune("--keep", "rare", "--examples-each", "10", run=run)
    assert "10 examples that trials answer, of which 2 are of this category" in str(result.exception)
    assert "others; give a higher --examples-each" in str(result.exception), "of a study that is not begun"
    assert [job.preflight for job in jobs] == [True], "the base VLM's questions, and no merge"
    result = tune("--keep", "rare", "--examples-each", "40", run=run)
    assert "60 examples that trials answer, of which 1 are" in str(result.exception), "as the evaluator has them"
    assert [job.setting for job in jobs] == [BASE] * 2, "what trials are compared with, and no trial"
    assert "name another study with --study, and give a higher --examples-each" in str(result.exception), "it is begun"


def test_a_report_is_of_what_its_result_rests_on_and_says_that_there_is_more(tune: Tune) -> None:
    def run(job: Job) -> Success:
        if job.name == "trial 5":
            raise KeyboardInterrupt
        return success(job)

    def report() -> tuple[str, str]:
        said = CliRunner().invoke(cli, ["report", "s"]).output
        return said, (Path("tuning") / "s" / "report.html").read_text(encoding="utf-8")

    def trials(page: str) -> str:
        return page.split("<dt>trials</dt><dd>")[1].split("<")[0]

    assert tune(run=run).exit_code == 0
    said, page = report()
    assert trials(page) == "3"
    assert "gone on" not in said + page
    assert tune("--trials", "6", run=run).exit_code == 1
    said, page = report()
    assert trials(page) == "3", "two more are complete, and one was running"
    more = "This is the result of 3 trials: the study has gone on since, and 2 further trials will count when"
    assert more in said
    assert more in page
    assert tune("--trials", "5").exit_code == 0
    said, page = report()
    assert trials(page) == "5"
    assert "gone on" not in said + page, "one that a kill left counts for nobody who asks for no more"
    assert tune("--trials", "6").exit_code == 0
    said, page = report()
    assert trials(page) == "6"
    assert "gone on" not in said + page


@pytest.mark.parametrize("workers", [1, 8])
def test_no_more_trials_begin_at_once_than_the_limit_buys(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    def run(job: Job) -> Success:
        """A second an example."""
        found, answered = success(job), HANDFUL if job.preflight else job.tuned_on or EXAMPLES * len(job.splits)
        return Success(found.answers, "", TrialCost(eval_seconds=float(answered)))

    monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: InlinePool(workers, run=run))
    options: dict[str, Any] = {"hold_out": True, "optimizer": "sobol", "studies": tmp_path, "study": "s"}
    before = HANDFUL + 2 * 32  # questions, and two timed trials
    closing = 27 * EXAMPLES  # five merges on all of five times as many examples, and two whose answers are shown
    hours = (before + closing + 3.5 * EXAMPLES) / 3600
    study = tuned(small_pair, workers=workers, gpu_hours=hours, **options)
    assert len(study.trials) == 3


def test_a_study_that_goes_on_has_room_for_what_it_then_chooses(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, each = dict[MergeSetting, int](), {"validation": 60.0, "test": 240.0}

    def run(job: Job) -> Success:
        """The later a setting was tried, the better it is, so that others are chosen each time."""
        if job.name.startswith("trial"):
            places[job.setting] = len(places)
        place = places.get(job.setting, 0)
        right = np.random.default_rng(place).random(EXAMPLES) < 0.3 + 0.008 * place
        found = Answers(IDS, CATEGORIES, right.astype(float))
        cost = TrialCost(eval_seconds=8.0 if job.preflight else sum(each[split] for split in job.splits))
        return Success(dict.fromkeys(job.splits, found), "", cost)

    monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: InlinePool(run=run))
    for hours in (0.8, 1.0, 1.2):
        study = tuned(small_pair, hold_out=True, optimizer="sobol", gpu_hours=hours, studies=tmp_path, study="s")
        expenses = Expenses.read(study.folder)
        spent = sum((one.cost for one in study.trials), start=expenses.asked + expenses.scored)
        assert hours - 0.25 < spent.seconds / 3600 <= hours
