"""Words of cards and places of landscapes, for whoever needs no more: nothing is imported for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

Domain = Literal["language", "maths", "instructions", "other"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
Method = Literal["ta", "dare", "ties", "other"]
METHODS: tuple[Method, ...] = get_args(Method)
Tier = Literal["nano", "pretrained", "elsewhere"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""How real the models behind a landscape are: tiny ones trained from scratch, really pretrained ones of our own
recording, and whatever others recorded, which is what a landscape is whose card does not say."""
ELSEWHERE: Tier = "elsewhere"
OWN = Path("my-landscapes")
"""The user's own, below the folder they stand in: found by name where no shipped one has it, never run unasked."""
BUDGETS: Mapping[int, int] = {2: 40, 3: 60}
"""Evaluations by number of hyperparameters, as in the study."""
EVALUATIONS_PER_DIMENSION = 20
"""The same rule for dimensions that the study does not have."""


def budget_for(dim: int) -> int:
    """Evaluations of a search in so many dimensions that says nothing else."""
    return BUDGETS.get(dim, EVALUATIONS_PER_DIMENSION * dim)
