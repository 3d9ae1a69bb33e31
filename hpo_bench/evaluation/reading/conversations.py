"""Chats as OpenAI and LLaVA write them: the last answer is asked, and what was said before goes before the question."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.evaluation.reading.rows import FlawError, listed, text

_SPEAKERS = ("system", "user", "assistant")
_PLACES = ("image", "image_url", "path", "url")
_ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat up to its last answer.

    Attributes:
        question: The last question, with `<image>` where a picture goes, if the chat says where.
        images: What its parts give as pictures, all turns together; empty where they stand in a column of their own.
        answer: The last answer.
        before: What was said before, a role and a text each: a system prompt first, if there is one, then questions
            and answers in turn.
    """

    question: str
    images: tuple[Any, ...]
    answer: str
    before: tuple[tuple[str, str], ...]


def parse(value: Any) -> Conversation:
    """Read a chat.

    Args:
        value: A list of turns: `role` and `content`, a text or parts of `type` text, image or image_url; or `from` and
            `value`.

    Raises:
        FlawError: If it is no such list, or does not go from a question to an answer.
    """
    value = listed(value)
    if not isinstance(value, list | tuple) or not value:
        raise FlawError("its chat is no list of turns")
    turns = [_turn(one) for one in value]
    system = "\n".join(said for role, said, _ in turns if role == "system" and said.strip())
    spoken = [turn for turn in turns if turn[0] != "system"]
    roles = [role for role, _, _ in spoken]
    if len(roles) % 2 or roles != ["user", "assistant"] * (len(roles) // 2) or not roles:
        raise FlawError(
            f"its chat goes {', '.join(map(repr, roles[:5])) or 'nowhere'}, and not from user to assistant in turn"
        )
    if any(shown for role, _, shown in spoken if role == "assistant"):
        raise FlawError("an answer in its chat has a picture")
    before = tuple((role, said) for role, said, _ in spoken[:-2])
    return Conversation(
        spoken[-2][1],
        tuple(one for _, _, shown in spoken for one in shown),
        spoken[-1][1],
        ((("system", system),) if system else ()) + before,
    )


def said_before(turns: Any) -> tuple[tuple[str, str], ...]:
    """What stands before a question in examples that hpo-bench wrote, a role and a text each.

    Raises:
        FlawError: If somebody made something else of it.
    """
    before = tuple((one["role"], text(one["content"], "one of before")) for one in turns or ())
    if strange := next((role for role, _ in before if role not in _SPEAKERS), None):
        raise FlawError(f"before has a turn by {strange!r}, who is none of system, user and assistant")
    return before


def _turn(value: Any) -> tuple[str, str, tuple[Any, ...]]:
    if not isinstance(value, Mapping):
        raise FlawError(f"a turn of its chat is {type(value).__name__}, not a mapping with role and content")
    role, said = value.get("role", value.get("from")), value.get("content", value.get("value"))
    role = _ROLES.get(str(role), str(role))
    if role not in _SPEAKERS:
        raise FlawError(f"a turn of its chat is by {role!r}, who is none of system, user and assistant")
    if not isinstance(said, list | tuple):
        return role, text(said, f"what {role} says", may_be_empty=role == "system"), ()
    texts, images = [], []
    for part in said:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            texts.append(text(part.get("text"), f"what {role} says", may_be_empty=True))
        elif kind in ("image", "image_url"):
            texts.append(IMAGE)
            shown = next((part[key] for key in _PLACES if part.get(key) is not None), None)
            images += [] if shown is None else [shown]
        else:
            raise FlawError(f"a part of its chat is of type {kind!r}; there are: text, image, image_url")
    return role, "".join(texts), tuple(images)
