"""The whole comparison on forty examples of the shipped pair, from the command line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.experiments.methods import measure
from hpo_bench.experiments.methods.lineup import EVERYBODY, METHODS, VARIANTS
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.methods.wudi import Wudi
from hpo_bench.merging.pair import Pair
from landscapes import catalogue
from landscapes.card import FILE as CARD
from landscapes.card import Card
from landscapes.grid import FILE as GRID
from landscapes.outcomes import FILE as OUTCOMES

ARGUMENTS = ("--samples", "3", "--pairs", "nowhere")


@pytest.fixture(scope="module")
def place(shipped: Pair, questions: tuple[Example, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair with forty of the shipped examples, and the recorded landscapes cut down to these."""
    place = tmp_path_factory.mktemp("methods")
    folder = Path(shutil.copytree(shipped.folder, place / "pair"))
    examples = questions[:40]
    write_examples(examples, folder / shipped.examples.name)
    pair = Pair.read(folder)
    ids = {example.id for example in examples}
    for method in ("ta", "dare", "ties"):
        source, target = catalogue.ROOT / pair.name / method, place / "recorded" / pair.name / method
        target.mkdir(parents=True)
        rows = pd.read_parquet(source / OUTCOMES)
        rows = rows[rows["id"].isin(ids)]
        rows.to_parquet(target / OUTCOMES)
        card = Card.read(source / CARD)
        names = [*card.space.names, "split"]
        grid = pd.read_parquet(source / GRID).drop(columns=["score", "standard_error", "n_examples"])
        answers = rows.assign(correct=rows["correct"].astype(float)).groupby(names)["correct"]
        scores = answers.agg(score="mean", standard_error=lambda s: s.std() / np.sqrt(len(s)), n_examples="size")
        grid.merge(scores.reset_index(), on=names).to_parquet(target / GRID)
        assert card.checkpoints["examples"] == shipped.file_hashes()["examples"], "is not of the shipped examples"
        counts = {split: {"all": some["id"].nunique()} for split, some in rows.groupby("split")}
        checkpoints = {**card.checkpoints, "examples": pair.file_hashes()["examples"]}
        replace(card, n_examples=counts, checkpoints=checkpoints).write(target / CARD)
    return place


def run(place: Path, *more: str) -> str:
    out, landscapes = str(place / "out"), str(place / "recorded")
    arguments = ["methods", str(place / "pair"), "--out", out, "--landscapes-dir", landscapes, *ARGUMENTS, *more]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def shown(place: Path) -> str:
    return run(place)


def test_everybody_has_a_score(shown: str, place: Path) -> None:
    for contender in EVERYBODY:
        assert contender.label in shown
    page = (place / "out" / "methods.md").read_text(encoding="utf-8")
    assert "![Gain over the base VLM](methods.png)" in page
    assert (place / "out" / "methods.png").read_bytes().startswith(b"\x89PNG")
    assert page.count("| TA |") == 5  # the tables with one row a method
    assert "One pair only in language" in page
    assert "No pair in maths, instructions" in page


def test_scores_are_those_of_the_models(shown: str, place: Path) -> None:
    pair = Pair.read(place / "pair")
    content = json.loads(run(place, "--json"))
    scores = content["whole_benchmark"]["scores"][pair.name]
    loaded = LoadedPair.load(pair)
    evaluator = open_evaluator(pair, loaded)
    test = evaluator.examples("test")
    loaded.write_language(loaded.expert)
    assert scores["swap-in"]["score"] == pytest.approx(evaluator.evaluate(loaded.vlm, test).score)
    assert scores["swap-in"]["gain"] == pytest.approx(scores["swap-in"]["score"] - scores["vlm"]["score"])
    # The tuned score is the recorded one, at the best setting by validation.
    outcomes = pd.read_parquet(place / "recorded" / pair.name / "ta" / OUTCOMES)
    outcomes["correct"] = outcomes["correct"].astype(float)
    means = outcomes.groupby(["split", "vl_weight", "exp_weight"])["correct"].mean()
    best = means["validation"].idxmax()
    assert scores["ta"]["score"] == pytest.approx(means["test"][best])
    assert tuple(content["costs"][pair.name]["ta"]["parameters"].values()) == best
    assert content["costs"][pair.name]["ties"]["grid"]["settings"] == 100
    assert content["costs"][pair.name]["dare"]["merge_seconds"]["mergekit"] > 0
    assert content["costs"][pair.name]["fisher"]["statistics_seconds"] > 0
    verdicts = {one["text"]: one["verdict"] for one in content["whole_benchmark"]["findings"]}
    assert verdicts["Language transfers better than maths"] == "no data"


def test_what_is_measured_is_not_measured_again(shown: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("models were loaded again")

    def tables(output: str) -> str:
        return output.partition("page:")[0]

    with monkeypatch.context() as patch:
        patch.setattr(LoadedPair, "load", refuse)
        assert tables(run(place)) == tables(shown)
        kept = place / "out" / "ja-llama" / "nan.json"
        kept.write_text(kept.read_text()[:100])  # as a kill of another writer would leave it
        with pytest.raises(AssertionError, match="loaded again"):
            run(place)
    run(place)
    assert json.loads(kept.read_text())["name"] == "nan"


def test_variants_are_measured_beside_the_nine_and_change_none_of_their_tables(
    shown: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [  # 300 steps take ten seconds
        replace(one, options={**one.options, "steps": 3}) if one.options.get("solver") == "adam" else one
        for one in VARIANTS
    ]
    monkeypatch.setattr(measure, "VARIANTS", tuple(quick))
    output = run(place, "--variants")
    assert shown.partition("page:")[0].splitlines()[:20] == output.splitlines()[:20]
    page = (place / "out" / "methods.md").read_text(encoding="utf-8")
    for one in VARIANTS:
        assert f"| {one.label}: {one.how} † |" in page
    for one in METHODS:
        assert (f"| {one.label}: {one.how} |" in page) == (one.method in {each.method for each in VARIANTS})
    scores = json.loads(run(place, "--variants", "--json"))["whole_benchmark"]["scores"]["ja-llama"]
    pair = Pair.read(place / "pair")
    loaded = LoadedPair.load(pair)
    evaluator = open_evaluator(pair, loaded)
    loaded.write_language(Wudi("closed-form").merge(TaskVectors.of(loaded)))
    expected = evaluator.evaluate(loaded.vlm, evaluator.examples("test")).score
    assert scores["wudi-exact"]["score"] == pytest.approx(expected)
    fisher = [json.loads((place / "out" / "ja-llama" / f"fisher{end}.json").read_text()) for end in ("", "-pictures")]
    assert [one["provenance"]["options"]["expert_reads"] for one in fisher] == ["texts", "pictures"]
    assert "with pictures, for the expert" in fisher[1]["note"]


def test_other_weights_are_measured_anew(shown: str, place: Path, tmp_path: Path) -> None:
    stored = place / "out" / "ja-llama" / "vlm.json"
    provenance = json.loads(stored.read_text())["provenance"]
    assert measure.Measured.stored(stored, provenance) is not None
    assert measure.Measured.stored(stored, {**provenance, "options": {"samples": 4}}) is None


def test_a_pair_given_twice_is_refused(place: Path) -> None:
    from hpo_bench.errors import UsageError

    with pytest.raises(UsageError, match="given twice"):
        CliRunner().invoke(cli, ["methods", *2 * [str(place / "pair")]], catch_exceptions=False)
