"""What a benchmark's tables do not say, in sentences, the same in the terminal, on the page and in README."""

from collections.abc import Mapping

from hpo_bench.benchmark.result import END, OVERALL, SINCE
from hpo_bench.benchmark.tables import labels, moments, overall, pairs, when
from hpo_bench.display.words import interval, listed, number, verdicts
from hpo_bench.statistics.intervals import LEAST_PAIRS, LEAST_UNITS


def leader(content: Mapping) -> str:
    """Who is ahead, in a sentence, with the interval; empty if nobody has a ratio."""
    parts = []
    for point in moments(content):
        all_of_them = {one["label"]: one["at"][point]["median_ror_all"] for one in content["optimizers"].values()}
        known = {label: figures for label, figures in all_of_them.items() if figures["value"] is not None}
        if not known:  # each has regret, and Random none
            continue
        best = number(min(figures["value"] for figures in known.values()))
        # Whoever shares the printed figure shares the lead.
        first = [label for label, figures in known.items() if number(figures["value"]) == best]
        said = f"{listed(first)} {best if len(first) > 1 else interval(known[first[0]])}"
        parts.append(f"{'at the end' if point == 'end' else f'after {point} evaluations'} {said}")
    return f"Lowest median regret over random: {'; '.join(parts)}. 1 is uniform random search." if parts else ""


def interval_sentence(content: Mapping) -> str:
    """Why ratios have no intervals; empty where they have."""
    why = without_intervals(content)
    return f"{why[0].upper()}{why[1:]}; luck alone is simulated." if why else ""


def without_intervals(content: Mapping) -> str:
    """Why there are no intervals, as part of a sentence; empty where there are."""
    count, seeds = pairs(content), content["seeds"]
    if (seeds if count == 1 else count) >= LEAST_UNITS:
        return ""
    if count == 1:
        return f"there are no intervals, which take {LEAST_UNITS} seeds or more (--seeds)"
    return f"there are no intervals, which take landscapes of {LEAST_UNITS} pairs or more, or of one alone"


def noise_sentence(content: Mapping) -> str:
    """On how many landscapes one noisy evaluation could show what Random leaves to be gained."""
    total = len(content["landscapes"])
    unknown = sum(one["noise_of_a_comparison"] is None for one in content["landscapes"])
    if unknown == total:
        return "The noise of a comparison is not known here, so that nothing says whether ratios could be observed."
    count_as = "it counts" if unknown == 1 else "they count"
    beside = f" On {unknown} of {total} that noise is not known, and {count_as} as without." if unknown else ""
    excluded = {point: content["exclusions"][point]["excluded"] for point in moments(content)}
    if not any(excluded.values()):
        where = "on every landscape" if not unknown else "wherever that is known"
        return f"Random's own regret is above the noise of a comparison {where}: ratios could be observed.{beside}"
    counts = ", ".join(f"{count} of {total} {at(point)}" for point, count in excluded.items())
    return (
        f"Random's own regret is under the noise of a comparison of two settings on {counts}: these ratios hold for "
        f"the landscape as interpolated, but tuning with so few examples would not show them.{beside}"
    )


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


def comparison_sentence(content: Mapping) -> str:
    """Against how many the reference is significantly better, and worse, in a sentence; empty if it is alone."""
    point = overall(content)
    found = content["comparisons"]["at"][point]
    if not found:
        return ""
    if (count := pairs(content)) < LEAST_PAIRS:
        return (
            f"{'One pair is' if count == 1 else f'{count} pairs are'} too few to call a difference significant or not, "
            f"which takes {LEAST_PAIRS} or more."
        )
    called = labels(content)
    by = {
        verdict: [called[one["other"]] for one in found if one["verdict"] == verdict]
        for verdict in ("better", "worse", "open")
    }
    span = f"from t = {SINCE} on" if point == OVERALL else "at the end"
    reference = called[content["comparisons"]["reference"]]
    said = verdicts(reference, better=by["better"], worse=by["worse"], undecided=by["open"])
    return f"{said} ({span})."


def unseen_sentence(content: Mapping) -> str:
    """The same for the reference and the others in a sentence; empty where that is not known."""
    found = content["unseen"]
    if not found:
        return ""
    called = labels(content)
    reference = content["comparisons"]["reference"]
    parts = []
    for point, known in found["at"].items():
        lost = sorted((figures["value"], called[one]) for one, figures in known.items() if one != reference)
        said = f"{called[reference]} {number(known[reference]['value'])}"
        if lost:
            ends = dict.fromkeys(f"{number(value)} ({label})" for value, label in (lost[0], lost[-1]))
            said += f" and the others {' to '.join(ends)}"
        parts.append(f"{at(point)} {said}")
    unit = "points" if found["unit"] == "points" else "per cent of the range"
    what = "recommended setting" if content.get("goal") == "test" else "setting that validation picks"
    return (
        f"On examples that tuning never saw, the {what} loses, against the best there is, in {unit}: "
        f"{'; '.join(parts)}."
    )


def units(content: Mapping) -> str:
    """What intervals are over: pairs, or, where there is one alone, its seeds."""
    return "pairs" if pairs(content) > 1 else "the seeds of one pair"


def at(point: str) -> str:
    """`at t = 10`, `over t ≥ 10`, or `at the end`."""
    if point == OVERALL:
        return f"over {when(point)}"
    return "at the end" if point == END else f"at {when(point)}"
