"""New texts of a nano expert's skill, for what is calibrated on such."""

from pathlib import Path

import numpy as np

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import Example
from hpo_bench.nano.architectures.base import IMAGE_TOKENS
from hpo_bench.nano.recipes import ENGLISH_SKILLS, SKILLS
from hpo_bench.nano.world import DIGITS, objects
from landscapes.written import read_json


def new_texts(folder: Path, count: int) -> tuple[Example, ...]:
    """Texts of a nano expert's skill, drawn as its training texts were, for methods that calibrate it.

    Args:
        folder: The pair's.
        count: How many.

    Returns:
        None for a pair that was not built here, or where the words to draw from are not installed.

    Raises:
        UsageError: If the pair's recipe is damaged.
    """
    recipe = folder / "recipe.json"
    if not recipe.is_file():
        return ()
    try:
        things = (*objects(), *DIGITS)
    except UsageError:  # the extra `nano` is not installed
        return ()
    content = read_json(recipe, wrong=UsageError)
    name, seed = (content.get(key) for key in ("skill", "seed")) if isinstance(content, dict) else (None, None)
    every = {**SKILLS, **ENGLISH_SKILLS}
    if not isinstance(name, str) or name not in every or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"{recipe} is no recipe of `hpo-bench nano build`; remove it, or build the pair again")
    skill = every[name]
    rng = np.random.default_rng([seed, *b"calibration"])
    drawn = []
    for index in range(count):
        turn = skill(rng, things)
        repeat = IMAGE_TOKENS if rng.random() < 1 / 3 else 1
        drawn.append(Example(f"calibration-{index:04d}", "skill", turn.in_words(repeat), (), turn.answer))
    return tuple(drawn)
