"""Recordings that are whole, that survive interruption, and that refuse to mix."""

import copy
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from filelock import FileLock

from hpo_bench.cli import cli
from hpo_bench.errors import EvaluationError, HpoBenchError, RecordingError, UsageError
from hpo_bench.evaluation.examples import SPLITS, Example, write_examples
from hpo_bench.evaluation.local import LocalEvaluator
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.find import find_pair, ready_names
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.dare import Dare
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import MergeScope
from hpo_bench.recording import designs
from hpo_bench.recording import record as recorder
from hpo_bench.recording.draft_card import draft
from hpo_bench.recording.journal import Journal, RecordedScores
from hpo_bench.recording.record import JOURNAL, record
from landscapes import catalogue
from landscapes.card import Card
from landscapes.grid import RecordedGrid
from landscapes.outcomes import Outcomes
from landscapes.recording import Truth
from landscapes.suites import boxes
from landscapes.vlm_answers import VlmAnswers, write_vlm_answers

FILES = ["card.yaml", "grid.parquet", "outcomes.parquet", "vlm.parquet"]
SECONDS = ["merge_seconds", "eval_seconds"]


def contents(folder: Path) -> tuple[pd.DataFrame, bytes, str, bytes]:
    grid = pd.read_parquet(folder / "grid.parquet").drop(columns=SECONDS)
    vlm = folder / "vlm.parquet"
    own = vlm.read_bytes() if vlm.exists() else b""
    return grid, (folder / "outcomes.parquet").read_bytes(), (folder / "card.yaml").read_text(), own


@pytest.fixture(scope="session")
def whole(shipped: Pair, questions: tuple[Example, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Path]:
    """A recording that nothing interrupted."""
    folder = Path(shutil.copytree(shipped.folder, tmp_path_factory.mktemp("pairs") / "small"))
    write_examples(questions[:40], folder / shipped.examples.name)
    pair = Pair.read(folder)
    return pair, record(pair, "ta", tmp_path_factory.mktemp("whole"))


def test_a_recording_is_a_landscape(whole: tuple[Pair, Path]) -> None:
    pair, folder = whole
    landscape = catalogue.load(f"{pair.name}/ta", root=folder.parents[1])
    assert len(landscape.grid) == 25
    assert landscape.card.checkpoints == pair.file_hashes()
    assert landscape.card.merge_options["normalize"] is False
    assert not (folder / JOURNAL).exists()
    outcomes = Outcomes.read(folder / "outcomes.parquet", landscape.space)
    np.testing.assert_allclose(outcomes.correct.mean(1), landscape.grid.scores)
    spread = outcomes.correct.std(1, ddof=1) / np.sqrt(len(outcomes.ids))
    np.testing.assert_allclose(spread, landscape.grid.standard_errors)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import torch
from transformers.utils.logging import disable_progress_bar
from hpo_bench.recording import record as recording
from hpo_bench.recording.journal import Journal
from hpo_bench.merging.find import find_pair, ready_names
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import MergeScope

disable_progress_bar()
torch.set_num_threads(1)
TaskArithmetic.hyperparameters = tuple(replace(one, levels=(0.2, 1.0)) for one in TaskArithmetic.hyperparameters)
pair, out = Pair.read(Path(sys.argv[1])), Path(sys.argv[2])
loaded = LoadedPair.load(pair)
recording.LoadedPair.load = lambda _: loaded  # once for all that are killed


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def half(journal, entry):
    with journal._path.open("a") as file:
        file.write('{"parameters": {"vl_w')
    die()


def killed(owner, name, after=0, instead=die):
    before = getattr(owner, name)

    def call(*arguments, **options):
        nonlocal after
        after -= 1
        return instead(*arguments) if after < 0 else before(*arguments, **options)

    setattr(owner, name, call)


MOMENTS = {
    "loading": lambda: killed(recording, "open_evaluator"),
    "asked": lambda: killed(recording.measuring, "of_merges"),
    "between": lambda: killed(Journal, "append", after=2),
    "torn": lambda: killed(Journal, "append", after=3, instead=half),
    "outcomes": lambda: killed(recording.outcomes, "write_outcomes"),
    "card": lambda: killed(recording.card.Card, "write"),
    "end": lambda: killed(recording, "_forget"),
}
for name, arrange in MOMENTS.items():
    child = os.fork()
    if not child:
        arrange()
        recording.record(pair, "ta", out / name)
        os._exit(0)
    print(name, os.waitpid(child, 0)[1], flush=True)
"""


def ends_alone(method: type[MergeMethod], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a method's grid recorded at the first and the last level of each hyperparameter alone."""
    ends = tuple(replace(one, levels=(one.levels[0], one.levels[-1])) for one in method.hyperparameters)
    monkeypatch.setattr(method, "hyperparameters", ends)


def test_killed_at_any_moment_it_goes_on_and_ends_in_the_same_files(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = small_pair
    loaded = LoadedPair.load(pair)  # once, and the VLM as it is for each recording
    monkeypatch.setattr(recorder.LoadedPair, "load", lambda _: replace(loaded, vlm=copy.deepcopy(loaded.vlm)))
    ends_alone(TaskArithmetic, monkeypatch)
    expected = contents(record(pair, "ta", tmp_path / "whole"))
    words = [sys.executable, "-c", KILLED, str(pair.folder), str(tmp_path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600)
    moments = dict(line.split() for line in ran.stdout.splitlines())
    assert set(moments.values()) == {str(int(signal.SIGKILL))}, ran.stderr
    left = {"loading": 5, "asked": 5, "between": 2, "torn": 1, "outcomes": 0, "card": 0, "end": 0}
    assert set(left) == set(moments)
    for moment, count in left.items():
        done: list[int] = []
        folder = record(pair, "ta", tmp_path / moment, progress=lambda number, *_, done=done: done.append(number))
        assert done == (list(range(5)) if count == 5 else list(range(5 - count, 5))), moment
        found = contents(folder)
        pd.testing.assert_frame_equal(found[0], expected[0])
        assert found[1:] == expected[1:], moment
        assert sorted(path.name for path in folder.iterdir()) == FILES


def test_a_finished_recording_is_not_made_again(whole: tuple[Pair, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pair, folder = whole
    monkeypatch.setattr(recorder.measuring, "of_merges", lambda *_, **__: pytest.fail("measured again"))
    monkeypatch.setattr(recorder.measuring, "of_vlm", lambda *_: pytest.fail("asked again"))
    assert record(pair, "ta", folder.parents[1]) == folder


def test_the_vlm_is_asked_as_it_is(whole: tuple[Pair, Path]) -> None:
    pair, folder = whole
    loaded = LoadedPair.load(pair)
    evaluator = open_evaluator(pair, loaded)
    for split in SPLITS:
        examples = evaluator.examples(split)
        found = dict(zip([one.id for one in examples], evaluator.evaluate(loaded.vlm, examples).scores, strict=True))
        own = VlmAnswers.read(folder, split=split)
        assert own is not None
        assert found == dict(zip(own.ids, own.correct, strict=True))


def test_what_ships_has_what_the_vlm_that_ships_answers(shipped: Pair) -> None:
    own = VlmAnswers.read(catalogue.find(f"{shipped.name}/ta"), split="validation")
    assert own is not None
    loaded = LoadedPair.load(shipped)
    evaluator = open_evaluator(shipped, loaded)
    examples = evaluator.examples("validation")
    found = dict(zip([one.id for one in examples], evaluator.evaluate(loaded.vlm, examples).scores, strict=True))
    assert [found[name] for name in own.ids] == own.correct.tolist()


BROKEN = {
    "lost": lambda path: path.unlink(),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "of other examples": lambda path: write_vlm_answers(path, pd.read_parquet(path).iloc[1:]),
    "of one split": lambda path: write_vlm_answers(path, pd.read_parquet(path).query("split == 'test'")),
}


@pytest.mark.parametrize("how", BROKEN)
def test_of_a_grid_that_lacks_the_vlm_that_alone_is_asked(
    whole: tuple[Pair, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    pair, folder = whole
    other = Path(shutil.copytree(folder, tmp_path / pair.name / "ta"))
    BROKEN[how](other / "vlm.parquet")
    monkeypatch.setattr(recorder.measuring, "of_merges", lambda *_, **__: pytest.fail("measured again"))
    done: list[dict[str, float]] = []
    record(pair, "ta", tmp_path, progress=lambda *told: done.append(told[2].parameters))
    assert done == [{}]
    assert sorted(path.name for path in other.iterdir()) == FILES
    assert contents(other)[1:] == contents(folder)[1:]


class TestOtherExamples:
    """An evaluator of one's own may ask what no file says."""

    @pytest.fixture
    def fewer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = LocalEvaluator.examples
        monkeypatch.setattr(LocalEvaluator, "examples", lambda self, split: whole(self, split)[1:])

    def test_are_not_asked_of_the_vlm_alone(self, whole: tuple[Pair, Path], tmp_path: Path, fewer: None) -> None:
        pair, folder = whole
        other = Path(shutil.copytree(folder, tmp_path / pair.name / "ta"))
        (other / "vlm.parquet").unlink()
        with pytest.raises(RecordingError, match="holds answers to other examples"):
            record(pair, "ta", tmp_path)
        assert not (other / "vlm.parquet").exists()

    def test_do_not_go_on_with_what_was_begun(
        self, small_pair: Pair, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        def stop(done: int, *_: object) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            record(small_pair, "ta", tmp_path, progress=stop)
        request.getfixturevalue("fewer")
        with pytest.raises(RecordingError, match=r"jsonl holds answers to other examples"):
            record(small_pair, "ta", tmp_path)


def test_other_weights_are_not_mixed_in(whole: tuple[Pair, Path], small_pair: Pair, tmp_path: Path) -> None:
    folder = whole[1]
    with (small_pair.expert / "model.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(RecordingError, match="other checkpoints"):
        record(small_pair, "ta", folder.parents[1])


def test_other_examples_are_not_mixed_in(whole: tuple[Pair, Path], small_pair: Pair) -> None:
    write_examples(read_examples(small_pair.examples)[:39], small_pair.examples)
    with pytest.raises(RecordingError, match="other checkpoints"):
        record(small_pair, "ta", whole[1].parents[1])


def test_what_ships_was_recorded_from_the_pair_that_ships(shipped: Pair) -> None:
    landscapes = catalogue.match([shipped.name])
    assert {f"{shipped.name}/ta", f"{shipped.name}/dare", f"{shipped.name}/ties"} <= set(landscapes)
    for name in landscapes:
        assert catalogue.load(name).card.checkpoints == shipped.file_hashes()


def test_both_boxes_of_a_pair_are_landscapes_of_their_own_in_one_folder(
    whole: tuple[Pair, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, study = whole[0], Path(shutil.copytree(whole[1], tmp_path / whole[0].name / "ta"))
    before = contents(study)
    monkeypatch.setattr(designs, "_WIDE", (0.0, 1.4))
    folder = record(pair, "ta", tmp_path, box="wide")
    assert folder == tmp_path / pair.name / "ta-wide"
    assert catalogue.names(tmp_path) == [f"{pair.name}/ta", f"{pair.name}/ta-wide"]
    assert boxes.usual(tmp_path) == [f"{pair.name}/ta-wide"]
    card = Card.read(folder / "card.yaml")
    assert (card.name, card.design, card.space.high.tolist()) == (f"{pair.name}/ta-wide", "wide", [1.4, 1.4])
    assert card.command == f"hpo-bench record {pair.name} --method ta --box wide"
    for box, of, high in (("study", study, 1.0), ("wide", folder, 1.4)):
        beside = record(pair, "ta", tmp_path, box=box, design="held-out", settings=4)
        assert beside == of / "held_out"
        truth = Truth.read(of, Card.read(of / "card.yaml"), design="held-out")
        assert truth is not None
        assert truth.card.space.high.tolist() == [high, high]
        where = "" if box == "study" else " --box wide"
        assert truth.card.command == f"hpo-bench record {pair.name} --method ta{where} --design held-out --settings 4"
    pd.testing.assert_frame_equal(contents(study)[0], before[0])
    assert contents(study)[1:] == before[1:]


def test_a_wide_box_that_an_earlier_version_recorded_in_the_usual_folder_goes_on_there(
    whole: tuple[Pair, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = whole[0]
    monkeypatch.setattr(designs, "_WIDE", (0.0, 1.4))
    made = record(pair, "ta", tmp_path, box="wide")
    folder = made.rename(made.with_name("ta"))
    replace(Card.read(folder / "card.yaml"), name=f"{pair.name}/ta").write(folder / "card.yaml")
    assert record(pair, "ta", tmp_path, box="wide") == folder
    with pytest.raises(RecordingError, match="recorded with other design"):
        record(pair, "ta", tmp_path)
    with pytest.raises(UsageError, match="was recorded in the wide box; say --box wide"):
        record(pair, "ta", tmp_path, design="held-out")


def test_a_recording_that_lost_its_grid_is_not_called_whole(whole: tuple[Pair, Path], tmp_path: Path) -> None:
    pair, folder = whole
    shutil.copytree(folder, tmp_path / pair.name / "ta")
    (tmp_path / pair.name / "ta" / "grid.parquet").unlink()
    with pytest.raises(RecordingError, match=r"lacks grid\.parquet"):
        record(pair, "ta", tmp_path)


def test_two_recorders_do_not_share_a_folder(small_pair: Pair, tmp_path: Path) -> None:
    (tmp_path / small_pair.name / "ta").mkdir(parents=True)
    with (
        FileLock(tmp_path / small_pair.name / "ta" / recorder.LOCK),
        pytest.raises(RecordingError, match="by another process"),
    ):
        record(small_pair, "ta", tmp_path)


class TestHeldOut:
    @pytest.fixture
    def landscape(self, whole: tuple[Pair, Path], tmp_path: Path) -> Path:
        """A copy of the recording that held-out designs may be put beside."""
        return Path(shutil.copytree(whole[1], tmp_path / "landscapes" / whole[0].name / "ta"))

    def test_a_dense_grid_lies_beside_the_landscape_and_is_none_itself(
        self, whole: tuple[Pair, Path], landscape: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pair, root = whole[0], landscape.parents[1]
        assert len(designs.dense("ta").points) == 225
        few = (0.0, 0.2, 0.6, 1.4)
        monkeypatch.setattr(designs, "DENSE", few)
        folder = record(pair, "ta", root, design="dense")
        assert folder == landscape / "dense"
        assert catalogue.names(root) == [f"{pair.name}/ta"]
        card = Card.read(landscape / "card.yaml")
        truth = Truth.read(landscape, card, design="dense")
        assert truth is not None
        assert truth.grid.X.min() == 0
        assert truth.grid.X.max() == 1.4
        assert len(truth.grid) == len(few) ** 2
        assert set(truth.card.n_examples) == {"test"}
        assert {card.tier, truth.card.tier} == {"nano"}
        # Where both were measured they agree: nothing of a merge is left in the next.
        study = RecordedGrid.read(landscape / "grid.parquet", card.space, split="test")
        dense = {tuple(x): score for x, score in zip(truth.grid.X.tolist(), truth.grid.scores, strict=True)}
        both = {tuple(x): score for x, score in zip(study.X.tolist(), study.scores, strict=True) if tuple(x) in dense}
        assert len(both) == 4
        assert {x: dense[x] for x in both} == both

    def test_masks_are_recorded_seed_by_seed_and_go_on_where_they_stopped(
        self, whole: tuple[Pair, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pair = whole[0]
        ends_alone(Dare, monkeypatch)
        monkeypatch.setattr(designs, "MASKS", 2)
        with pytest.raises(RecordingError, match="holds no landscape yet"):
            record(pair, "dare", tmp_path, design="masks")
        landscape = record(pair, "dare", tmp_path)
        stopped = []

        def stop(done: int, total: int, entry: RecordedScores) -> None:
            stopped.append(entry.mask_seed)
            if done == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            record(pair, "dare", tmp_path, design="masks", progress=stop)
        assert stopped == [0, 0, 0, 1]
        record(pair, "dare", tmp_path, design="masks")
        truth = Truth.read(landscape, Card.read(landscape / "card.yaml"), design="masks")
        assert truth is not None
        assert truth.grid.mask_seeds is not None
        assert sorted(truth.grid.mask_seeds.tolist()) == [0, 0, 0, 1, 1, 1]
        by_setting = {tuple(x): set() for x in truth.grid.X.tolist()}
        for x, score in zip(truth.grid.X.tolist(), truth.grid.scores, strict=True):
            by_setting[tuple(x)].add(score)
        assert max(map(len, by_setting.values())) == 2, "another seed must draw another mask"

    def test_more_may_be_held_out_later_at_the_cost_of_what_is_missing(
        self, whole: tuple[Pair, Path], landscape: Path, tmp_path: Path
    ) -> None:
        pair, root = whole[0], landscape.parents[1]
        at_once = record(pair, "ta", shutil.copytree(root, tmp_path / "copy"), design="held-out", settings=6)
        done: list[tuple[int, int]] = []

        def stop(number: int, total: int, _: RecordedScores) -> None:
            done.append((number, total))
            if number == 5:
                raise KeyboardInterrupt

        folder = record(pair, "ta", root, design="held-out", settings=4, progress=stop)
        with pytest.raises(KeyboardInterrupt):
            record(pair, "ta", root, design="held-out", settings=6, progress=stop)
        record(pair, "ta", root, design="held-out", settings=6, progress=stop)
        assert done == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6)]
        found, expected = contents(folder), contents(at_once)
        pd.testing.assert_frame_equal(found[0], expected[0])
        assert found[1:] == expected[1:]
        record(pair, "ta", root, design="held-out", settings=3, progress=stop)
        assert len(done) == 6
        assert len(pd.read_parquet(folder / "grid.parquet")) == 6
        with pytest.raises(UsageError, match="is for --design held-out; dense has"):
            record(pair, "ta", root, design="dense", settings=6)
        with pytest.raises(UsageError, match="two at least"):
            record(pair, "ta", root, design="held-out", settings=1)

    def test_what_a_larger_number_began_is_not_lost_by_a_smaller_one(
        self, whole: tuple[Pair, Path], landscape: Path
    ) -> None:
        pair, root = whole[0], landscape.parents[1]

        def stop(number: int, *_: object) -> None:
            if number in (4, 6):
                raise KeyboardInterrupt

        def numbers() -> tuple[int, str]:
            card = Card.read(folder / "card.yaml")
            return len(pd.read_parquet(folder / "grid.parquet")), card.command.rpartition(" ")[2]

        with pytest.raises(KeyboardInterrupt):
            record(pair, "ta", root, design="held-out", settings=9, progress=stop)
        folder = record(pair, "ta", root, design="held-out", settings=2, progress=stop)
        assert numbers() == (4, "4")
        with pytest.raises(KeyboardInterrupt):
            record(pair, "ta", root, design="held-out", settings=9, progress=stop)
        record(pair, "ta", root, design="held-out", settings=3, progress=stop)
        assert numbers() == (4, "4")
        assert len((folder / JOURNAL).read_text().splitlines()) == 7
        record(pair, "ta", root, design="held-out", settings=7)
        assert numbers() == (7, "7")
        assert not (folder / JOURNAL).exists()

    def test_what_was_held_out_elsewhere_is_not_added_to(self, whole: tuple[Pair, Path], landscape: Path) -> None:
        pair, root = whole[0], landscape.parents[1]
        folder = record(pair, "ta", root, design="held-out", settings=2)
        for name in ("grid", "outcomes"):
            table = pd.read_parquet(folder / f"{name}.parquet")
            table.assign(vl_weight=table["vl_weight"].replace(table["vl_weight"].iloc[0], 0.5)).to_parquet(
                folder / f"{name}.parquet"
            )
        with pytest.raises(RecordingError, match="holds other settings or examples than the design"):
            record(pair, "ta", root, design="held-out", settings=3)

    def test_an_unknown_design_is_refused(self, small_pair: Pair, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there are: grid, held-out, dense, masks"):
            record(small_pair, "ta", tmp_path, design="sparse")
        with pytest.raises(UsageError, match=r"'wide' is a box, .* say --box wide"):
            record(small_pair, "ta", tmp_path, design="wide")
        with pytest.raises(UsageError, match="no box is called 'wider'; did you mean 'wide'"):
            record(small_pair, "ta", tmp_path, box="wider")


def test_the_command_takes_a_design(small_pair: Pair, tmp_path: Path) -> None:
    asked = ["record", str(small_pair.folder), "-m", "ties", "--design", "dense", "--out", str(tmp_path / "out")]
    with pytest.raises(UsageError, match="TIES has a density as well"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_an_unknown_method_is_refused(small_pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'dare'"):
        record(small_pair, "dara", tmp_path)
    assert list(tmp_path.glob("**/*.jsonl")) == []


class TestBeforeTheFirstMerge:
    """What can be refused is refused before anything is loaded, and nothing is written."""

    @pytest.fixture(autouse=True)
    def nothing_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recorder.LoadedPair, "load", lambda *_: pytest.fail("a model was loaded"))

    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"name": "../../../escaped"}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": ".."}, "name"),
            ({"name": ""}, "name"),
            ({"name": "a/b"}, "name"),
            ({"tier": "giga"}, "tier"),
            ({"domain": "music"}, "domain"),
        ],
    )
    def test_what_will_not_do_for_a_card_names_the_pair_s_file_and_key(
        self, small_pair: Pair, tmp_path: Path, changes: dict[str, str], key: str
    ) -> None:
        with pytest.raises(UsageError, match=rf"pair\.yaml: {key} ") as caught:
            record(replace(small_pair, **changes), "ta", tmp_path / "in" / "out")
        assert "card.yaml" not in str(caught.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]

    def test_a_pair_needs_no_more_than_its_models_and_examples(self, small_pair: Pair) -> None:
        plain = replace(small_pair, tier="", domain="", benchmark="", licence="", notes="")
        plan = designs.grid("ta", mask_seed=0)
        card = draft(plain, plan, 0)
        assert (card.tier, card.domain, card.benchmark, card.licence) == (
            "elsewhere", "other", "examples.parquet", "not stated",
        )  # fmt: skip
        asked = replace(plain, examples_file=None, evaluation={"kind": "lmms-eval", "tasks": ["a", "b"]})
        assert draft(asked, plan, 0).benchmark == "a, b"

    def test_what_is_merged_and_in_which_dtype_is_on_the_card_and_not_mixed(self, small_pair: Pair) -> None:
        plan = designs.grid("ta", mask_seed=0)
        other = replace(small_pair, merge=MergeScope(dtype="bfloat16", embeddings=False))
        found = draft(other, plan, 0).merge_options
        assert found == {**draft(small_pair, plan, 0).merge_options, "dtype": "bfloat16", "embeddings": False}

    @pytest.mark.parametrize("name", ready_names())
    def test_every_ready_pair_makes_a_card(self, name: str) -> None:
        draft(find_pair(name), designs.grid("ties", mask_seed=0), 0)

    def test_a_misspelt_column_of_answers_is_named(self, small_pair: Pair, tmp_path: Path) -> None:
        table = pq.read_table(small_pair.examples)
        names = [{"answer": "anwser"}.get(name, name) for name in table.column_names]
        pq.write_table(table.rename_columns(names), small_pair.examples)
        with pytest.raises(UsageError, match=r"examples\.parquet: has no column 'answer'; did you mean 'anwser'"):
            record(small_pair, "ta", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_too_few_examples_are_refused_with_counts(self, small_pair: Pair, tmp_path: Path) -> None:
        test = [one for one in read_examples(small_pair.examples) if one.split == "test"]
        write_examples(test[:5], small_pair.examples)
        with pytest.raises(UsageError, match=r"of 5 examples .* 0 validation and 5 test"):
            record(small_pair, "ta", tmp_path / "out")

    def test_a_folder_that_is_none_or_leads_elsewhere_is_refused(self, small_pair: Pair, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="file is no folder; name another"):
            record(small_pair, "ta", tmp_path / "file" / "out")
        (tmp_path / "out").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out" / small_pair.name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UsageError, match="is a link that leads out of"):
            record(small_pair, "ta", tmp_path / "out")
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_cannot_be_loaded_leaves_no_folders(small_pair: Pair, tmp_path: Path) -> None:
    (small_pair.vlm / "config.json").write_text("{}")
    with pytest.raises(HpoBenchError):
        record(small_pair, "ta", tmp_path / "in" / "out")
    assert not (tmp_path / "in").exists()


def test_a_category_on_one_side_alone_is_no_hindrance(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_alone(TaskArithmetic, monkeypatch)
    examples = read_examples(small_pair.examples)
    write_examples(
        [replace(e, category="rare" if e.split == "test" else "skill") for e in examples], small_pair.examples
    )
    counts = Card.read(record(small_pair, "ta", tmp_path) / "card.yaml").n_examples
    assert {split: set(some) for split, some in counts.items()} == {"validation": {"skill"}, "test": {"rare"}}


EVALUATORS = """
def score(model, processor, examples):
    return [1.5] * len(examples)
def crash(model, processor, examples):
    return {}["nothing"]
"""


@pytest.mark.parametrize(("name", "message"), [("score", "scored 1.5"), ("crash", "evaluator raised KeyError")])
def test_scores_without_sense_are_refused_when_they_are_made(
    small_pair: Pair, tmp_path: Path, name: str, message: str
) -> None:
    (small_pair.folder / "odd_scores_for_tests.py").write_text(EVALUATORS)
    asked: dict[str, Any] = {"kind": "python", "function": f"odd_scores_for_tests:{name}"}
    with pytest.raises(EvaluationError, match=message):
        record(replace(small_pair, evaluation=asked), "ta", tmp_path / "out")


def test_another_metric_is_not_mixed_in(whole: tuple[Pair, Path], tmp_path: Path) -> None:
    pair, folder = whole

    def stop(done: int, total: int, entry: RecordedScores) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(pair, "ta", tmp_path, progress=stop)
    other = replace(pair, evaluation={"metric": "contains"})
    with pytest.raises(RecordingError, match=r"begun with other .*evaluation"):
        record(replace(pair, evaluation={"batch_size": 3}), "ta", tmp_path)
    with pytest.raises(RecordingError, match="recorded with other metric"):
        record(other, "ta", folder.parents[1])


class TestJournal:
    entry = RecordedScores({"vl_weight": 0.2}, 0.1, {"test": 0.2}, {"test": [1.0, 0.0]})

    def test_a_torn_last_line_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "j.jsonl"
        Journal(path, header={"a": 1}).append(self.entry)
        with path.open("a") as file:
            file.write('{"parameters": {"vl_w')
        journal = Journal(path, header={"a": 1})
        assert journal.entries == [self.entry]
        journal.append(self.entry)
        assert json.loads(path.read_text().splitlines()[0]) == {"a": 1}
        assert Journal(path, header={"a": 1}).entries == [self.entry, self.entry]

    def test_zeros_that_a_power_cut_left_are_not_begun_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "j.jsonl"
        path.write_bytes(bytes(4096))
        with pytest.raises(RecordingError, match="holds zeros in place of its lines; delete it"):
            Journal(path, header={"a": 1})
        assert path.read_bytes() == bytes(4096)

    def test_entries_from_before_masks_were_many_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "j.jsonl"
        old = {"parameters": {"vl_weight": 0.2}, "merge_seconds": 0.1, "eval_seconds": {}, "scores": {"test": [1.0]}}
        path.write_text('{"a": 1}\n' + json.dumps(old) + "\n")
        assert Journal(path, header={"a": 1}).entries[0].mask_seed is None

    def test_another_header_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "j.jsonl"
        Journal(path, header={"weights": 1}).append(self.entry)
        with pytest.raises(RecordingError, match="other weights"):
            Journal(path, header={"weights": 2})

    @pytest.mark.parametrize("text", ['{"a": 1}\nnot json\n', '[1]\n{"x": 2}\n', '{"a": 1}\n{"parameters": 1}\n'])
    def test_a_damaged_file_is_refused_in_one_line(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "j.jsonl"
        path.write_text(text)
        with pytest.raises(RecordingError, match="; delete it to record from the start"):
            Journal(path, header={"a": 1})
