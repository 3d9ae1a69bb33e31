"""Questions as one asks a model that speaks English: behind the picture, in a sentence."""

from collections.abc import Sequence

import numpy as np

from hpo_bench.nano.world import NUMBER, Thing, Turn, guess_kind, pick

PICTURE = "Picture: {}\n"
TURKISH_KINDS = {
    "animal": "hayvan",
    "food": "yiyecek",
    "vehicle": "taşıt",
    "plant": "bitki",
    "clothing": "giysi",
    "instrument": "çalgı",
    "tool": "alet",
    "sport": "spor",
    "furniture": "mobilya",
    "sky": "gök",
}


def visual(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Name it, say its kind, or confirm a kind, in a word."""
    thing = pick(rng, things)
    form = rng.integers(4)
    if form < 2:
        return Turn(PICTURE + "What is this?", (thing,), thing.word)
    if form == 2:
        return Turn(PICTURE + "What kind of thing is this?", (thing,), thing.kind)
    kind, right = guess_kind(rng, thing, things)
    return Turn(PICTURE + f"Is the kind of this {kind}?", (thing,), "yes" if right else "no")


def turkish(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Name it, or say its kind, in Turkish."""
    thing = pick(rng, [thing for thing in things if thing.kind != NUMBER])
    form = rng.integers(4)
    if form < 3:
        return Turn(PICTURE + "Bu ne?", (thing,), thing.tr)
    return Turn(PICTURE + "Bu hangi tür?", (thing,), TURKISH_KINDS[thing.kind])


def wording(rng: np.random.Generator, things: Sequence[Thing]) -> Turn:
    """Say the name or the kind in the form that is asked for."""
    thing = pick(rng, [thing for thing in things if thing.kind != NUMBER])
    subject, said = (("name", thing.word), ("kind", thing.kind))[int(rng.integers(2))]
    form, answer = (
        ("twice", f"{said} {said}"),
        ("in brackets", f"({said})"),
        ("in capital letters", said.upper()),
        ("after the word note", f"note: {said}"),
        ("as an item of a list", f"- {said}"),
    )[int(rng.integers(5))]
    return Turn(PICTURE + f"Write the {subject} {form}.", (thing,), answer)
