"""What the data-aware methods see, and above all what they do not."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.calibration import statistics as calibration
from hpo_bench.evaluation.calibration.sets import FILE, calibrated, calibration_set
from hpo_bench.evaluation.calibration.statistics import encode
from hpo_bench.evaluation.examples import Example, of_split, write_examples
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.nano.texts import new_texts


@pytest.fixture(scope="module")
def examples(questions: tuple[Example, ...]) -> tuple[Example, ...]:
    return questions


def chosen(pair: Pair, examples: tuple[Example, ...], samples: int = 500):
    validation, test = (of_split(examples, split) for split in ("validation", "test"))
    texts = new_texts(pair.folder, samples)
    return calibration_set(pair, validation=validation, test=test, samples=samples, texts=texts)


@pytest.fixture
def bare(shipped: Pair, tmp_path: Path) -> Pair:
    """The shipped pair in a folder of its own, without its recipe."""
    folder = Path(shutil.copytree(shipped.folder, tmp_path / "pair"))
    (folder / "recipe.json").unlink()
    return Pair.read(folder)


def test_a_nano_pair_has_general_questions_and_new_texts(shipped: Pair, examples: tuple[Example, ...]) -> None:
    found = chosen(shipped, examples)
    validation = of_split(examples, "validation")
    assert set(found.vlm) == {e for e in validation if e.category == "general"}
    assert len(found.expert) == 500
    assert not any(text.images or "<image>" in text.question for text in found.expert)
    assert "500 new texts" in found.source
    assert {text.answer for text in found.expert} & {e.answer for e in validation if e.category == "skill"}
    assert found == chosen(shipped, examples)


def test_nothing_comes_from_the_test_split(shipped: Pair, bare: Pair, examples: tuple[Example, ...]) -> None:
    test = {example.id for example in of_split(examples, "test")}
    for pair in (shipped, bare):
        found = chosen(pair, examples)
        assert not test & {example.id for example in (*found.vlm, *found.expert)}


def test_samples_are_a_limit(shipped: Pair, examples: tuple[Example, ...]) -> None:
    found = chosen(shipped, examples, samples=7)
    assert len(found.vlm) == len(found.expert) == 7


def test_without_words_the_expert_reads_pictures(
    shipped: Pair, bare: Pair, examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_recipe = chosen(bare, examples)
    assert all(e.category == "skill" and e.images for e in without_recipe.expert)
    assert "with pictures" in without_recipe.source
    monkeypatch.setitem(sys.modules, "emoji", None)
    assert chosen(shipped, examples) == without_recipe


def test_the_expert_may_be_asked_to_read_pictures(shipped: Pair, bare: Pair, examples: tuple[Example, ...]) -> None:
    validation, test = (of_split(examples, split) for split in ("validation", "test"))
    found = calibration_set(
        shipped, validation=validation, test=test, samples=500, texts=new_texts(shipped.folder, 500),
        expert_reads="pictures",
    )  # fmt: skip
    assert found == chosen(bare, examples)


def test_a_file_of_the_users_own_comes_first(bare: Pair, examples: tuple[Example, ...]) -> None:
    pictured = [replace(example, id=f"mine-{example.id}") for example in of_split(examples, "validation")[:3]]
    texts = [replace(example, id=f"text-{example.id}", images=(), question="cat") for example in pictured]
    write_examples([*pictured, *texts], bare.folder / FILE)
    found = chosen(bare, examples)
    assert (set(found.vlm), set(found.expert), found.source) == (set(pictured), set(texts), FILE)


@pytest.mark.parametrize("renamed", [False, True], ids=["same id", "another id"])
def test_test_examples_in_it_are_refused(bare: Pair, examples: tuple[Example, ...], renamed: bool) -> None:
    leaked = of_split(examples, "test")[5]
    write_examples([replace(leaked, id="mine") if renamed else leaked], bare.folder / FILE)
    with pytest.raises(UsageError, match="1 of its examples are test examples"):
        chosen(bare, examples)


def test_data_on_the_hub_is_asked_for_and_not_replaced(bare: Pair, examples: tuple[Example, ...]) -> None:
    named = replace(bare, calibration={"vlm": {"dataset": "hf://somebody/something"}})
    with pytest.raises(UsageError, match=r"names calibration data on the hub.*calibration\.parquet"):
        chosen(named, examples)


def test_texts_alone_leave_the_vlm_without(bare: Pair, examples: tuple[Example, ...]) -> None:
    write_examples([Example("t", "skill", "cat", (), "ねこ")], bare.folder / FILE)
    with pytest.raises(MergeError, match="no calibration examples for the VLM"):
        chosen(bare, examples)


def test_both_models_read_questions_as_the_evaluation_asks_them(
    loaded: LoadedPair, shipped: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(loaded: LoadedPair, example: Example, prompts: Prompts) -> tuple[dict, int]:
        asked.append(prompts.text(example))
        return encode(loaded, example, prompts)

    monkeypatch.setattr(calibration, "encode", noted)
    monkeypatch.setattr(loaded.processor, "chat_template", "{% for m in messages %}Q: {{ m['content'] }}{% endfor %}")
    for used in (True, False):
        pair = replace(shipped, evaluation={"kind": "local", "chat_template": used})
        calibrated(pair, loaded, registry.get("regmean"), 1)
        assert [text.startswith("Q: ") for text in asked] == [used] * 2
        asked.clear()


def test_a_named_folder_of_calibration_questions_is_read(bare: Pair, examples: tuple[Example, ...]) -> None:
    """It was left aside, and validation questions taken in its place."""
    (bare.folder / "own").mkdir()
    own = [Example(f"own-{i}", "all", f"of our own {i}", examples[0].images[: i % 2], "a") for i in range(6)]
    for place in range(2):
        write_examples(own[place::2], bare.folder / "own" / f"part-{place}.parquet")
    found = calibration_set(
        replace(bare, calibration={"examples": "own"}), validation=of_split(examples, "validation"), test=(), samples=9
    )
    assert {one.id for one in (*found.vlm, *found.expert)} == {one.id for one in own}
    assert found.source == "own"
