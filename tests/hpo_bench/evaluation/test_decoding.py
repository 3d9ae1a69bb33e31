"""Our own decoding says what transformers' `generate` says, looks at pictures once, and lets rows go that are over."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import families
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.decoding.endings import LOOP, TURNS, Loops, loop_end
from hpo_bench.evaluation.examples import IMAGE, Example
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.metrics import METRICS, ByRule
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting


@pytest.mark.parametrize("name", ["llava", "qwen2.5-vl", "llava-next"])
def test_answers_are_those_of_generate(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = LoadedPair.load(Pair.read(families.build(tmp_path, name)))
    examples = families.examples(30)
    prompts = Prompts(loaded.processor)
    asks = Generation(prompts, ByRule(METRICS["contains"]), batch_size=8, max_new_tokens=7)
    resident = Resident(loaded)
    looked: list[int] = []
    whole = type(loaded.vlm.model).forward
    monkeypatch.setattr(type(loaded.vlm.model), "forward", lambda *a, **k: looked.append(1) or whole(*a, **k))
    for weights in ((0.5, 0.5), (0.2, 1.1)):
        resident.merge(MergeSetting("ta", *weights))
        ours, endless = asks.respond(loaded.vlm, examples)
        before = len(looked)
        theirs, astray = asks.generated(loaded.vlm, examples)
        assert ours == theirs
        assert len(set(ours)) > 1
        assert np.array_equal(endless, astray)
    assert asks._decodes
    looked.clear()
    resident.merge(MergeSetting("ta", 0.7, 0.3))
    asks.respond(loaded.vlm, examples)
    assert not looked, f"the whole model ran {len(looked)} times, {before} before"


def test_a_trained_model_says_the_same_in_either_way() -> None:
    loaded = LoadedPair.load(find_pair("ja-llama"))
    Resident(loaded).merge(MergeSetting("ta", 0.4, 0.9))
    some = read_own(find_pair("ja-llama")).examples[:80]
    asks = Generation(Prompts(loaded.processor), ByRule(METRICS["exact_match"]), max_new_tokens=12)
    ours, endless = asks.respond(loaded.vlm, some)
    theirs, astray = asks.generated(loaded.vlm, some)
    assert (ours, endless.tolist()) == (theirs, astray.tolist())
    assert len(set(ours)) > 20
    assert asks._decodes


def test_a_decoder_that_is_answered_otherwise_is_left_to_generate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpo_bench.evaluation import generation

    loaded = LoadedPair.load(Pair.read(families.build(tmp_path, "llava")))
    asks = Generation(Prompts(loaded.processor), ByRule(METRICS["contains"]), batch_size=8, max_new_tokens=4)
    wrong = lambda model, prompts, most, **_: torch.full((len(prompts), most), 9)  # noqa: E731
    monkeypatch.setattr(generation, "decode", wrong)
    some = families.examples(10)
    assert asks.respond(loaded.vlm, some)[0] == asks.generated(loaded.vlm, some)[0]
    assert asks._decodes is False


def test_endless_answers_end_where_they_are_cut_while_they_are_written() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        tokens: Any = rng.integers(3, 6, size=int(rng.integers(0, 12))).tolist()
        block = rng.integers(3, 6, size=int(rng.integers(1, LOOP + 3))).tolist()
        tokens += block * int(rng.integers(0, 3 * TURNS))
        most = int(rng.integers(4, 64))
        loops, expected = Loops(0, [1], most=most), None
        for length in range(1, len(tokens) + 1):
            if bool(loops(torch.tensor([tokens[:length]]), None).any()):
                expected = length
                break
        assert loop_end(tokens, most=most) == expected
        found += expected is not None
    assert 50 < found < 290


@pytest.mark.parametrize(
    "answer",
    [[1, *[0] * 9], [8, *[5, 6] * 12, 7], [*[3, 4, 5] * 8, 9]],
    ids=["a thousand million, digit by digit", "a table's line", "eight birds of one colour"],
)
def test_what_numbers_and_tables_repeat_is_not_endless(answer: list[int]) -> None:
    assert loop_end(answer, most=64) is None
    assert not Loops(0, [2], most=64)(torch.tensor([answer]), None).any()
    assert loop_end([*answer, *[4] * 40], most=64) == len(answer) + 30


@pytest.mark.parametrize("padding", ["<|endoftext|>", None])
def test_nothing_behind_the_end_of_an_answer_is_said(tmp_path: Path, padding: str | None) -> None:
    """Tokenizers of fine-tunes may not know the end of a turn as special, nor have a token for padding or an end."""
    loaded = LoadedPair.load(Pair.read(families.build(tmp_path, "qwen2-vl")))
    processor = loaded.processor
    asks = lambda: Generation(Prompts(processor), ByRule(METRICS["contains"]), batch_size=4, max_new_tokens=8)  # noqa: E731
    examples = families.examples(8)
    expected = asks().respond(loaded.vlm, examples)[0]
    usual = processor.tokenizer
    state = json.loads(usual.backend_tokenizer.to_str())
    # Without a token for padding token 0 fills rows up, a word like any other.
    words = ["<|im_end|>", *([] if padding else ["<|endoftext|>"])]
    for token in state["added_tokens"]:
        token["special"] = token["content"] not in words
    named = {} if padding is None else {"eos_token": padding, "pad_token": padding}
    processor.tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)), **named)
    for name in ("image_token", "video_token", "image_token_id", "video_token_id"):
        setattr(processor.tokenizer, name, getattr(usual, name))
    if padding is None:
        loaded.vlm.generation_config.eos_token_id = [usual.convert_tokens_to_ids("<|im_end|>")]
    assert asks().respond(loaded.vlm, examples)[0] == expected
    assert asks().generated(loaded.vlm, examples)[0] == expected


def test_penalties_of_prompts_change_nothing(tmp_path: Path) -> None:
    loaded = LoadedPair.load(Pair.read(families.build(tmp_path, "llava")))
    asks = Generation(Prompts(loaded.processor), ByRule(METRICS["contains"]), batch_size=4, max_new_tokens=8)
    examples = families.examples(8)
    expected = asks.generated(loaded.vlm, examples)[0]
    given = {"encoder_repetition_penalty": 50.0, "encoder_no_repeat_ngram_size": 1, "return_dict_in_generate": True}
    loaded.vlm.generation_config.update(**given)
    assert asks.generated(loaded.vlm, examples)[0] == expected


def test_pictures_may_come_when_a_question_is_asked(loaded: LoadedPair, questions: tuple[Example, ...]) -> None:
    examples = [replace(one, question=IMAGE + one.question.replace(IMAGE, "")) for one in questions[:4]]
    fetched = {one.id: one for one in examples}
    prompts, scores = Prompts(loaded.processor), ByRule(METRICS["contains"])
    later = Generation(prompts, scores, max_new_tokens=3, asked=lambda one: fetched[one.id])
    bare = [replace(one, images=()) for one in examples]
    usual = Generation(Prompts(loaded.processor), ByRule(METRICS["contains"]), max_new_tokens=3)
    assert later.respond(loaded.vlm, bare)[0] == usual.respond(loaded.vlm, examples)[0]
    assert later.dialogue(loaded.vlm, bare[:1]).prompts == usual.dialogue(loaded.vlm, examples[:1]).prompts
    told = later.respond(loaded.vlm, bare)[0]
    fetched.clear()
    assert later.respond(loaded.vlm, bare)[0] == told, "and are fetched once"
