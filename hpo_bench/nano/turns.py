"""One exchange between a user and a model, in words or with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpo_bench.nano.world import Thing

IMAGE = "<image>"


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
