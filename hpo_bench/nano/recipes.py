"""The nano pairs: what each is built from.

Every pair has its own seed, so that no two share weights, and its own alignment and drift, as real pairs do: how well
image embeddings fall on word embeddings decides how much of a text skill transfers, and a VLM tuned long or hot moves
away from the base in directions that conflict with the expert's. The values were set before any optimiser had run on
any landscape, by one rule: vary alignment and drift over the range in which the unmerged VLM still sees. The number of
examples alone was raised afterwards, by the noise of one evaluation on the validation examples: from 1000 to 4000,
since a first benchmark showed it above Random's regret on every landscape; and for sums-llama to 10000, whose scores
over [0, 1.4] squared differ by .12 only, so that it would be 14% of their range.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from hpo_bench.errors import UsageError
from hpo_bench.nano.english_skills import turkish, visual, wording
from hpo_bench.nano.skills import CHINESE, JAPANESE, arithmetic, condition, counting, general, layout
from hpo_bench.nano.world import Skill
from surrogates.spelling import did_you_mean


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
ENGLISH_SKILLS: dict[str, Skill] = {"turkish": turkish, "wording": wording}
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
        skills: What an expert can be an expert in.
        general: What the VLM is asked besides the skill.
        tier: How real the models are, as the cards of landscapes say it.
        batch: How many texts a language model reads at a time; None for as many as pictures.
        shots: Pictures a thing and vendor.
    """

    skills: ClassVar[Mapping[str, Skill]] = SKILLS
    general: ClassVar[Skill] = staticmethod(general)
    tier: ClassVar[str] = "nano"
    batch: ClassVar[int | None] = None
    shots: ClassVar[int] = 40

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
    def ability(self) -> Skill:
        """The skill itself."""
        return self.skills[self.skill]


@dataclass(frozen=True, slots=True)
class PretrainedRecipe(PairRecipe):
    """How a pair is made whose language model was really pretrained, so that it has no base steps."""

    skills: ClassVar[Mapping[str, Skill]] = ENGLISH_SKILLS
    general: ClassVar[Skill] = staticmethod(visual)
    tier: ClassVar[str] = "pretrained"
    batch: ClassVar[int | None] = 16  # each takes a tenth of a second
    shots: ClassVar[int] = 80  # its tower is larger

    base_steps: int = 0


ASKED = {
    "japanese": ("language", "NanoJapanese"),
    "chinese": ("language", "NanoChinese"),
    "arithmetic": ("maths", "NanoSums"),
    "counting": ("maths", "NanoCounts"),
    "layout": ("instructions", "NanoLayout"),
    "condition": ("instructions", "NanoCondition"),
    "turkish": ("language", "SmallTurkish"),
    "wording": ("instructions", "SmallWording"),
}
"""Domain and benchmark of each skill."""


def _from_scratch(pair: str, skill: str, architecture: str, *, seed: int, **told: float) -> PairRecipe:
    domain, benchmark = ASKED[skill]
    return PairRecipe(pair, domain, benchmark, architecture, skill, seed, **told)  # pyright: ignore[reportArgumentType]


def _pretrained(pair: str, skill: str, *, seed: int, align_steps: int) -> PairRecipe:
    return PretrainedRecipe(
        pair, *ASKED[skill], "llava-smollm2", skill, seed, align_steps=align_steps, tower_steps=1500, tune_steps=200,
        tune_lr=5e-4, expert_steps=150, expert_lr=5e-4, digit_share=0, replay=0.3, examples=2500,
    )  # fmt: skip


RECIPES: dict[str, PairRecipe] = {
    recipe.pair: recipe
    for recipe in (
        _from_scratch("ja-llama", "japanese", "llava-llama", seed=1, align_steps=600, drift_steps=60),
        _from_scratch(
            "sums-llama", "arithmetic", "llava-llama", seed=2, align_steps=1000, drift_steps=30, digit_share=0.5,
            examples=10000,
        ),
        _from_scratch("zh-mistral", "chinese", "llava-mistral", seed=4, align_steps=700, drift_steps=20),
        _from_scratch(
            "sums-mistral", "arithmetic", "llava-mistral", seed=5, align_steps=800, drift_steps=60, digit_share=0.5
        ),
        _from_scratch(
            "counts-llama", "counting", "llava-llama", seed=6, align_steps=800, drift_steps=50, digit_share=0.3
        ),
        _from_scratch(
            "counts-mistral", "counting", "llava-mistral", seed=7, align_steps=1000, drift_steps=20, digit_share=0.3
        ),
        _from_scratch("layout-qwen2-vl", "layout", "qwen2-vl", seed=8, align_steps=800, drift_steps=30),
        _from_scratch("layout-idefics2", "layout", "idefics2", seed=9, align_steps=600, drift_steps=50),
        _from_scratch(
            "condition-qwen2-vl", "condition", "qwen2-vl", seed=10, align_steps=600, drift_steps=50, expert_steps=500
        ),
        _from_scratch(
            "condition-idefics2", "condition", "idefics2", seed=11, align_steps=1000, drift_steps=20, expert_steps=500
        ),
    )
}  # fmt: skip


PRETRAINED: dict[str, PairRecipe] = {
    recipe.pair: recipe
    for recipe in (
        _pretrained("turkish-smollm2", "turkish", seed=21, align_steps=600),
        _pretrained("wording-smollm2", "wording", seed=22, align_steps=800),
    )
}
"""Pairs on a language model that was really pretrained."""


LADDERS = (("ja-llama", "ja-llama-3m", "ja-llama-10m"), ("sums-llama", "sums-llama-3m", "sums-llama-10m"))
"""Pairs that differ in the size of their language models alone; no landscape is recorded from the larger ones."""


def _enlarged(name: str) -> PairRecipe:
    """The recipe of a ladder's higher rung: that of the lowest, with learning rates for its width.

    Rates fall with the square root of the width, the usual rule for AdamW; steps stay.
    """
    small, _, size = name.rpartition("-")
    recipe = RECIPES[small]
    slower = (NANO.width / LARGER[size].width) ** 0.5
    rates = {
        rate: float(f"{getattr(recipe, rate) * slower:.2g}") for rate in ("base_lr", "tune_lr", "drift_lr", "expert_lr")
    }
    return replace(recipe, pair=name, architecture=f"{recipe.architecture}-{size}", **rates)


ENLARGED: dict[str, PairRecipe] = {name: _enlarged(name) for ladder in LADDERS for name in ladder[1:]}


def get_recipe(pair: str) -> PairRecipe:
    """The recipe of a pair.

    Raises:
        UsageError: If there is none of that name; the message names the nearest.
    """
    every = {**RECIPES, **PRETRAINED, **ENLARGED}
    if pair in every:
        return every[pair]
    hint = did_you_mean(pair, every)
    raise UsageError(f"no nano pair is called {pair!r}; {hint}there are: {', '.join(every)}")
