"""What a pair is built from: the size of its language model, its skill, and how long everything is trained."""

from dataclasses import asdict, dataclass
from typing import Any

from hpo_bench.nano.skills import CHINESE, JAPANESE, arithmetic, condition, counting, general, layout
from hpo_bench.nano.skills.english import sums, turkish, visual, wording
from hpo_bench.nano.world import Skill


@dataclass(frozen=True, slots=True)
class Size:
    """How large a language model is.

    Attributes:
        width: Of a hidden state.
        layers: How many.
        heads: Attention heads, each 32 wide.
        feed_forward: Width between the two halves of a feed-forward layer.
        about: How many parameters that makes, in words.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 256
    about: str = "a million"

    @property
    def few_heads(self) -> int:
        """Key-value heads where they are grouped."""
        return self.heads // 2


NANO = Size()
"""Of every nano pair that landscapes are recorded from: 0.8 million parameters."""
LARGER = {
    "3m": Size(width=256, layers=4, heads=8, feed_forward=512, about="three million"),
    "10m": Size(width=384, layers=6, heads=12, feed_forward=896, about="ten million"),
}
"""Further rungs of the ladders that show what size changes."""


SKILLS: dict[str, Skill] = {
    "japanese": JAPANESE,
    "chinese": CHINESE,
    "arithmetic": arithmetic,
    "counting": counting,
    "layout": layout,
    "condition": condition,
}
ENGLISH_SKILLS: dict[str, Skill] = {"turkish": turkish, "wording": wording, "sums": sums}
"""Of models that speak English; the others' words are not all theirs."""


@dataclass(frozen=True, slots=True)
class PairRecipe:
    """How a pair is made.

    Attributes:
        pair: Its name.
        domain: "language", "maths" or "instructions".
        benchmark: The name of its benchmark, which says nano.
        architecture: A key of `ARCHITECTURES`.
        skill: A key of `SKILLS`: what the expert is an expert in.
        seed: Source of every weight, picture and text.
        base_steps: Optimiser steps of the base language model, at `base_lr`.
        base_lr: Peak learning rate of the base language model.
        tower_steps: Steps of the vision tower as a classifier.
        align_steps: Steps that regress image embeddings on word embeddings: the knob of alignment.
        tune_steps: Steps of the whole VLM on plain visual questions, at `tune_lr`.
        tune_lr: Learning rate of tuning.
        drift_steps: Further steps at `drift_lr`: the knob of conflict.
        drift_lr: Learning rate of drift.
        expert_steps: Steps of the base language model on the skill's texts, at `expert_lr`.
        expert_lr: Learning rate of the expert.
        digit_share: Share of digits among the things that models read about and see.
        replay: Share of base texts among the expert's.
        examples: How many examples the benchmark has.
        skill_share: Share of `skill` examples; the rest are `general`.
    """

    pair: str
    domain: str
    benchmark: str
    architecture: str
    skill: str
    seed: int
    base_steps: int = 800
    base_lr: float = 3e-3
    tower_steps: int = 1000
    align_steps: int = 800
    tune_steps: int = 250
    tune_lr: float = 5e-4
    drift_steps: int = 0
    drift_lr: float = 2e-3
    expert_steps: int = 250
    expert_lr: float = 1e-3
    digit_share: float = 0.1
    replay: float = 0.2
    examples: int = 4000
    skill_share: float = 0.5

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for `recipe.json`."""
        return asdict(self)

    @property
    def shots(self) -> int:
        """Pictures a thing and vendor."""
        return 40

    @property
    def tier(self) -> str:
        """How real the models are, as the cards of landscapes say it."""
        return "nano"

    @property
    def batch(self) -> int | None:
        """How many texts a language model reads at a time; None for as many as pictures."""
        return None

    @property
    def general(self) -> Skill:
        """What the VLM is asked besides the skill."""
        return general

    @property
    def ability(self) -> Skill:
        """The skill itself."""
        return SKILLS[self.skill]


@dataclass(frozen=True, slots=True)
class PretrainedRecipe(PairRecipe):
    """How a pair is made whose language model was really pretrained, so that it has no base steps."""

    base_steps: int = 0

    @property
    def batch(self) -> int | None:
        """Few, for each takes a tenth of a second."""
        return 16

    @property
    def shots(self) -> int:
        """Twice as many, since its tower is larger."""
        return 80

    @property
    def tier(self) -> str:
        """Its language model's weights were pretrained by others."""
        return "pretrained"

    @property
    def general(self) -> Skill:
        """Questions in English sentences."""
        return visual

    @property
    def ability(self) -> Skill:
        """One of `ENGLISH_SKILLS`."""
        return ENGLISH_SKILLS[self.skill]
