"""Tiers of landscapes side by side: those that ship, and sweeps of real models that others published."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hpo_bench.analyses import fidelity, paper
from hpo_bench.benchmark import tiers
from hpo_bench.benchmark.outcome import BenchmarkResult
from hpo_bench.benchmark.result import END, Benchmark
from hpo_bench.benchmark.tables import when
from hpo_bench.display.figures import provenance
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import UNDEFINED, counted, figure, listed
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.experiments.tiers.gains import GAINS, gain, gains_table
from hpo_bench.experiments.tiers.mini_suite import mini_agreement, random_choices, sentences
from hpo_bench.files import write_json
from hpo_bench.merging.architectures import KINDS
from hpo_bench.merging.doctor.distances import PUBLISHED
from hpo_bench.statistics.intervals import LEAST_PAIRS
from landscapes.landscape import Landscape
from landscapes.problem import Problem
from landscapes.terms import ELSEWHERE
from landscapes.trust import MARK, RULE

PAGE = "tiers.md"
HOW = """\
Landscapes come in three tiers: **nano** (real VLMs and experts of about a million parameters, trained from scratch),
**pretrained** (recorded here on a really pretrained language model) and **elsewhere** (sweeps that others published, on
models of 1.3B to 8B parameters). They differ in everything: what is merged, how many hyperparameters there are, what is
asked. What the smaller teach about tuning holds for the larger only as far as the tables below agree, and a part of
where they do not is that most published sweeps are of one hyperparameter. Of a pair and method in two boxes the wide
one is taken, as `hpo-bench run` does.

- Made by `hpo-bench landscapes import naturelm CHECKOUT`, `hpo-bench landscapes import code-merges CHECKOUT` and
  `hpo-bench tiers --landscapes-dir my-landscapes --seeds {count}`. Budgets are {budgets}; {seeds} each; regrets are
  without noise.
- **Kendall's tau** (tau-b) of two rankings by mean regret: 1 if every two optimisers are in the same order, -1 if none
  are. Brackets hold 95% intervals by a bootstrap over pairs and, within, seeds. Where a side has fewer than {least}
  pairs there is none: that tau is of these landscapes, and says little of others.
- **Weak** is judged by one rule for all ({rule}). Nobody recorded settings off the published grids, which makes every
  landscape of the tier elsewhere weak: what is not measured cannot acquit.
"""


def parts_of(result: BenchmarkResult, reports: Sequence[fidelity.FidelityReport]) -> list[Part]:
    """What stands on the page.

    Args:
        result: Runs on landscapes of all tiers.
        reports: How far each of them can be trusted.
    """
    content, benchmark = result.summary, result.benchmark
    found = [one for one in benchmark.landscapes if isinstance(one, Landscape)]
    elsewhere = [one for one in found if one.card.tier == ELSEWHERE]
    budgets = sorted({(ls.space.dim, result.plan.budget_of(ls)) for ls in found})
    shown = listed([f"{budget} in {dim} dimension{'s' * (dim > 1)}" for dim, budget in budgets])
    parts: list[Part] = [
        "# Tiers: nano, pretrained, elsewhere",
        HOW.format(
            budgets=shown,
            seeds=counted(result.plan.seeds, "seed"),
            count=result.plan.seeds,
            rule=RULE,
            least=LEAST_PAIRS,
        ),
        provenance(benchmark.landscapes),
        *_sources(elsewhere),
        "## How far they can be trusted, and what they are like",
        by_tier(reports),
        f"Medians (least to greatest), in % of the range. Typical SE: of one evaluation, the median over the recorded "
        f"settings. {fidelity.SHAPES}. Several maxima: more than one survives the noise of the examples, where these "
        "were recorded. Inside: no side of the box has the surrogate's optimum on it; the best recorded setting may be "
        "on one all the same. The study's errors are of its Table 12, in a narrower box than most here.",
    ]
    if (rankings := tiers.agreement(content)) and (regrets := tiers.regrets(content)):
        parts += ["## Does a ranking on one tier hold on another?", rankings, regrets]
    parts += ["## Sizes of task vectors", distances(), DISTANCES]
    if elsewhere:
        parts += ["## Optimisers on published sweeps", by_sweep(benchmark, elsewhere), BY_SWEEP]
        if gains := [one for one in map(gain, elsewhere) if one is not None]:
            parts += ["## What tuning gains at 8B", gains_table(gains), GAINS]
        mine = [one for one in reports if one.tier == ELSEWHERE]
        parts += ["## Landscapes from elsewhere", one_by_one(elsewhere, mine), ONE_BY_ONE]
    return [*parts, "## The mini-suite", *sentences(benchmark)]


def by_tier(reports: Sequence[fidelity.FidelityReport]) -> TextTable:
    """Tiers, and the study beside them as far as it says."""
    table = fidelity.by_tier(reports)
    errors = [error for of in paper.loocv().values() for error in of.values()]
    cells = ["–"] * (len(table.columns) - 1)
    spread = f"{np.median(errors):.1f} ({min(errors):.1f} to {max(errors):.1f})"
    cells[table.columns.index("LOOCV %, study") - 1] = spread
    return TextTable(table.columns, (*table.rows, Row("the study", tuple(cells), faint=True)))


def by_sweep(benchmark: Benchmark, elsewhere: Sequence[Problem]) -> TextTable:
    """Mean regret of each optimiser on each kind of published sweep, after ten evaluations and at the end."""
    names = [landscape.name for landscape in benchmark.landscapes]
    kinds: dict[str, list[int]] = {}
    for one in elsewhere:
        kind = "8B audio, 1-D" if one.card.pair.startswith("naturelm") else f"1.3B to 7B code, {one.space.dim}-D"
        kinds.setdefault(kind, []).append(names.index(one.name))
    points = [point for point in benchmark.checkpoints if point.name in ("10", END)]
    random = tuple(f"{point.random[rows].mean():.3f}" for rows in kinds.values() for point in points)
    rows = [
        Row(
            benchmark.labels[identity],
            tuple(f"{point.regret[identity][of].mean():.3f}" for of in kinds.values() for point in points),
            identity,
        )
        for identity in benchmark.ranking()
    ]
    heads = tuple(f"{kind} ({len(of)}), {when(point.name)}" for kind, of in kinds.items() for point in points)
    return TextTable(("mean regret", *heads), (*rows, Row("Random, expected", random, faint=True)))


BY_SWEEP = (
    "Regret is a fraction of a landscape's range, the mean over landscapes and seeds; in brackets, how many landscapes."
)


def one_by_one(elsewhere: Sequence[Landscape], reports: Sequence[fidelity.FidelityReport]) -> TextTable:
    """One row a published landscape: what was recorded, its errors, its shape, and where its optimum lies."""
    rows = []
    for landscape, report in zip(elsewhere, reports, strict=True):
        best = ", ".join(f"{n} {x:.2f}" for n, x in zip(landscape.space.names, landscape.optimum.x, strict=True))
        trust = report.fidelity
        cells = (
            landscape.name + MARK * bool(report.weaknesses),
            str(report.settings),
            f"{landscape.minimum.score:.3f} to {landscape.optimum.score:.3f}",
            *map(figure, (trust.typical_noise_percent, trust.study_loocv, trust.exact_loocv)),
            UNDEFINED if report.maxima is None else f"{report.maxima} of {report.recorded_maxima}",
            ", ".join(report.shape),
            f"{best}{' (edge)' if report.on_edge else ''}",
        )
        rows.append(cells)
    columns = (
        "landscape", "settings", "scores", "typical SE %", "LOOCV %, study", "exact", "maxima", "shape", "optimum",
    )  # fmt: skip
    return TextTable.of(columns, rows)


ONE_BY_ONE = (
    "Of code models `-generation` and `-summary` are what is asked for, and `-both` is the mean of these two, no "
    "observation of its own; `-1d` and `-2d` count hyperparameters. Of the audio model `-common`, `-scientific` and "
    "`-both` are the names that an answer has to contain."
)


def distances() -> TextTable:
    """Task vectors of published pairs and of those that ship, as shares of the base's norm, by kind of tensor."""
    lines = ((one.name, *(one.shown(kind) or UNDEFINED for kind in KINDS)) for one in PUBLISHED)
    return TextTable.of(("task vector of", *KINDS), lines)


DISTANCES = (
    "Norm of a task vector as a share of its base's, as `hpo-bench doctor` measures it; those who recorded elsewhere "
    "published no weights to measure. By this nano pairs are as far from their bases as published ones are, and "
    "SmolLM2's 15 to 60 times nearer: its tuning was short, and left 24 of 30 layers as they were, which count here."
)


def _sources(elsewhere: Sequence[Landscape]) -> list[str]:
    cited = dict.fromkeys(
        f"- {one.card.citation} Licence: {one.card.licence}." for one in elsewhere if one.card.citation
    )
    return ["Elsewhere is:\n\n" + "\n".join(cited)] if cited else []


def write_page(result: BenchmarkResult, reports: Sequence[fidelity.FidelityReport], folder: Path) -> Path:
    """Write the page and its figures as plain values.

    Args:
        result: Runs on landscapes of all tiers.
        reports: How far each of them can be trusted.
        folder: Where to.

    Returns:
        The page.

    Raises:
        ResultsError: If a file cannot be written.
    """
    figures = {
        "seeds": result.plan.seeds,
        "tiers": result.summary["tiers"],
        "mini": mini_agreement(result.benchmark) if len(result.benchmark.labels) > 1 else {},
        "random_choices": random_choices(result.benchmark) if len(result.benchmark.labels) > 1 else {},
    }
    write_json(folder / "tiers.json", figures)
    return save_page(folder / PAGE, parts_of(result, reports))
