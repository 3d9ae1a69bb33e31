"""`hpo-bench landscapes list`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import JOBS, LANDSCAPES_DIR, PATTERNS
from hpo_bench.display.console import print_table, progress
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    from hpo_bench.display.table import Row
    from landscapes.landscape import Landscape

ABOUT = ("landscape", "tier", "domain", "benchmark")
FIGURES = (
    "settings", "maximum", "minimum", "SE %", "LOOCV %, study", "exact", "held out", "RMSE %", "Spearman",
)  # fmt: skip
EXAMPLES = """\b
Examples:
  hpo-bench landscapes list
  hpo-bench landscapes list ties 'ja-*'
  hpo-bench landscapes list --landscapes-dir my-landscapes
"""


@click.command("list", epilog=EXAMPLES)
@PATTERNS
@LANDSCAPES_DIR
@JOBS
def list_landscapes(patterns: tuple[str, ...], landscapes_dir: Path | None, jobs: int) -> None:
    """List landscapes with their optimum, noise (SE) and fidelity.

    PATTERN is a name, a pair or a method, with * and ?, or a tier. SE is the standard error of one evaluation near the
    optimum; LOOCV is the surrogate's leave-one-out error, by the study's protocol and exactly, over all points; RMSE is
    its error at settings that were held out: all in % of the range of recorded scores. Spearman is the rank correlation
    with held-out settings. A dagger marks a weak landscape; `check` says why. Of a pair and method in two boxes, as
    ja-llama/ta and ja-llama/ta-wide are, `run` takes the wide one unless told otherwise.
    """
    from hpo_bench.analyses import fidelity
    from hpo_bench.display.table import TextTable
    from landscapes import catalogue
    from landscapes.trust import RULE, split

    found = fidelity.measured(catalogue.load_all(patterns, root=landscapes_dir), jobs=jobs, progress=progress())
    print_table(TextTable((*ABOUT, *FIGURES), tuple(map(_row, found)), words=len(ABOUT)))
    _, weak = split(found)
    if len(tiers := Counter(landscape.card.tier for landscape in found)) > 1:
        of_weak = Counter(landscape.card.tier for landscape in weak)
        say("; ".join(f"{tier}: {count}, {of_weak[tier]} of them weak" for tier, count in tiers.items()))
    if weak:
        say(f"{len(weak)} of {len(found)} {RULE}")
    if not patterns and landscapes_dir is None and catalogue.OWN.is_dir() and (own := catalogue.names(catalogue.OWN)):
        say(f"your own, in {catalogue.OWN}: {', '.join(own)}")


def _row(landscape: "Landscape") -> "Row":
    from hpo_bench.display.table import Row
    from hpo_bench.display.words import UNDEFINED, figure, score
    from landscapes.trust import marked

    trust = landscape.fidelity()
    return Row(
        marked(landscape) + (" (SYNTHETIC)" if landscape.card.synthetic else ""),
        (
            landscape.card.tier,
            landscape.card.domain,
            landscape.card.benchmark,
            str(len(landscape.grid)),
            score(landscape.optimum.score, within=landscape.range),
            score(landscape.minimum.score, within=landscape.range),
            *map(figure, (trust.noise_percent, trust.study_loocv, trust.exact_loocv)),
            str(trust.held_out or UNDEFINED),
            figure(trust.held_out_rmse),
            figure(trust.spearman, "z.2f"),
        ),
    )
