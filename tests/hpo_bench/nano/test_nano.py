"""Skills whose answers are right, words that the tokenizer knows, and builds that go on where they stopped."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import read_examples
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.nano import build as builds
from hpo_bench.nano.architectures import ARCHITECTURES
from hpo_bench.nano.extra import need
from hpo_bench.nano.pictures import Album
from hpo_bench.nano.recipes import RECIPES, SKILLS, Recipe, get_recipe
from hpo_bench.nano.skills.general import general
from hpo_bench.nano.skills.instructions import condition
from hpo_bench.nano.skills.maths import arithmetic, counting
from hpo_bench.nano.vocabulary import UNK, make_tokenizer, sample_texts
from hpo_bench.nano.world import DIGITS, Thing

THINGS = (
    Thing("dog", "animal", "イヌ", "狗", "🐶"),
    Thing("cat", "animal", "ネコ", "猫", "🐱"),
    Thing("lemon", "food", "レモン", "柠檬", "🍋"),
    Thing("taxi", "vehicle", "タクシー", "出租车", "🚕"),
    *DIGITS,
)


def turns(skill, count: int = 300):
    rng = np.random.default_rng(0)
    return [skill(rng, THINGS) for _ in range(count)]


def test_sums_are_right() -> None:
    for turn in turns(arithmetic):
        expression = turn.in_words().removesuffix(" =").replace("x", "*")
        first, sign, second = expression.split()
        result = {"+": int(first) + int(second), "-": int(first) - int(second), "*": int(first) * int(second)}[sign]
        assert int(turn.answer.replace(" ", "")) == result


def test_counts_and_comparisons_are_right() -> None:
    for turn in turns(counting):
        words = [thing.word for thing in turn.things]
        if "which is" in turn.template:
            assert turn.answer == (max(words) if "larger" in turn.template else min(words))
        else:
            kind = turn.template.split()[-2]
            assert int(turn.answer) == sum(thing.kind == kind for thing in turn.things)


def test_conditions_are_met() -> None:
    for turn in turns(condition):
        words = turn.template.split()
        if "only" in words:
            kind = words[-2]
            assert [thing.word for thing in turn.things if thing.kind == kind] == [turn.answer]
        else:
            (thing,) = turn.things
            chosen = words[4] if words[2] == thing.kind else words[-2]
            assert turn.answer == {"name": thing.word, "kind": thing.kind, "skip": "skip"}[chosen]


@pytest.mark.parametrize("name", [*SKILLS, "general"])
def test_the_tokenizer_knows_every_word(name: str) -> None:
    every = [*SKILLS.values(), general]
    tokenizer = make_tokenizer(THINGS, sample_texts(every, THINGS, draws=400))
    for turn in turns({**SKILLS, "general": general}[name]):
        text = f"{turn.in_pictures(4)} {turn.answer}"
        assert UNK not in tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]), text


def test_recipes_are_distinct_and_can_be_built() -> None:
    assert len({recipe.seed for recipe in RECIPES.values()}) == len(RECIPES)
    for name, recipe in RECIPES.items():
        assert recipe.pair == name
        assert recipe.architecture in ARCHITECTURES
        assert recipe.skill in SKILLS
        assert "Nano" in recipe.benchmark


def test_a_mistyped_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'ja-llama'"):
        get_recipe("ja-lama")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_training_sees_what_the_processor_makes(name: str) -> None:
    architecture = ARCHITECTURES[name]
    tokenizer = make_tokenizer(THINGS, sample_texts([general], THINGS, draws=100))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3)).astype(np.uint8)
    processor = architecture.processor(tokenizer)
    texts = ["<image> what is this ?"] * 2
    inputs = processor(text=texts, images=[[Image.fromarray(p)] for p in pictures], return_tensors="pt")
    ours = architecture.image_inputs(pictures)
    torch.testing.assert_close(inputs["pixel_values"].reshape(ours["pixel_values"].shape), ours["pixel_values"])
    assert (inputs["input_ids"] == tokenizer.get_vocab()["<image>"]).sum(1).tolist() == [4, 4]


def test_a_missing_package_says_how_to_get_it() -> None:
    with pytest.raises(UsageError, match=r"pip install 'hpo-bench\[nano\]'"):
        need("no_such_package")


class TestBuild:
    """A whole build in two steps a stage, on made-up pictures."""

    recipe = Recipe(
        "tiny", "language", "NanoTiny", "llava-mistral", "japanese", seed=5,
        base_steps=2, tower_steps=2, align_steps=2, tune_steps=2, drift_steps=2, expert_steps=2, examples=30,
    )  # fmt: skip

    @pytest.fixture
    def stages(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        rng = np.random.default_rng(0)
        noise = {thing.word: rng.integers(0, 256, (4, 24, 24, 3)).astype(np.uint8) for thing in THINGS}
        monkeypatch.setattr(builds, "objects", lambda: THINGS[:4])
        monkeypatch.setattr(builds, "make_album", lambda *_, **__: Album(seen=noise, unseen=noise))
        return []

    def build(self, folder: Path, stages: list[str], stop_at: str | None = None) -> None:
        def report(stage: str, done: int, total: int, loss: float) -> None:
            if stage == stop_at:
                raise KeyboardInterrupt
            stages.append(stage)

        builds.build(self.recipe, folder, cache=folder, report=report)

    def test_builds_a_pair_that_loads_and_resumes_to_the_same_weights(self, tmp_path: Path, stages: list[str]) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.build(tmp_path / "a", stages, stop_at="tuning")
        assert not (tmp_path / "a" / "vlm").exists()
        stages.clear()
        self.build(tmp_path / "a", stages)
        assert "base" not in stages
        assert "expert" in stages
        self.build(tmp_path / "b", [])
        first, second = Pair.read(tmp_path / "a"), Pair.read(tmp_path / "b")
        assert first.file_hashes() == second.file_hashes()
        assert read_examples(first.examples) == read_examples(second.examples)
        loaded = LoadedPair.load(first)
        assert set(loaded.names.values()) == set(loaded.base) == set(loaded.expert)
        assert {example.category for example in read_examples(first.examples)} == {"skill", "general"}

    def test_refuses_a_folder_of_another_recipe(self, tmp_path: Path, stages: list[str]) -> None:
        (tmp_path / "recipe.json").write_text("{}")
        with pytest.raises(UsageError, match="another recipe"):
            self.build(tmp_path, stages)


def test_the_shipped_pair_loads_as_anyone_would_load_it(shipped: Pair) -> None:
    vlm = AutoModelForImageTextToText.from_pretrained(shipped.vlm)
    processor = AutoProcessor.from_pretrained(shipped.vlm)
    assert vlm.dtype == torch.bfloat16
    assert processor.tokenizer.eos_token_id is not None
    for role in (shipped.base, shipped.expert):
        assert AutoModelForCausalLM.from_pretrained(role).config.vocab_size == len(processor.tokenizer)


def test_the_shipped_pair_is_small(shipped: Pair) -> None:
    size = sum(path.stat().st_size for path in shipped.folder.rglob("*") if path.is_file())
    assert size < 12e6
