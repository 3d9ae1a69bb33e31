"""Thoughts that a model writes before its answer, and marks that it writes around it."""

import re

_TAG = r"<(?:think|thinking|thought|reasoning)>|\[THINK\]|◁think▷"
_CLOSING = r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|◁/think▷"
_ANY = re.compile(f"{_TAG}|{_CLOSING}")
_OPENED = re.compile(rf"({_TAG})\s*$")
_WHOLE = re.compile(
    r"<(think|thinking|thought|reasoning)>.*?</\1>|\[THINK\].*?\[/THINK\]|◁think▷.*?◁/think▷", re.DOTALL
)
_BEFORE = re.compile(rf".*(?:{_CLOSING})", re.DOTALL)
_UNENDED = re.compile(rf"(?:{_TAG}).*", re.DOTALL)
_MARKS = (("<answer>", "</answer>"), ("<|begin_of_box|>", "<|end_of_box|>"))
"""Around the answers of models trained by reinforcement, and of GLM's, which may write both."""


def is_tag(token: str) -> bool:
    """Whether a token opens or closes thoughts."""
    return _ANY.fullmatch(token) is not None


def opened_by(prompt: str) -> str:
    """The tag with which a prompt opens the answer's thoughts, so that none stands in the answer; "" if it does not."""
    found = _OPENED.search(prompt)
    return found[1] if found else ""


def without_thoughts(text: str, opened: str = "") -> str:
    """What is said when thoughts are over, or of that what is marked as the answer; nothing where they never are.

    Args:
        text: What a model wrote, with thoughts between tags such as `<think>` and `</think>`, or `[THINK]`.
        opened: The tag that the prompt opened, if any.
    """
    said = _WHOLE.sub("", f"{opened}{text}")
    # Some models close thoughts that they never opened.
    said = _UNENDED.sub("", _BEFORE.sub("", said))
    for mark, end in _MARKS:
        # The last that holds something, which may have been cut before its end, or begun by the prompt.
        parts = said.split(mark)
        marked = [part.partition(end)[0] for part in parts[1:] or parts]
        said = next((part for part in reversed(marked) if part.strip()), "")
    return said.strip()
