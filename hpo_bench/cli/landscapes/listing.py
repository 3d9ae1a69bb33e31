"""`hpo-bench landscapes list`."""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from hpo_bench.cli.landscapes.options import PATTERNS
from hpo_bench.cli.options import LANDSCAPES_DIR
from hpo_bench.display.console import output
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    from landscapes.landscape import Landscape

EXAMPLES = """\b
Examples:
  hpo-bench landscapes list
  hpo-bench landscapes list ties 'ja-*'
  hpo-bench landscapes list --landscapes-dir my-landscapes
"""


@click.command("list", epilog=EXAMPLES)
@PATTERNS
@LANDSCAPES_DIR
def list_landscapes(patterns: tuple[str, ...], landscapes_dir: Path | None) -> None:
    """List landscapes with their optimum, noise and fidelity.

    PATTERN is a name, a pair or a method, with * and ?. Noise is the standard error of one evaluation near the
    optimum; LOOCV is the surrogate's leave-one-out error, by the study's protocol and exactly, over all points; RMSE is
    its error at settings that were held out: all in % of the range of recorded scores. Spearman is the rank correlation
    with held-out settings. A dagger marks a weak landscape; `check` says why.
    """
    from landscapes import catalogue
    from landscapes.trust import RULE, marked, split

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("landscape", no_wrap=True)
    for head in ("tier", "domain", "benchmark"):
        table.add_column(head)
    for head in (
        "settings",
        "maximum",
        "minimum",
        "noise %",
        "LOOCV %, study",
        "exact",
        "held out",
        "RMSE %",
        "Spearman",
    ):
        table.add_column(head, justify="right")
    found = catalogue.load_all(patterns, root=landscapes_dir)
    for landscape in found:
        trust = landscape.fidelity()
        table.add_row(
            marked(landscape) + (" (SYNTHETIC)" if landscape.card.synthetic else ""),
            landscape.card.tier,
            landscape.card.domain,
            landscape.card.benchmark,
            str(len(landscape.grid)),
            _score(landscape, landscape.optimum.score),
            _score(landscape, landscape.minimum.score),
            *(_figure(value) for value in (trust.noise_percent, trust.study_loocv, trust.exact_loocv)),
            str(trust.held_out or "-"),
            _figure(trust.held_out_rmse),
            _figure(trust.spearman, 2),
        )
    output(width=180).print(table)
    _, weak = split(found)
    if len(tiers := Counter(landscape.card.tier for landscape in found)) > 1:
        of_weak = Counter(landscape.card.tier for landscape in weak)
        say("; ".join(f"{tier}: {count}, {of_weak[tier]} of them weak" for tier, count in tiers.items()))
    if weak:
        say(f"{len(weak)} of {len(found)} {RULE}")
    if not patterns and landscapes_dir is None and catalogue.OWN.is_dir() and (own := catalogue.names(catalogue.OWN)):
        say(f"your own, in {catalogue.OWN}: {', '.join(own)}")


def _figure(value: float, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _score(landscape: "Landscape", score: float) -> str:
    """Three decimals, which align; of scores that differ by less, as many digits as tell them apart."""
    from hpo_bench.display.words import significant

    return f"{score:.3f}" if landscape.range > 0.01 else significant(score, within=landscape.range)
