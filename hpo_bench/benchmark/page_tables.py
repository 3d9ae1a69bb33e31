"""Tables that only the page has: what the landscapes are, and how far they can be trusted."""

from collections.abc import Mapping, Sequence

import numpy as np

from hpo_bench.analyses import paper
from hpo_bench.benchmark.tables import when
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import METHODS, UNDEFINED, percent
from landscapes.landscape import Landscape
from landscapes.suites import boxes
from landscapes.trust import MARK, marked


def landscapes(content: Mapping) -> TextTable:
    """What each landscape is, and how hard it is for Random."""
    points = list(content["null_band"])
    rows = tuple(
        Row(
            one["name"] + (MARK if one["weaknesses"] else "") + (" (SYNTHETIC)" if one["synthetic"] else ""),
            (
                one["tier"],
                one["domain"],
                one["task"],
                f"{one['maximum']:.3f}",
                f"{one['minimum']:.3f}",
                UNDEFINED if one["noise_of_a_comparison"] is None else percent(one["noise_over_range"]),
                *(_marked(one, point) for point in points),
            ),
        )
        for one in content["landscapes"]
    )
    heads = tuple(f"Random’s regret, {when(point)}" for point in points)
    return TextTable(
        ("landscape", "tier", "domain", "task", "maximum", "minimum", "noise of a comparison", *heads), rows
    )


def _marked(one: Mapping, point: str) -> str:
    regret = one["random_regret"][point]
    return percent(regret) + (" *" if regret <= one["noise_over_range"] else "")


def loocv(recorded: Sequence[Landscape]) -> TextTable:
    """Leave-one-out errors of our surrogates, by three protocols."""
    rows = []
    for landscape in recorded:
        trust = landscape.fidelity()
        figures = (
            trust.study_loocv,
            trust.exact_loocv_interior,
            trust.exact_loocv,
            trust.noise_percent,
            trust.overshoot_percent,
        )
        rows.append(Row(marked(landscape), tuple(UNDEFINED if np.isnan(f) else f"{f:.1f}" for f in figures)))
    columns = (
        "landscape", "the study’s protocol", "exact, interior", "exact, all points", "noise", "overshoot",
    )  # fmt: skip
    return TextTable(columns, tuple(rows))


def study_loocv() -> TextTable:
    """The study's Table 12."""
    table = paper.loocv()
    methods = ("TA", "DARE", "TIES")
    rows = tuple(Row(dataset, tuple(f"{table[dataset][m]:.1f}" for m in methods)) for dataset in table)
    return TextTable(("dataset–pair", *methods), rows)


def loocv_by_method(recorded: Sequence[Landscape]) -> TextTable:
    """Both side by side, in the study's box: least, median and greatest error by merge method."""
    theirs, recorded = paper.loocv(), boxes.in_the_study(recorded)
    rows = []
    for method, name in METHODS.items():
        ours = [ls.fidelity().study_loocv for ls in recorded if ls.card.method == method]
        there = [errors[name] for errors in theirs.values() if name in errors]
        if ours:
            rows.append(Row(name, (_spread(ours), _spread(there))))
    return TextTable(("method", "here", "the study (Table 12)"), tuple(rows))


def _spread(values: list[float]) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return UNDEFINED
    return f"{np.median(known):.1f} ({known.min():.1f} to {known.max():.1f})"
