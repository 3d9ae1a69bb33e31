"""The tables of a benchmark as text, the same in the terminal and on the page."""

from collections.abc import Callable, Mapping, Sequence

from hpo_bench.benchmark.result import END, OVERALL, SINCE
from hpo_bench.display.table import Column, Row, TextTable
from hpo_bench.display.words import (
    brackets,
    count,
    interval,
    listed,
    multiple,
    number,
    probability,
    seconds,
    share,
    verdicts,
)
from hpo_bench.statistics.intervals import LEAST_PAIRS, LEAST_UNITS
from hpo_bench.statistics.ratios import RATIOS

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


def sound_sentence(content: Mapping) -> str:
    """How many landscapes are weak; empty where the question does not arise."""
    weak, total = len(content["landscapes"]) - content["sound"], len(content["landscapes"])
    if not weak:
        return ""
    if weak == total:
        whole = "The only landscape is" if total == 1 else f"All {total} landscapes are"
        return f"{whole} weak by our own rule (see Landscapes): there is no table without weak ones."
    verb = "is" if weak == 1 else "are"
    return (
        f"{weak} of {total} landscapes {verb} weak by our own rule, too noisy or too little known between what was "
        f"recorded (see Landscapes). Without weak ones:"
    )


def comparisons(content: Mapping) -> TextTable | None:
    """The reference against every other; None if it is alone."""
    point = overall(content)
    found = content["comparisons"]["at"][point]
    if not found:
        return None
    labels = {identity: one["label"] for identity, one in content["optimizers"].items()}
    end = {one["other"]: one for one in content["comparisons"]["at"][END]}
    reference = labels[content["comparisons"]["reference"]]
    rows = tuple(
        Row(
            labels[one["other"]],
            (
                interval(one["difference"]),
                f"{one['better_on']} : {one['worse_on']}",
                probability(one["p_holm"]),
                " / ".join(probability(one["probability"][key]) for key in ("better", "equivalent", "worse")),
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


def comparison_sentence(content: Mapping) -> str:
    """Against how many the reference is significantly better, and worse, in a sentence; empty if it is alone."""
    point = overall(content)
    found = content["comparisons"]["at"][point]
    if not found:
        return ""
    pairs = len({one["pair"] for one in content["landscapes"]})
    if pairs < LEAST_PAIRS:
        return (
            f"{'One pair is' if pairs == 1 else f'{pairs} pairs are'} too few to call a difference significant or not, "
            f"which takes {LEAST_PAIRS} or more."
        )
    labels = {identity: one["label"] for identity, one in content["optimizers"].items()}
    by = {
        verdict: [labels[one["other"]] for one in found if one["verdict"] == verdict]
        for verdict in ("better", "worse", "open")
    }
    span = f"from t = {SINCE} on" if point == OVERALL else "at the end"
    reference = labels[content["comparisons"]["reference"]]
    said = verdicts(reference, better=by["better"], worse=by["worse"], undecided=by["open"])
    return f"{said} ({span})."


def unseen(content: Mapping) -> TextTable | None:
    """What the setting that validation picks loses on examples that tuning never saw; None where that is not known."""
    found = content["unseen"]
    return by_optimizer(content, losses(content, f"loss in {found['unit']}")) if found else None


def losses(content: Mapping, head: str, points: Sequence[str] = ()) -> list[Column]:
    """What is lost on unseen examples at some checkpoints, by default all that are known."""
    at = content["unseen"]["at"]
    return [
        Column(f"{head}, {when(point)}", lambda one, known=at[point]: interval(known[one])) for point in points or at
    ]


def unseen_sentence(content: Mapping) -> str:
    """The same for the reference and the others in a sentence; empty where that is not known."""
    found = content["unseen"]
    if not found:
        return ""
    labels = {identity: one["label"] for identity, one in content["optimizers"].items()}
    reference = content["comparisons"]["reference"]
    parts = []
    for point, known in found["at"].items():
        lost = sorted((figures["value"], labels[one]) for one, figures in known.items() if one != reference)
        said = f"{labels[reference]} {number(known[reference]['value'])}"
        if lost:
            ends = dict.fromkeys(f"{number(value)} ({label})" for value, label in (lost[0], lost[-1]))
            said += f" and the others {' to '.join(ends)}"
        parts.append(f"{at(point)} {said}")
    unit = "points" if found["unit"] == "points" else "per cent of the range"
    return (
        "On examples that tuning never saw, the setting that validation picks loses, against the best there is, in "
        f"{unit}: {'; '.join(parts)}."
    )


def targets(content: Mapping) -> TextTable:
    """How many evaluations it takes to come as near to the optimum as each target."""
    known = content["optimizers"]
    figures = (
        ("median evaluations", "median_evaluations", count),
        ("runs that reach it", "share_reached", share),
        ("aRT", "average_running_time", count),
    )

    def column(goal: str, what: str, key: str, said: Callable[[float | None], str]) -> Column:
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
    return by_optimizer(content, [_ratio(content, *key, beside=f" ({kept[key[1]]} of {total})") for key in keys])


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


def leader(content: Mapping) -> str:
    """Who is ahead, in a sentence, with the interval."""
    parts = []
    for point in moments(content):
        known = {one["label"]: one["at"][point]["median_ror_all"] for one in content["optimizers"].values()}
        best = number(min(figures["value"] for figures in known.values()))
        # Whoever shares the printed figure shares the lead.
        first = [label for label, figures in known.items() if number(figures["value"]) == best]
        said = f"{listed(first)} {best if len(first) > 1 else interval(known[first[0]])}"
        parts.append(f"{'at the end' if point == 'end' else f'after {point} evaluations'} {said}")
    return "Lowest median regret over random: " + "; ".join(parts) + ". 1 is uniform random search."


def interval_sentence(content: Mapping) -> str:
    """Why there are no intervals; empty where there are."""
    pairs, seeds = len({one["pair"] for one in content["landscapes"]}), content["seeds"]
    if (seeds if pairs == 1 else pairs) >= LEAST_UNITS:
        return ""
    if pairs == 1:
        return f"There are no intervals, which take {LEAST_UNITS} seeds or more (--seeds); luck alone is simulated."
    return (
        f"There are no intervals, which take landscapes of {LEAST_UNITS} pairs or more, or of one alone; luck alone is "
        "simulated."
    )


def units(content: Mapping) -> str:
    """What intervals are over: pairs, or, where there is one alone, its seeds."""
    return "pairs" if len({one["pair"] for one in content["landscapes"]}) > 1 else "the seeds of one pair"


def noise_sentence(content: Mapping) -> str:
    """On how many landscapes one noisy evaluation could show what Random leaves to be gained."""
    total = len(content["landscapes"])
    excluded = {point: content["exclusions"][point]["excluded"] for point in moments(content)}
    if not any(excluded.values()):
        return "Random's own regret is above the noise of a comparison on every landscape: ratios could be observed."
    counts = ", ".join(f"{count} of {total} {at(point)}" for point, count in excluded.items())
    return (
        f"Random's own regret is under the noise of a comparison of two settings on {counts}: these ratios hold for "
        "the landscape as interpolated, but tuning with so few examples would not show them."
    )


def at(point: str) -> str:
    """`at t = 10`, `over t ≥ 10`, or `at the end`."""
    if point == OVERALL:
        return f"over {when(point)}"
    return "at the end" if point == END else f"at {when(point)}"
