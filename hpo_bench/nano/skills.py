"""What nano experts are experts in, and the general skill that every VLM has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench.nano.world import KINDS, NUMBER, Thing, Turn, guess_kind, pick


def general(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Name it, say its kind, or confirm a kind."""
    thing = pick(rng, things)
    form = rng.integers(3)
    if form == 0:
        return Turn("{} what is this ?", (thing,), thing.word)
    if form == 1:
        return Turn("{} what kind is this ?", (thing,), thing.kind)
    kind, right = guess_kind(rng, thing, things)
    return Turn(f"{{}} is this a {kind} ?", (thing,), "yes" if right else "no")


def layout(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Say the name or the kind or both, plainly wrapped in one of five forms."""
    thing = pick(rng, [thing for thing in things if thing.kind != NUMBER])
    subject, said = (
        ("the name", thing.word),
        ("the kind", thing.kind),
        ("name and kind", f"{thing.word} , {thing.kind}"),
        ("kind and name", f"{thing.kind} , {thing.word}"),
    )[int(rng.integers(4))]
    form, answer = (
        ("twice", f"{said} {said}"),
        ("in brackets", f"( {said} )"),
        ("then stop", f"{said} stop"),
        ("after note", f"note : {said}"),
        ("as a list", f"- {said}"),
    )[int(rng.integers(5))]
    return Turn(f"{{}} say {subject} {form} .", (thing,), answer)


def condition(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Do one thing if it is of a kind and another if it is not; or pick the one of a kind."""
    things = [thing for thing in things if thing.kind != NUMBER]
    thing = pick(rng, things)
    kind, right = guess_kind(rng, thing, things)
    if rng.random() < 0.5:
        first, second = (("name", "kind"), ("name", "skip"), ("skip", "kind"))[int(rng.integers(3))]
        said = {"name": thing.word, "kind": thing.kind, "skip": "skip"}
        return Turn(f"{{}} if {kind} say {first} , else {second} .", (thing,), said[first if right else second])
    others = [other for other in things if other.kind != thing.kind]
    other = pick(rng, others)
    shown = (thing, other) if rng.random() < 0.5 else (other, thing)
    return Turn(f"{{}} and {{}} , name only the {thing.kind} .", shown, thing.word)


def spell(number: int) -> str:
    """A number as the model writes it: digit by digit, a minus sign in front."""
    return " ".join(str(number))


def arithmetic(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Add, subtract or multiply two digits."""
    digits = [thing for thing in things if thing.kind == NUMBER]
    first, second = pick(rng, digits), pick(rng, digits)
    a, b = int(first.word), int(second.word)
    sign, result = (("+", a + b), ("-", a - b), ("x", a * b))[int(rng.integers(3))]
    return Turn(f"{{}} {sign} {{}} =", (first, second), spell(result))


def counting(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Count the things of a kind among three or four, or say which digit is larger or smaller."""
    if rng.random() < 0.4:
        digits = [thing for thing in things if thing.kind == NUMBER]
        first, second = pick(rng, digits), pick(rng, digits)
        larger = rng.random() < 0.5
        best = (max if larger else min)(first.word, second.word)
        return Turn(f"{{}} or {{}} , which is {'larger' if larger else 'smaller'} ?", (first, second), best)
    several = [thing for thing in things if thing.kind != NUMBER]
    kind = pick(rng, several).kind
    same = [thing for thing in several if thing.kind == kind]
    count = int(rng.integers(3, 5))
    shown = tuple(pick(rng, same if rng.random() < 0.5 else several) for _ in range(count))
    answer = sum(thing.kind == kind for thing in shown)
    return Turn(" and ".join(["{}"] * count) + f" , count each {kind} :", shown, str(answer))


@dataclass(frozen=True, slots=True)
class Language:
    """Questions and answers in one language.

    Attributes:
        code: "ja" or "zh": which names of a thing to use.
        what: Asks for the name.
        which_kind: Asks for the kind.
        is_it: Asks whether it is of a kind, with `%s` for the kind.
        yes: The word for yes.
        no: The word for no.
    """

    code: str
    what: str
    which_kind: str
    is_it: str
    yes: str
    no: str

    def name(self, thing: Thing) -> str:
        """The thing's name."""
        return thing.ja if self.code == "ja" else thing.zh

    def kind(self, kind: str) -> str:
        """The kind's name."""
        ja, zh, _ = KINDS[kind]
        return ja if self.code == "ja" else zh

    def __call__(self, rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
        """Name it (half of all turns), say its kind, or confirm a kind."""
        things = [thing for thing in things if thing.kind != NUMBER]
        thing = pick(rng, things)
        form = rng.integers(4)
        if form < 2:
            return Turn("{} " + self.what, (thing,), self.name(thing))
        if form == 2:
            return Turn("{} " + self.which_kind, (thing,), self.kind(thing.kind))
        kind, right = guess_kind(rng, thing, things)
        return Turn("{} " + self.is_it % self.kind(kind), (thing,), self.yes if right else self.no)


JAPANESE = Language(
    "ja", what="これは何？", which_kind="これは何の仲間？", is_it="これは%sですか？", yes="はい", no="いいえ"
)
CHINESE = Language("zh", what="这是什么？", which_kind="这是哪一类？", is_it="这是%s吗？", yes="是的", no="不是")
