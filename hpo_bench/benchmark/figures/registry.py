"""Which figures a benchmark has, in the order of the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
from matplotlib.figure import Figure

from hpo_bench.benchmark.figures import curves, groups, profiles, ranks, ror
from hpo_bench.benchmark.result import Benchmark

Part = Literal["answer", "when", "where"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a figure is made, and what is said of it.

    Attributes:
        draw: Makes it.
        caption: What stands below it.
        describe: The same in words, for those who cannot see it.
        data: What is drawn, as rows.
        part: Of the page, where it stands behind those before it.
        recorded: Whether it needs recorded landscapes, whose pairs and methods it is about.
    """

    draw: Callable[[Benchmark], Figure]
    caption: str
    describe: Callable[[Benchmark], str]
    data: Callable[[Benchmark], pd.DataFrame]
    part: Part
    recorded: bool = False


FIGURES: Mapping[str, Drawing] = {
    "ror": Drawing(ror.draw, ror.CAPTION, ror.describe, ror.data, "answer"),
    "regret_curves": Drawing(curves.draw, curves.CAPTION, lambda _: curves.ALT, curves.data, "when"),
    "profiles": Drawing(profiles.draw, profiles.CAPTION, lambda _: profiles.ALT, profiles.data, "when"),
    "ranks": Drawing(ranks.draw, ranks.CAPTION, lambda _: ranks.ALT, ranks.data, "where"),
    "ror_by_group": Drawing(groups.draw, groups.CAPTION, lambda _: groups.ALT, ror.data, "where", recorded=True),
}
"""By name, which is also that of its file."""
