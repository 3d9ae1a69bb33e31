"""Thoughts that a model writes before its answer, between tags such as `<think>` and `</think>`, or `[THINK]`."""

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


def is_tag(token: str) -> bool:
    """Whether a token opens or closes thoughts."""
    return _ANY.fullmatch(token) is not None


def opened_by(prompt: str) -> str:
    """The tag with which a prompt opens the answer's thoughts, so that none stands in the answer; "" if it does not."""
    found = _OPENED.search(prompt)
    return found[1] if found else ""


def without_thoughts(text: str, opened: str = "") -> str:
    """What is said when thoughts are over; nothing where they never are.

    Args:
        text: What a model wrote.
        opened: The tag that the prompt opened, if any.
    """
    said = _WHOLE.sub("", f"{opened}{text}")
    # Some models close thoughts that they never opened.
    return _UNENDED.sub("", _BEFORE.sub("", said)).strip()
