"""Splitting by hash, and exact match against real greedy decoding."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, of_split
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting


def test_a_fifth_is_validation_whatever_the_order() -> None:
    examples = [Example(f"e{i}", "skill", "", (), "") for i in range(4000)]
    validation = of_split(examples, "validation")
    assert len(validation) / 4000 == pytest.approx(0.2, abs=0.02)
    assert set(validation) == set(of_split(examples[::-1], "validation"))
    assert not set(validation) & set(of_split(examples, "test"))


def test_standard_error_is_that_of_the_mean() -> None:
    answers = Answers.of((), np.array([0.0, 1.0, 1.0, 1.0]))
    assert answers.score == 0.75
    assert answers.standard_error == pytest.approx(0.25)


def generated(loaded: LoadedPair, example: Example) -> str:
    images = [Image.open(BytesIO(png)) for png in example.images]
    inputs = loaded.processor(text=[example.question], images=[images], return_tensors="pt")
    with torch.inference_mode():
        tokens = loaded.vlm.generate(**inputs, max_new_tokens=24, do_sample=False)
    new = tokens[0, inputs["input_ids"].shape[1] :]
    return loaded.processor.tokenizer.decode(new, skip_special_tokens=True)


def test_exact_match_is_what_greedy_decoding_would_give(questions: tuple[Example, ...], loaded: LoadedPair) -> None:
    loaded.write_language(merge(loaded, MergeSetting("ta", 0.6, 0.8), mask_seed=0))
    examples = questions[:48]
    scores = ExactMatch(Prompts(loaded.processor)).evaluate(loaded.vlm, examples).scores
    tokenizer = loaded.processor.tokenizer
    decoded = [generated(loaded, example) for example in examples]
    right = [
        tokenizer(text, add_special_tokens=False)["input_ids"]
        == tokenizer(example.answer, add_special_tokens=False)["input_ids"]
        for text, example in zip(decoded, examples, strict=True)
    ]
    assert scores.tolist() == [float(value) for value in right]
    assert 0 < sum(right) < len(right)


def test_any_of_several_right_answers_is_right(questions: tuple[Example, ...], loaded: LoadedPair) -> None:
    loaded.write_language(merge(loaded, MergeSetting("ta", 0.6, 0.8), mask_seed=0))
    examples = questions[:24]
    evaluator = ExactMatch(Prompts(loaded.processor))
    alone = evaluator.evaluate(loaded.vlm, examples).scores
    wrong = [replace(example, answer="3 4 5", others=("犬", example.answer, "犬")) for example in examples]
    assert 0 < alone.sum() < len(alone)
    assert evaluator.evaluate(loaded.vlm, wrong).scores.tolist() == alone.tolist()
    fresh = ExactMatch(Prompts(loaded.processor))  # inputs are kept by id
    assert fresh.evaluate(loaded.vlm, [replace(one, others=()) for one in wrong]).scores.sum() == 0


def test_scores_do_not_depend_on_company_or_order(questions: tuple[Example, ...], loaded: LoadedPair) -> None:
    loaded.write_language(merge(loaded, MergeSetting("ta", 0.6, 0.6), mask_seed=0))
    examples = questions[:60]
    evaluator = ExactMatch(Prompts(loaded.processor))
    whole = evaluator.evaluate(loaded.vlm, examples).scores
    assert evaluator.evaluate(loaded.vlm, examples[::-1]).scores.tolist() == whole[::-1].tolist()
    assert evaluator.evaluate(loaded.vlm, examples[10:20]).scores.tolist() == whole[10:20].tolist()
