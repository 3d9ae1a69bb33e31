"""The nano pairs: what each is built from.

Every pair has its own seed, so that no two share weights, and its own alignment and drift, as real pairs do: how well
image embeddings fall on word embeddings decides how much of a text skill transfers, and a VLM tuned long or hot moves
away from the base in directions that conflict with the expert's. The values were set before any optimiser had run on
any landscape, by one rule: vary alignment and drift over the range in which the unmerged VLM still sees. The number of
examples alone was raised afterwards, by the noise of one evaluation on the validation examples: from 1000 to 4000,
since a first benchmark showed it above Random's regret on every landscape; and for sums-llama to 10000, whose scores
over [0, 1.4] squared differ by .12 only, so that it would be 14% of their range.
"""

from dataclasses import replace

from hpo_bench.errors import UsageError
from hpo_bench.nano.recipe import LARGER, NANO, PairRecipe, PretrainedRecipe
from surrogates.nearest import did_you_mean

RECIPES: dict[str, PairRecipe] = {
    recipe.pair: recipe
    for recipe in (
        PairRecipe(
            pair="ja-llama",
            domain="language",
            benchmark="NanoJapanese",
            architecture="llava-llama",
            skill="japanese",
            seed=1,
            align_steps=600,
            drift_steps=60,
        ),
        PairRecipe(
            pair="sums-llama",
            domain="maths",
            benchmark="NanoSums",
            architecture="llava-llama",
            skill="arithmetic",
            examples=10000,
            seed=2,
            align_steps=1000,
            drift_steps=30,
            digit_share=0.5,
        ),
        PairRecipe(
            pair="zh-mistral",
            domain="language",
            benchmark="NanoChinese",
            architecture="llava-mistral",
            skill="chinese",
            seed=4,
            align_steps=700,
            drift_steps=20,
        ),
        PairRecipe(
            pair="sums-mistral",
            domain="maths",
            benchmark="NanoSums",
            architecture="llava-mistral",
            skill="arithmetic",
            seed=5,
            align_steps=800,
            drift_steps=60,
            digit_share=0.5,
        ),
        PairRecipe(
            pair="counts-llama",
            domain="maths",
            benchmark="NanoCounts",
            architecture="llava-llama",
            skill="counting",
            seed=6,
            align_steps=800,
            drift_steps=50,
            digit_share=0.3,
        ),
        PairRecipe(
            pair="counts-mistral",
            domain="maths",
            benchmark="NanoCounts",
            architecture="llava-mistral",
            skill="counting",
            seed=7,
            align_steps=1000,
            drift_steps=20,
            digit_share=0.3,
        ),
        PairRecipe(
            pair="layout-qwen2-vl",
            domain="instructions",
            benchmark="NanoLayout",
            architecture="qwen2-vl",
            skill="layout",
            seed=8,
            align_steps=800,
            drift_steps=30,
        ),
        PairRecipe(
            pair="layout-idefics2",
            domain="instructions",
            benchmark="NanoLayout",
            architecture="idefics2",
            skill="layout",
            seed=9,
            align_steps=600,
            drift_steps=50,
        ),
        PairRecipe(
            pair="condition-qwen2-vl",
            domain="instructions",
            benchmark="NanoCondition",
            architecture="qwen2-vl",
            skill="condition",
            seed=10,
            align_steps=600,
            drift_steps=50,
            expert_steps=500,
        ),
        PairRecipe(
            pair="condition-idefics2",
            domain="instructions",
            benchmark="NanoCondition",
            architecture="idefics2",
            skill="condition",
            seed=11,
            align_steps=1000,
            drift_steps=20,
            expert_steps=500,
        ),
    )
}


PRETRAINED: dict[str, PairRecipe] = {
    recipe.pair: recipe
    for recipe in (
        PretrainedRecipe(
            pair="turkish-smollm2",
            domain="language",
            benchmark="SmallTurkish",
            architecture="llava-smollm2",
            skill="turkish",
            seed=21,
            tower_steps=1500,
            align_steps=600,
            tune_steps=200,
            tune_lr=5e-4,
            expert_steps=150,
            expert_lr=5e-4,
            digit_share=0,
            replay=0.3,
            examples=2500,
        ),
        PretrainedRecipe(
            pair="wording-smollm2",
            domain="instructions",
            benchmark="SmallWording",
            architecture="llava-smollm2",
            skill="wording",
            seed=22,
            tower_steps=1500,
            align_steps=800,
            tune_steps=200,
            tune_lr=5e-4,
            expert_steps=150,
            expert_lr=5e-4,
            digit_share=0,
            replay=0.3,
            examples=2500,
        ),
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
