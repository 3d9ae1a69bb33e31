"""Answers in a prescribed form, and answers under a condition."""

from collections.abc import Sequence

import numpy as np

from hpo_bench.nano.turns import Turn, guess_kind, pick
from hpo_bench.nano.world import NUMBER, Thing


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
