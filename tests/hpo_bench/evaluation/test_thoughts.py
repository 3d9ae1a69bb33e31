"""Thoughts are no answers."""

import pytest

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
        ("a < b and b > c", "", "a < b and b > c"),
    ],
)
def test_what_is_said_when_thoughts_are_over(text: str, opened: str, answer: str) -> None:
    assert without_thoughts(text, opened) == answer


def test_a_prompt_may_open_thoughts() -> None:
    assert opened_by("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opened_by("<think>\n\n</think>\n\n") == ""
