"""The same plain questions in another language, to be answered in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench.nano.turns import Turn, guess_kind, pick
from hpo_bench.nano.world import KINDS, NUMBER, Thing


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
