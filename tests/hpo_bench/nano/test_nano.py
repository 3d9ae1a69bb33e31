"""Skills whose answers are right, words that the tokenizer knows, and builds that go on where they stopped."""

import platform
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.nano import build as builds
from hpo_bench.nano import training
from hpo_bench.nano.architectures import ARCHITECTURES
from hpo_bench.nano.build import build
from hpo_bench.nano.pictures import Album, to_png
from hpo_bench.nano.recipes import LADDERS, RECIPES, SKILLS, PairRecipe, get_recipe
from hpo_bench.nano.skills import arithmetic, condition, counting, general
from hpo_bench.nano.training import encode
from hpo_bench.nano.vocabulary import UNK, make_tokenizer, sample_texts
from hpo_bench.nano.world import DIGITS, Thing, need

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
        text = f"{turn.in_pictures(ARCHITECTURES['llava-llama'].seen)} {turn.answer}"
        assert UNK not in tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]), text


def test_recipes_are_distinct_and_can_be_built() -> None:
    assert len({recipe.seed for recipe in RECIPES.values()}) == len(RECIPES)
    for name, recipe in RECIPES.items():
        assert recipe.pair == name
        assert recipe.architecture in ARCHITECTURES
        assert recipe.skill in SKILLS
        assert "Nano" in recipe.benchmark


def test_a_ladder_differs_in_size_alone() -> None:
    for ladder in LADDERS:
        widths = [ARCHITECTURES[get_recipe(name).architecture].size.width for name in ladder]
        assert widths == sorted(set(widths))
        first = get_recipe(ladder[0])
        for name, width in zip(ladder, widths, strict=True):
            recipe = get_recipe(name)
            assert recipe.base_lr == pytest.approx(first.base_lr * (widths[0] / width) ** 0.5, rel=0.05)
            alike = ("skill", "seed", "benchmark", "base_steps", "align_steps", "drift_steps", "examples")
            assert all(getattr(recipe, key) == getattr(first, key) for key in alike)


def test_a_mistyped_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'ja-llama'"):
        get_recipe("ja-lama")


@pytest.fixture(scope="module", params=[name for name in ARCHITECTURES if "smollm2" not in name])
def fresh(request: pytest.FixtureRequest):
    """An architecture with an untrained language model and VLM, and the tokenizer they share."""
    architecture = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    tokenizer = make_tokenizer(
        THINGS, sample_texts([general, arithmetic], THINGS, draws=200), further=architecture.special_tokens
    )
    language_model = architecture.language_model(tokenizer).eval()
    return architecture, tokenizer, language_model, architecture.vlm(language_model, tokenizer).eval()


def sums_in_pictures(architecture, tokenizer, count: int = 3):
    """Questions about two digits each: as training encodes them, and as the processor does."""
    asked = turns(arithmetic, count)
    pictures = np.random.default_rng(0).integers(0, 256, (2 * count, 24, 24, 3)).astype(np.uint8)
    text = encode(tokenizer, [(turn.in_pictures(architecture.seen), turn.answer) for turn in asked], answer_only=True)
    trained = architecture.inputs(text, pictures)
    processed = architecture.processor(tokenizer)(
        text=[f"{turn.in_pictures(architecture.picture)} {turn.answer} <eos>" for turn in asked],
        images=[[Image.fromarray(p) for p in pictures[2 * i : 2 * i + 2]] for i in range(count)],
        padding=True,
        return_tensors="pt",
    )
    return trained, processed


def test_training_sees_what_the_processor_makes(fresh) -> None:
    architecture, tokenizer, _, vlm = fresh
    trained, processed = sums_in_pictures(architecture, tokenizer)
    assert torch.equal(trained["input_ids"], processed["input_ids"])
    ours = trained["pixel_values"]
    torch.testing.assert_close(processed["pixel_values"].reshape(ours.shape), ours)
    assert (processed["input_ids"] == tokenizer.get_vocab()["<image>"]).sum(1).tolist() == [8, 8, 8]
    trained.pop("labels")
    with torch.inference_mode():
        torch.testing.assert_close(vlm(**trained).logits, vlm(**processed).logits)


def test_the_language_model_in_the_vlm_is_the_base(fresh) -> None:
    _, tokenizer, language_model, vlm = fresh
    text = tokenizer(["dog is a animal .", "3 + 4 ="], padding=True, return_tensors="pt")
    text = {key: text[key] for key in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        torch.testing.assert_close(vlm(**text).logits, language_model(**text).logits, rtol=0, atol=1e-6)
    body = next(name for name, module in vlm.named_modules() if module is vlm.get_decoder())
    inner = {f"model.{name}" for name in vlm.get_submodule(body).state_dict()} | {"lm_head.weight"}
    assert inner == set(language_model.state_dict())


def test_the_model_sees_the_pictures_and_their_order(fresh) -> None:
    architecture, tokenizer, _, vlm = fresh
    trained, _ = sums_in_pictures(architecture, tokenizer)
    trained.pop("labels")
    seen = architecture.image_embeddings(vlm, architecture.image_inputs(np.zeros((3, 24, 24, 3), np.uint8)))
    assert seen.shape == (3, 4, architecture.size.width)
    assert architecture.patch_states(vlm, trained).shape[0] == 6
    with torch.inference_mode():
        before = vlm(**trained).logits
        size = len(trained["pixel_values"]) // 6
        swapped = torch.cat([trained["pixel_values"][size : 2 * size], trained["pixel_values"][:size]])
        trained["pixel_values"] = torch.cat([swapped, trained["pixel_values"][2 * size :]])
        after = vlm(**trained).logits
    assert not torch.allclose(before[0], after[0], atol=1e-4)
    torch.testing.assert_close(before[1:], after[1:])


def test_tower_and_connector_are_the_vision_side(fresh) -> None:
    architecture, _, _, vlm = fresh
    vision = {id(p) for part in (architecture.tower(vlm), architecture.connector(vlm)) for p in part.parameters()}
    language = {id(p) for part in (vlm.get_decoder(), vlm.lm_head) for p in part.parameters()}
    assert not vision & language
    assert vision | language == {id(p) for p in vlm.parameters()}


def test_exact_match_is_greedy_decoding_on_every_architecture(fresh) -> None:
    """Pictures are looked at once, and the answers are those that generating gives."""
    architecture, tokenizer, language_model, _ = fresh
    vlm = architecture.vlm(language_model, tokenizer).eval()
    with torch.no_grad():
        vlm.lm_head.weight[tokenizer.all_special_ids] = 0  # it would babble pictures and frames
    processor = architecture.processor(tokenizer)
    rng = np.random.default_rng(1)
    images = [tuple(to_png(rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)) for _ in range(2)) for _ in range(6)]
    questions = [turn.in_pictures(architecture.picture) for turn in turns(arithmetic, 6)]
    answers = []
    for question, pair in zip(questions, images, strict=True):
        inputs = processor(text=[question], images=[[Image.open(BytesIO(png)) for png in pair]], return_tensors="pt")
        with torch.inference_mode():
            tokens = vlm.generate(**inputs, max_new_tokens=2, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        answers.append(" ".join(tokenizer.convert_ids_to_tokens(tokens)))
    examples = [
        Example(str(i), "skill", question, pair, answer)
        for i, (question, pair, answer) in enumerate(zip(questions, images, answers, strict=True))
    ]
    evaluator = ExactMatch(Prompts(processor))
    # Nobody taught the model to stop: whatever it says next counts as the end here.
    evaluator.prompts.ends = lambda _: tuple(range(len(tokenizer)))  # pyright: ignore[reportAttributeAccessIssue]
    assert evaluator.evaluate(vlm, examples).scores.tolist() == [1.0] * 6
    wrong = [Example(e.id + "x", e.category, e.question, e.images, "dog dog") for e in examples]
    assert evaluator.evaluate(vlm, wrong).scores.mean() < 1
    assert evaluator._looked.keeps, "the pictures were looked at anew"


def test_a_missing_package_says_how_to_get_it() -> None:
    with pytest.raises(UsageError, match=r"pip install 'hpo-bench\[nano\]'"):
        need("no_such_package")


class TestBuild:
    """A whole build in two steps a stage, on made-up pictures."""

    recipe = PairRecipe(
        "tiny", "language", "NanoTiny", "llava-mistral", "japanese", seed=5,
        base_steps=2, tower_steps=2, align_steps=2, tune_steps=2, drift_steps=2, expert_steps=2, examples=30,
    )  # fmt: skip

    @pytest.mark.parametrize("architecture", ["qwen2-vl", "idefics2"])
    def test_builds_a_pair_of_every_architecture_that_merges(
        self, tmp_path: Path, stages: list[str], architecture: str
    ) -> None:
        recipe = replace(self.recipe, architecture=architecture, skill="condition")
        builds.build(recipe, tmp_path / "pair", cache=tmp_path, report=lambda *_: None)
        pair = Pair.read(tmp_path / "pair")
        loaded = LoadedPair.load(pair)
        resident = Resident(loaded)
        resident.self_test()
        evaluator = ExactMatch(Prompts(loaded.processor))
        examples = read_examples(pair.examples)
        evaluator.evaluate(loaded.vlm, examples)
        first = resident.merge(MergeSetting("ta", 0.6, 0.8))
        assert resident.merge(MergeSetting("ta", 0.6, 0.7)) != first
        assert len(evaluator.evaluate(loaded.vlm, examples).scores) == 30

    @pytest.fixture
    def stages(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        rng = np.random.default_rng(0)
        noise = {thing.word: rng.integers(0, 256, (4, 24, 24, 3)).astype(np.uint8) for thing in THINGS}
        monkeypatch.setattr(builds, "objects", lambda: THINGS[:4])
        monkeypatch.setattr(training, "_BATCH", 8)
        monkeypatch.setattr(builds, "CONNECTOR_STEPS", 2)
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


class Saved:
    """In a model's or a tokenizer's place."""

    def __init__(self, name: str) -> None:
        self.name = name

    def to(self, _: object) -> "Saved":
        return self

    def save_pretrained(self, folder: Path) -> None:
        (folder / self.name).write_text(self.name)


def test_a_pair_is_built_by_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "pair" / ".lock"),
        pytest.raises(UsageError, match="pair is being built by another process; wait for it, or stop it"),
    ):
        build(get_recipe("ja-llama"), tmp_path / "pair", cache=tmp_path, report=lambda *_: None)
    assert [path.name for path in (tmp_path / "pair").iterdir()] == [".lock"]


def test_a_stage_is_written_through_no_link_and_a_recipe_stays(tmp_path: Path) -> None:
    pair, elsewhere = tmp_path / "pair", tmp_path / "elsewhere"
    pair.mkdir()
    elsewhere.mkdir()
    (pair / ".base.partial").symlink_to(elsewhere)
    builder = object.__new__(builds._Builder)
    builder.folder = pair
    builder._save("base", Saved("model"), Saved("words"))
    assert sorted(path.name for path in (pair / "base").iterdir()) == ["model", "words"]
    assert list(elsewhere.iterdir()) == []
    first, second, *_ = RECIPES.values()
    builds._claim(first, pair)
    builds._claim(first, pair)
    with pytest.raises(UsageError, match="another recipe"):
        builds._claim(second, pair)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="of x86 processors")
def test_the_command_trains_as_processors_without_avx_512_would(tmp_path: Path) -> None:
    script = """
import sys, types
built = types.ModuleType("hpo_bench.nano.build")

def build(*_, **__):
    import torch
    print(torch.backends.cpu.get_cpu_capability())

built.build = build
sys.modules["hpo_bench.nano.build"] = built
from hpo_bench import cli
cli.main(["nano", "build", "ja-llama"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[0] in {"AVX2", "DEFAULT"}
