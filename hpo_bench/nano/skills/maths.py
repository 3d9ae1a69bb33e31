"""Sums on handwritten digits, and counting and comparing."""

from collections.abc import Sequence

import numpy as np

from hpo_bench.nano.turns import Turn, pick
from hpo_bench.nano.world import NUMBER, Thing


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
