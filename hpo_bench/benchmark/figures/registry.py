"""Which figures a benchmark has, in the order of the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from hpo_bench.benchmark.figures import curves, groups, profiles, ranks, ror
from hpo_bench.benchmark.result import Benchmark


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a figure is made, and what is said of it.

    Attributes:
        draw: Makes it.
        caption: What stands below it.
        describe: The same in words, for those who cannot see it.
        data: What is drawn, as rows.
        recorded: Whether it needs recorded landscapes, whose pairs and methods it is about.
    """

    draw: Callable[[Benchmark], Figure]
    caption: str
    describe: Callable[[Benchmark], str]
    data: Callable[[Benchmark], pd.DataFrame]
    recorded: bool = False


FIGURES: Mapping[str, Drawing] = {
    "ror": Drawing(ror.draw, ror.CAPTION, ror.describe, ror.data),
    "regret_curves": Drawing(curves.draw, curves.CAPTION, lambda _: curves.ALT, curves.data),
    "profiles": Drawing(profiles.draw, profiles.CAPTION, lambda _: profiles.ALT, profiles.data),
    "ranks": Drawing(ranks.draw, ranks.CAPTION, lambda _: ranks.ALT, ranks.data),
    "ror_by_group": Drawing(groups.draw, groups.CAPTION, lambda _: groups.ALT, ror.data, recorded=True),
}
"""By name, which is also that of its file."""
