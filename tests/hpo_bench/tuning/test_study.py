"""Looking at finished studies, and exporting what they found."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from tuning_toys import InlinePool, answers, config, success, tuner

from hpo_bench.cli import cli
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import error_of_difference
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome.conclude import conclude
from hpo_bench.tuning.outcome.export import Exported
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.tables import changes, sides
from hpo_bench.tuning.outcome.to_landscape import write_tables
from hpo_bench.tuning.race import Race
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Job, Success, Trial, TrialCost
from landscapes import catalogue
from landscapes.errors import UnwritableError
from optimizers.registry import get

Tune = Callable[..., Result]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A SYNTHETIC study of twelve trials, tuned and judged."""
    folder = tmp_path_factory.mktemp("tuning") / "toy"
    store = TrialStore(folder, "toy")
    known = store.begin(config(methods=("ta", "ties")))
    pool = InlinePool()
    race = Race.of(known, get("random"), budget=12)
    tuner(store, race, trials=12, pool=pool).run()
    conclude(store, pool, Interrupt(), beside={"mine": MergeSetting("ta", 0.4, 0.8)})
    Invocation("synthetic", ".", ("hpo-bench", "tune", "synthetic")).write(folder)
    return Study.open("toy", folder.parent)


def test_the_result_compares_on_test_examples_and_is_kept(study: Study) -> None:
    result = TuningResult.read(study.store.folder)
    assert result is not None
    best, *others = result.merges
    assert best.name == "recommended"
    assert {"base VLM", "expert swapped in", "half and half", "mine"} <= {line.name for line in others}
    for line in others:
        difference = answers(MergeSetting(**best.setting)).scores - answers(MergeSetting(**line.setting)).scores
        assert line.behind == pytest.approx(difference.mean())
        assert line.behind_error == error_of_difference(difference)
    assert result.reproduced
    assert set(result.near_optimal) == {"ta", "ties"}


def test_what_was_judged_is_not_judged_again(study: Study) -> None:
    def refuse(job: Job) -> Success:
        raise AssertionError(f"{job.name} was scored again")

    pool = InlinePool(run=refuse)
    before = TuningResult.read(study.store.folder)
    again = conclude(study.store, pool, Interrupt(), beside={"mine": MergeSetting("ta", 0.4, 0.8)})
    assert before is not None
    assert replace(again, near_optimal={}) == replace(before, near_optimal={})


def test_answers_that_differ_are_noticed(study: Study, tmp_path: Path) -> None:
    def other(job: Job) -> Success:
        found = success(job)
        flipped = {split: Answers(a.ids, a.categories, 1 - a.scores) for split, a in found.answers.items()}
        return Success(flipped, found.fingerprint, TrialCost())

    store = TrialStore(tmp_path, "s")
    known = store.begin(config())
    tuner(store, Race.of(known, get("random"), budget=4), trials=4).run()
    assert not conclude(store, InlinePool(run=other), Interrupt()).reproduced


def test_tables_hold_each_method_s_trials(study: Study) -> None:
    files = {path.name: pd.read_csv(path) for path in write_tables(study.store).values()}
    assert set(files) == {"trials-ta.csv", "trials-ties.csv"}
    assert list(files["trials-ties.csv"].columns[:3]) == ["vl_weight", "exp_weight", "density"]
    table = files["trials-ta.csv"]
    trials = {trial.number: trial for trial in study.store.trials()}
    for row in table.itertuples():
        assert row.score == pytest.approx(trials[int(row.trial)].score)  # pyright: ignore
    assert set(table["n_examples"]) == {60}


def test_a_study_becomes_landscapes(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(*options: str) -> Result:
        return CliRunner().invoke(cli, ["landscapes", "add", str(study.store.folder), "--out", str(tmp_path), *options])

    result = add()
    assert result.exit_code == 0, result.output
    assert set(catalogue.names(tmp_path)) == {"toy/ta", "toy/ties"}
    made = catalogue.load("toy/ta", root=tmp_path)
    trials = [trial for trial in study.store.trials() if trial.setting.method == "ta"]
    assert len(made.grid) == len(trials)
    assert made.card.method == "ta"
    first = np.array([[trials[0].setting.vl_weight, trials[0].setting.exp_weight]])
    assert made.score(first)[0] == pytest.approx(trials[0].score, abs=1e-6)
    assert isinstance(add().exception, UnwritableError)
    assert add("--replace").exit_code == 0
    assert "leave --name out" in str(add("--name", "one/ta").exception)
    assert "columns are known" in add("--metric", "score").output
    monkeypatch.chdir(study.store.folder)
    from_within = CliRunner().invoke(cli, ["landscapes", "add", ".", "--out", str(tmp_path / "within")])
    assert from_within.exit_code == 0, from_within.exception
    assert set(catalogue.names(tmp_path / "within")) == {"toy/ta", "toy/ties"}


def test_of_a_study_one_method_of_which_has_too_few_trials_no_landscape_is_left(tune: Tune, tmp_path: Path) -> None:
    assert tune("-o", "sobol", "--trials", "8", "--examples-each", "60", "-m", "ta", "-m", "ties").exit_code == 0
    words = ["landscapes", "add", "tuning/s", "--out", str(tmp_path / "lands")]
    for _ in range(2):
        added = CliRunner().invoke(cli, words)
        assert "trials-ties.csv has 4 settings" in str(added.exception)
        assert not list((tmp_path / "lands").rglob("card.yaml"))


def test_page_stands_alone(study: Study) -> None:
    page = study.write_report().read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "http" not in page
    linked = re.findall(r'<a href="(report/[^"]+)" download', page)
    assert len(linked) == 3 * (2 + 4)
    assert all((study.folder / link).is_file() for link in linked)
    for words in ("recommended", "base VLM", "gained", "hpo-bench tune synthetic"):
        assert words in page


def test_changes_and_sides_are_counted() -> None:
    ids, categories = ("a", "b", "c"), ("skill", "skill", "general")
    before = Answers(ids, categories, np.array([0.0, 0.0, 1.0]), ("cat", "dog", "yes"))
    after = Answers(ids, categories, np.array([1.0, 0.0, 0.0]), ("猫", "dog", "いいえ"))
    general, skill = changes(before, after)
    assert (skill.before, skill.after, skill.gained, skill.lost) == (0.0, 0.5, 1, 0)
    assert (general.gained, general.lost) == (0, 1)
    assert [(side["before"], side["after"], side["gained"]) for side in sides(before, after)] == [
        ("cat", "猫", True),
        ("yes", "いいえ", False),
    ]


def test_unknown_and_unfinished_studies_are_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'toy'"):
        Study.open("tooy", study.store.folder.parent)
    TrialStore(tmp_path / "new", "new").begin(config())
    Invocation("synthetic", ".", ()).write(tmp_path / "new")
    new = Study.open("new", tmp_path)
    with pytest.raises(TuningError, match="not finished"):
        new.write_report()
    with pytest.raises(TuningError, match="not finished"):
        new.export(tmp_path / "out")


def test_an_exported_merge_answers_as_its_trial_did(small_pair: Pair, loaded: LoadedPair, tmp_path: Path) -> None:
    setting = MergeSetting("ta", 0.4, 0.9)
    fingerprint = Resident(loaded).merge(setting)
    evaluator = open_evaluator(small_pair, loaded)
    found = evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    store = TrialStore(tmp_path / "s", "s")
    store.begin(config(pair=small_pair.name, checkpoints=small_pair.file_hashes()))
    trial = store.start(setting, asked_after=0, worker="w")
    store.finish(trial, Success({"validation": found}, fingerprint, TrialCost()), told_as=0)
    Invocation(str(small_pair.folder), ".", ("hpo-bench", "tune", "small")).write(tmp_path / "s")
    study = Study.open("s", tmp_path)
    made = study.export(tmp_path / "out", trial=0)
    assert (made.trial.number, made.same, made.total, made.explained) == (0, len(found), len(found), True)
    assert made.score == pytest.approx(found.scores.mean())
    provenance = json.loads((tmp_path / "out" / "hpo_bench.json").read_text())
    assert provenance["fingerprint"] == fingerprint
    assert (provenance["study"], provenance["trial"]) == ("s", 0)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "hpo-bench tune small" in card
    assert "| exp_weight | 0.9 |" in card
    assert f"answers {len(found)} of {len(found)} examples as recorded" in card
    with pytest.raises(TuningError, match="no complete trial 3"):
        study.export(tmp_path / "other", trial=3)


def test_an_export_says_what_rounding_did() -> None:
    trial = Trial(
        number=3, setting=MergeSetting("ta", 0.4, 0.9), state="complete", asked_after=3, worker="w", score=0.5
    )
    made = Exported(
        folder=Path("out"),
        trial=trial,
        same=99,
        total=100,
        score=0.49,
        merged_in="float32",
        stored_in="bfloat16",
        explained=True,
    )
    assert "99 of 100 examples as recorded (score 0.490, recorded 0.500)" in made.sentence
    assert "scored in float32 and is stored in bfloat16" in made.sentence
    assert "does not explain" in replace(made, explained=False).sentence
    assert "rounding" not in replace(made, same=100).sentence
