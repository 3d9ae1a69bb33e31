"""The tables of a benchmark as text, the same in the terminal and on the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpo_bench.benchmark.result import END, OVERALL, SINCE
from hpo_bench.display.table import Column, Row, TextTable
from hpo_bench.display.words import (
    UNDEFINED,
    brackets,
    count,
    interval,
    multiple,
    p_value,
    percent,
    probability,
    score,
    seconds,
    share,
)
from hpo_bench.statistics.ratios import RATIOS
from landscapes.trust import MARK

NAMES = {
    "median_ror": "median RoR",
    "geometric_mean_ror": "geometric mean RoR",
    "ratio_of_means": "ratio of means",
}
LUCK = "luck alone (Random)"
ALONE = 0.02
"""Processor seconds that a suggestion takes GP-BO in a single run of 40 evaluations in 2-D, as measured."""
VERDICTS = {"better": "better", "worse": "WORSE", "open": "open"}


def when(point: str) -> str:
    """`t = 10` in one piece, `t ≥ 10`, or `end`."""
    if point == OVERALL:
        return f"t\u00a0≥\u00a0{SINCE}"
    return "end" if point == END else f"t\u00a0=\u00a0{point}"


def moments(content: Mapping) -> list[str]:
    """The checkpoints that are moments, and not means over many."""
    return [point for point in content["null_band"] if point != OVERALL]


def overall(content: Mapping) -> str:
    """The checkpoint that sums everything up: the mean from the tenth evaluation on, or the end of shorter budgets."""
    return OVERALL if OVERALL in content["null_band"] else END


def labels(content: Mapping) -> dict[str, str]:
    """What tables call each optimiser."""
    return {identity: one["label"] for identity, one in content["optimizers"].items()}


def pairs(content: Mapping) -> int:
    """How many pairs the landscapes are of."""
    return len({one["pair"] for one in content["landscapes"]})


def columns(content: Mapping, suffix: str) -> list[Column]:
    """The columns of the headline, in their order: the one place to add another.

    Args:
        content: What `summary.summary` made.
        suffix: Which landscapes count, as in the summary: "_all" or "_sound".
    """
    known = content["optimizers"]
    return [
        *(_ratio(content, "median_ror", point, suffix) for point in moments(content)),
        *(_ratio(content, "ratio_of_means", point, suffix) for point in dict.fromkeys((END, overall(content)))),
        Column("random budget", lambda one: multiple(known[one]["equivalent_random_budget" + suffix])),
        Column("seconds a suggestion", lambda one: seconds(known[one]["seconds_per_suggestion" + suffix])),
    ]


def _ratio(content: Mapping, name: str, point: str, suffix: str = "", *, beside: str = "") -> Column:
    """A ratio to Random's regret, with its interval, at a checkpoint."""
    known, key = content["optimizers"], name + suffix
    return Column(
        f"{NAMES[name]}, {when(point)}{beside}",
        lambda one: interval(known[one]["at"][point][key]),
        foot=brackets(content["null_band"][point][key]),
    )


def by_optimizer(
    content: Mapping, columns: Sequence[Column], *, order: Sequence[str] = (), head: str = "optimiser"
) -> TextTable:
    """A row an optimiser, and where columns have a foot, luck alone below them.

    Args:
        content: What `summary.summary` made.
        columns: Their cells are asked for by an optimiser's identity.
        order: Identities from the top; by default as in the headline, best first.
        head: Above the optimisers.
    """
    known, feet = content["optimizers"], tuple(column.foot for column in columns)
    rows = [Row(known[one]["label"], tuple(column.cell(one) for column in columns), one) for one in order or known]
    if any(feet):
        rows.append(Row(LUCK, feet, faint=True))
    return TextTable((head, *(column.head for column in columns)), tuple(rows))


def headline(content: Mapping, suffix: str = "_all") -> TextTable:
    """Every optimiser on all landscapes as they are, without noise; best at the top.

    Args:
        content: What `summary.summary` made.
        suffix: Which landscapes count, as in the summary: "_all" or "_sound".
    """
    return by_optimizer(content, columns(content, suffix))


def sound(content: Mapping) -> TextTable | None:
    """The same without weak landscapes; None if all are weak or none is."""
    return headline(content, "_sound") if 0 < content["sound"] < len(content["landscapes"]) else None


def comparisons(content: Mapping) -> TextTable | None:
    """The reference against every other; None if it is alone."""
    point = overall(content)
    found = content["comparisons"]["at"][point]
    if not found:
        return None
    called, chances = labels(content), content["comparisons"]["probability"]
    end = {one["other"]: one for one in content["comparisons"]["at"][END]}
    reference = called[content["comparisons"]["reference"]]
    rows = tuple(
        Row(
            called[one["other"]],
            (
                interval(one["difference"]),
                f"{one['better_on']} : {one['worse_on']}",
                p_value(one["p_holm"]),
                " / ".join(probability(chances[one["other"]][key]) for key in ("better", "equivalent", "worse")),
                VERDICTS[one["verdict"]],
                *((VERDICTS[end[one["other"]]["verdict"]],) if point != END else ()),
            ),
            one["other"],
        )
        for one in found
    )
    heads = (
        f"{reference} against", f"advantage, {when(point)}", "landscapes won : lost", "p (Wilcoxon, Holm)",
        "P(better / equivalent / worse)", f"verdict, {when(point)}", *(("verdict, end",) if point != END else ()),
    )  # fmt: skip
    return TextTable(heads, rows)


def losses(content: Mapping, head: str, points: Sequence[str] = ()) -> list[Column]:
    """What is lost on unseen examples at some checkpoints, by default all that are known."""
    at = content["unseen"]["at"]
    return [
        Column(f"{head}, {when(point)}", lambda one, known=at[point]: interval(known[one])) for point in points or at
    ]


def targets(content: Mapping) -> TextTable:
    """How many evaluations it takes to come as near to the optimum as each target."""
    known = content["optimizers"]
    figures = (
        ("median evaluations", "median_evaluations", count),
        ("runs that reach it", "share_reached", share),
        ("aRT", "average_running_time", count),
    )

    def column(goal: str, what: str, key: str, said: Callable[[Any], str]) -> Column:
        return Column(f"regret ≤ {float(goal):g}: {what}", lambda one: said(known[one]["targets"][goal][key]))

    goals = next(iter(known.values()))["targets"]
    return by_optimizer(content, [column(goal, *figure) for goal in goals for figure in figures])


def above_noise(content: Mapping) -> TextTable | None:
    """The same ratios over the landscapes alone where Random's regret is above the noise of a comparison.

    Args:
        content: What `summary.summary` made.

    Returns:
        None if these are no landscapes, or all.
    """
    kept = {point: found["counted"] for point, found in content["exclusions"].items()}
    total = len(content["landscapes"])
    if not any(kept.values()) or all(count == total for count in kept.values()):
        return None
    keys = [("median_ror", point) for point in moments(content) if kept[point]]
    keys += [("ratio_of_means", point) for point in kept if kept[point]]
    beside = {point: f" ({count}\u00a0of\u00a0{total})" for point, count in kept.items()}
    return by_optimizer(content, [_ratio(content, *key, beside=beside[key[1]]) for key in keys])


def ratios(content: Mapping, *, everywhere: bool) -> TextTable:
    """Every ratio at every checkpoint.

    Args:
        content: What `summary.summary` made.
        everywhere: Over all landscapes, and not only where Random's regret is above the noise.
    """
    suffix = "_all" if everywhere else ""
    return by_optimizer(
        content, [_ratio(content, name, point, suffix) for name in RATIOS for point in content["null_band"]]
    )


def landscapes(content: Mapping) -> TextTable:
    """What each landscape is, and how hard it is for Random."""
    points = list(content["null_band"])
    lines = (
        (
            one["name"] + (MARK if one["weaknesses"] else "") + (" (SYNTHETIC)" if one["synthetic"] else ""),
            one["tier"],
            one["domain"],
            one["task"],
            *(score(one[end], within=one["maximum"] - one["minimum"]) for end in ("maximum", "minimum")),
            UNDEFINED if one["noise_of_a_comparison"] is None else percent(one["noise_over_range"]),
            *(_marked(one, point) for point in points),
        )
        for one in content["landscapes"]
    )
    heads = ("landscape", "tier", "domain", "task", "maximum", "minimum", "noise of a comparison")
    return TextTable.of((*heads, *(f"Random’s regret, {when(point)}" for point in points)), lines, words=4)


def _marked(one: Mapping, point: str) -> str:
    regret = one["random_regret"][point]
    return percent(regret) + (" *" if regret <= one["noise_over_range"] else "")


def every(content: Mapping) -> dict[str, tuple[str, TextTable | None]]:
    """All of these tables by name, each with its title; None where one would say nothing."""
    return {
        "headline": ("Regret over random by optimiser", headline(content)),
        "above_noise": (
            "Regret over random where Random's regret is above the noise of a comparison",
            above_noise(content),
        ),
        "without_weak": ("Regret over random without weak landscapes", sound(content)),
        "comparisons": ("One optimiser against each of the others", comparisons(content)),
        "targets": ("Evaluations to a target", targets(content)),
        "ratios": ("Ratios on all landscapes", ratios(content, everywhere=True)),
        "ratios_above_noise": (
            "Ratios on the landscapes where Random's regret is above the noise",
            ratios(content, everywhere=False),
        ),
        "landscapes": ("Landscapes", landscapes(content)),
    }
