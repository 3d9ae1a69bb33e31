"""Thoughts are no answers."""

import families
import pytest

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.asking.thoughts import opened_by, without_thoughts


@pytest.mark.parametrize(
    ("text", "opened", "answer"),
    [
        ("42", "", "42"),
        ("<think>\n40 + 2\n</think>\n\n42", "", "42"),
        ("40 + 2</think>42", "<think>", "42"),
        ("40 + 2</think>42", "", "42"),
        ("<think></think>4<think>hm</think>2", "", "42"),
        ("<think>40 +", "", ""),
        ("40 +", "<think>", ""),
        ("<thinking>x</think></thinking>42", "", "42"),
        ("[THINK]40 + 2[/THINK]42", "", "42"),
        ("40 + 2◁/think▷42", "◁think▷", "42"),
        ("[THINK]40 +", "", ""),
        ("<think>40 + 2</think><answer><|begin_of_box|>42<|end_of_box|></answer>", "", "42"),
        ("40 + 2</think>It is <|begin_of_box|>42<|end_of_box|>.", "<think>", "42"),
        ("Not <answer>41</answer>, but <answer> 42 </answer>", "", "42"),
        ("<answer>42", "", "42"),
        ("42</answer>", "", "42"),
        ("<answer>42</answer>\n<answer>", "", "42"),
        ("<answer></answer>", "", ""),
        ("the answer", "", "the answer"),
        ("a < b and b > c", "", "a < b and b > c"),
    ],
)
def test_what_is_said_when_thoughts_are_over(text: str, opened: str, answer: str) -> None:
    assert without_thoughts(text, opened) == answer


@pytest.mark.parametrize("tags", [("<think>", "</think>"), ("[THINK]", "[/THINK]")])
@pytest.mark.parametrize("name", ["llava", "qwen2-vl"])
def test_tags_that_are_special_tokens_are_seen(name: str, tags: tuple[str, str]) -> None:
    processor = families.processor(name)
    processor.tokenizer.add_special_tokens({"additional_special_tokens": list(tags)})
    prompts, tokenizer = Prompts(processor), processor.tokenizer
    said = tokenizer(f"{tags[0]} the cat {tags[1]} the dog", add_special_tokens=False)["input_ids"]
    text = prompts.decode([*said, tokenizer.eos_token_id, tokenizer.pad_token_id])
    assert text.startswith(tags[0])
    assert without_thoughts(text) == "the dog"


def test_a_prompt_may_open_thoughts() -> None:
    assert opened_by("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opened_by("<think>\n\n</think>\n\n") == ""
