"""The rule by which a landscape is called weak.

It was fixed before anything was held out, from reasons that know no landscape. A landscape is weak if

- an error is more than a tenth of the range of its recorded scores. Were scores spread uniformly over the range,
  Random would be expected to leave 1 / (t + 1) of it after t draws: a tenth is what separates settings when the
  benchmark first compares optimisers (t = 10), and whoever is led astray by that much may win or lose by it. Errors
  are: the standard error of one evaluation (median over the grid; also, 25 to 100 settings of equal worth show a range
  of 4 to 5 standard errors by luck alone (Tippett 1925), so that with ten at least half of the range is real); the
  surrogate's RMSE at held-out settings; what the held-out setting that it ranks first loses to the best; by how much
  its optimum exceeds everything recorded; and, for DARE, the spread over mask seeds;
- its objective orders held-out settings with a Spearman correlation under 0.8: for a bivariate normal that is four of
  five pairs of settings in the right order;
- any of these was not measured: what is not measured cannot acquit.

Leave-one-out errors are printed and do not judge: held-out settings measure the same without bending the grid. Weak
landscapes stay in every run, are marked in every table and figure, and headlines are given with and without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from landscapes.card import Card
    from landscapes.landscape import Landscape
    from landscapes.trust import Fidelity

MOST_PERCENT = 10.0
"""No error may exceed this share of the range of recorded scores, in %."""
LEAST_SPEARMAN = 0.8
MARK = "†"
"""Stands after the name of a weak landscape in tables and figures."""
RULE = (
    f"weak ({MARK}): an error above {MOST_PERCENT:.0f}% of the range (noise of one evaluation, held-out RMSE, argmax "
    f"regret, overshoot, mask noise), a held-out Spearman below {LEAST_SPEARMAN:g}, or one of them not measured"
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of the figures that judge.

    Attributes:
        key: Which attribute of `Fidelity`.
        name: What it is called in messages.
        only_for: The merge method that has it; None for all.
    """

    key: str
    name: str
    only_for: str | None = None


ERRORS = (
    Criterion("typical_noise_percent", "noise of one evaluation"),
    Criterion("held_out_rmse", "held-out RMSE"),
    Criterion("argmax_regret", "argmax regret"),
    Criterion("overshoot_percent", "overshoot"),
    Criterion("mask_noise_percent", "mask noise", only_for="dare"),
)


def judge(fidelity: Fidelity, card: Card) -> tuple[str, ...]:
    """What the rule finds against a landscape.

    Args:
        fidelity: Its measures of trust.
        card: Its card, which says whether it has masks.

    Returns:
        A few words for each criterion that it fails or that was not measured; empty if it is not weak.
    """
    found = []
    for criterion in ERRORS:
        if criterion.only_for not in (None, card.method):
            continue
        value = getattr(fidelity, criterion.key)
        if np.isnan(value):
            found.append(f"{criterion.name} not measured")
        elif value > MOST_PERCENT:
            found.append(f"{criterion.name} {value:.1f}% > {MOST_PERCENT:.0f}%")
    if np.isnan(fidelity.spearman):
        found.append("held-out Spearman not measured")
    elif fidelity.spearman < LEAST_SPEARMAN:
        found.append(f"held-out Spearman {fidelity.spearman:.2f} < {LEAST_SPEARMAN:g}")
    return tuple(found)


def weaknesses(landscape: Landscape) -> tuple[str, ...]:
    """What the rule finds against a landscape; empty if it is not weak."""
    return judge(landscape.fidelity(), landscape.card)


class Judged(Protocol):
    """A landscape, or what stands in for one."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def weaknesses(self) -> Sequence[str]:
        """What the rule finds against it."""
        ...


def marked(landscape: Judged) -> str:
    """The landscape's name, with a mark if it is weak."""
    return landscape.name + (MARK if landscape.weaknesses else "")


def split(landscapes: Iterable[Landscape]) -> tuple[list[Landscape], list[Landscape]]:
    """Sound and weak landscapes, each in the given order, so that a headline can be given with and without the weak."""
    sound: list[Landscape] = []
    weak: list[Landscape] = []
    for landscape in landscapes:
        (weak if landscape.weaknesses else sound).append(landscape)
    return sound, weak
