"""The things that nano models see and talk about: some seventy emoji and the ten digits."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import IMAGE


def need(package: str) -> Any:
    """Import a package of the extra `nano`.

    Raises:
        UsageError: If it is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(f"building needs the package {package}: pip install 'hpo-bench[nano]'") from error


# Chosen for being drawn alike: by hand, then without those that a vision tower trained on five vendors' drawings knew
# in fewer than 28% of the sixth's. Their names come from the package `emoji` (Unicode CLDR).
KINDS: dict[str, tuple[str, str, str]] = {
    "animal": (
        "動物",
        "动物",
        "🐶🐱🐰🐼🦁🐷🐧🦆🦄🦋🐢🐍🦀🐟🐬🐘🐐🦌",
    ),
    "food": ("食べ物", "食物", "🍋🍌🍉🍇🍒🍑🍅🥑🥕🍞🍔🥚🍩🍪🍍🥞"),
    "vehicle": ("乗り物", "车船", "🚗🚕🚌🚑🚜🚁🚀⛵🛶"),
    "plant": ("植物", "植物", "🌵🌷🌹🌻🌺"),
    "clothing": ("服", "衣服", "👖👗"),
    "instrument": ("楽器", "乐器", "🎸🎺🎻🎷"),
    "tool": ("道具", "工具", "🔨🔧🔑✂🔦"),
    "sport": ("スポーツ", "运动", "🏀🏐🎳"),
    "furniture": ("家具", "家具", "🛏🚪🛁🚽"),
    "sky": ("空", "天空", "⭐☀☁🌈❄🔥"),
}
NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a picture and names.

    Attributes:
        word: Its English name, one token.
        kind: Its kind in English, a key of `KINDS` or "number".
        ja: Its Japanese name.
        zh: Its Chinese name.
        emoji: The character that pictures are drawn for; empty for digits.
        tr: Its Turkish name.
    """

    word: str
    kind: str
    ja: str = ""
    zh: str = ""
    emoji: str = ""
    tr: str = ""


DIGITS: tuple[Thing, ...] = tuple(Thing(word=str(digit), kind=NUMBER) for digit in range(10))


def objects() -> tuple[Thing, ...]:
    """Every emoji of `KINDS` as a thing, in that order.

    Raises:
        UsageError: If the package `emoji` is missing (the extra `nano`).
    """
    emoji = need("emoji")
    emoji.config.load_language(["ja", "zh", "tr"])
    things = []
    for kind, (_, _, characters) in KINDS.items():
        for character in characters:
            names = emoji.EMOJI_DATA.get(character) or emoji.EMOJI_DATA[character + "\ufe0f"]
            en, ja, zh, tr = (names[language].strip(":") for language in ("en", "ja", "zh", "tr"))
            things.append(
                Thing(
                    word=en.removesuffix("_face").replace("_", "-"),
                    kind=kind,
                    ja=ja.removesuffix("の顔"),
                    zh=zh.removesuffix("脸").removesuffix("头"),
                    emoji=character,
                    tr=tr.replace("_", " ").removesuffix(" yüzü"),
                )
            )
    return tuple(things)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question about things, and its answer.

    The same template serves both worlds: where a text model reads the things' words, a vision-language model sees
    their pictures.

    Attributes:
        template: The question, with `{}` for each thing.
        things: What fills the template.
        answer: The one right answer.
    """

    template: str
    things: tuple[Thing, ...]
    answer: str

    def in_words(self, repeat: int = 1) -> str:
        """The question for a text model, each word said `repeat` times, as often as a picture has tokens."""
        return self.template.format(*(" ".join([thing.word] * repeat) for thing in self.things))

    def in_pictures(self, picture: str = IMAGE) -> str:
        """The question for a vision-language model, with `picture` where a picture goes."""
        return self.template.format(*(picture for _ in self.things))


class Skill(Protocol):
    """Something a model can be good at: an endless supply of turns."""

    def __call__(self, rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
        """Draw a turn about some of the things."""
        ...


def pick(rng: np.random.Generator, things: Sequence[Thing]) -> Thing:
    """One of the things, all equally likely."""
    return things[int(rng.integers(len(things)))]


def guess_kind(rng: np.random.Generator, thing: Thing, things: Sequence[Thing]) -> tuple[str, bool]:
    """A kind to ask about, right in half of all cases, and whether it is right."""
    if rng.random() < 0.5:
        return thing.kind, True
    others = sorted({other.kind for other in things} - {thing.kind})
    return others[int(rng.integers(len(others)))], False
