"""Plain English questions about one thing: what every VLM is tuned on, and what merging must not lose."""

from collections.abc import Sequence

import numpy as np

from hpo_bench.nano.turns import Turn, guess_kind, pick
from hpo_bench.nano.world import Thing


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
