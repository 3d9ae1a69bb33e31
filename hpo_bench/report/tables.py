"""Rows of the page's tables, as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench.report import study
from hpo_bench.report.groups import METHODS
from hpo_bench.report.style import colours
from hpo_bench.statistics import RATIOS
from hpo_bench.summary import Benchmark
from hpo_bench.wording import UNDEFINED, brackets, interval, multiple, number, percent, seconds

NAMES = {
    "median_ror": "median RoR",
    "geometric_mean_ror": "geometric mean RoR",
    "ratio_of_means": "ratio of means",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        head: What the row is about.
        cells: Its text.
        colour: Of the mark before the head, or none.
        faint: Whether it is for comparison only.
    """

    head: str
    cells: tuple[str, ...]
    colour: str | None = None
    faint: bool = False


@dataclass(frozen=True, slots=True)
class TableOf:
    """A table.

    Attributes:
        columns: Column heads; the first is above the row heads.
        rows: The rows.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def when(point: str) -> str:
    """`t = 10` in one piece, or `end`."""
    return "end" if point == "end" else f"t\u00a0=\u00a0{point}"


def headline(content: Mapping) -> TableOf:
    """The figures that matter most, best optimiser first."""
    points = list(content["null_band"])
    paint = colours(content["optimizers"])
    counted = {point: content["exclusions"][point]["counted"] for point in points}
    rows = [
        Row(
            one["label"],
            (
                *(interval(one["at"][point]["median_ror"]) for point in points),
                interval(one["at"]["end"]["ratio_of_means"]),
                interval(one["at"]["end"]["mean_regret"]),
                multiple(one["equivalent_random_budget"]),
                seconds(one["seconds_per_suggestion"]),
            ),
            paint[identity],
        )
        for identity, one in content["optimizers"].items()
    ]
    band = content["null_band"]
    luck = (
        *(brackets(band[point]["median_ror"]) for point in points),
        brackets(band["end"]["ratio_of_means"]),
        "",
        "",
        "",
    )
    total = len(content["landscapes"])
    return TableOf(
        (
            "optimiser",
            *(f"median RoR, {when(point)} ({counted[point]} of {total})" for point in points),
            f"ratio of means, end ({counted['end']} of {total})",
            f"mean regret, end (all {total})",
            "random budget",
            "seconds a suggestion",
        ),
        (*rows, Row("luck alone (Random)", luck, faint=True)),
    )


def ratios(content: Mapping, *, everywhere: bool) -> TableOf:
    """Every ratio at every checkpoint, over the landscapes that count or over all."""
    suffix = "_all" if everywhere else ""
    points = list(content["null_band"])
    paint = colours(content["optimizers"])
    keys = [(name, point) for name in RATIOS for point in points]
    rows = [
        Row(
            one["label"],
            tuple(interval(one["at"][point][name + suffix]) for name, point in keys),
            paint[identity],
        )
        for identity, one in content["optimizers"].items()
    ]
    luck = tuple(brackets(content["null_band"][point][name + suffix]) for name, point in keys)
    heads = tuple(f"{NAMES[name]}, {when(point)}" for name, point in keys)
    return TableOf(("optimiser", *heads), (*rows, Row("luck alone (Random)", luck, faint=True)))


def landscapes(content: Mapping) -> TableOf:
    """What each landscape is, and how hard it is for Random."""
    points = list(content["null_band"])
    rows = tuple(
        Row(
            one["name"] + (" (SYNTHETIC)" if one["synthetic"] else ""),
            (
                one["domain"],
                one["task"],
                f"{one['maximum']:.3f}",
                f"{one['minimum']:.3f}",
                UNDEFINED if one["noise"] is None else percent(one["noise_over_range"]),
                *(_marked(one, point) for point in points),
            ),
        )
        for one in content["landscapes"]
    )
    heads = tuple(f"Random’s regret, {when(point)}" for point in points)
    return TableOf(("landscape", "domain", "task", "maximum", "minimum", "noise of one evaluation", *heads), rows)


def _marked(one: Mapping, point: str) -> str:
    regret = one["random_regret"][point]
    return percent(regret) + (" *" if regret <= one["noise_over_range"] else "")


def loocv(benchmark: Benchmark) -> TableOf:
    """Leave-one-out errors of our surrogates, by three protocols."""
    rows = []
    for landscape in benchmark.landscapes:
        trust = landscape.fidelity()
        figures = (
            trust.study_loocv,
            trust.exact_loocv_interior,
            trust.exact_loocv,
            trust.noise_percent,
            trust.overshoot_percent,
        )
        rows.append(Row(landscape.name, tuple(UNDEFINED if np.isnan(f) else f"{f:.1f}" for f in figures)))
    columns = (
        "landscape", "the study’s protocol", "exact, interior", "exact, all points", "noise", "overshoot",
    )  # fmt: skip
    return TableOf(columns, tuple(rows))


def study_loocv() -> TableOf:
    """The study's Table 12."""
    table = study.loocv()
    methods = ("TA", "DARE", "TIES")
    rows = tuple(Row(dataset, tuple(f"{table[dataset][m]:.1f}" for m in methods)) for dataset in table)
    return TableOf(("dataset–pair", *methods), rows)


def loocv_by_method(benchmark: Benchmark) -> TableOf:
    """Both side by side: least, median and greatest error by merge method."""
    theirs = study.loocv()
    rows = []
    for method, name in METHODS.items():
        ours = [ls.fidelity().study_loocv for ls in benchmark.landscapes if ls.card.method == method]
        there = [errors[name] for errors in theirs.values() if name in errors]
        if ours:
            rows.append(Row(name, (_spread(ours), _spread(there))))
    return TableOf(("method", "here", "the study (Table 12)"), tuple(rows))


def _spread(values: list[float]) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return UNDEFINED
    return f"{np.median(known):.1f} ({known.min():.1f} to {known.max():.1f})"


def leader(content: Mapping) -> str:
    """Who is ahead, in a sentence, with the interval."""
    parts = []
    for point in content["null_band"]:
        known = {
            one["label"]: one["at"][point]["median_ror"]
            for one in content["optimizers"].values()
            if one["at"][point]["median_ror"]["value"] is not None
        }
        if known:
            best = number(min(figures["value"] for figures in known.values()))
            # Whoever shares the printed figure shares the lead.
            first = [label for label, figures in known.items() if number(figures["value"]) == best]
            said = f"{_and(first)} {best if len(first) > 1 else interval(known[first[0]])}"
            parts.append(f"{'at the end' if point == 'end' else f'after {point} evaluations'} {said}")
    if not parts:
        return "On no landscape is Random’s regret above the noise of one evaluation, so no ratio is shown."
    return "Lowest median regret over random: " + "; ".join(parts) + ". 1 is uniform random search."


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
