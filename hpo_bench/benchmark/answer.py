"""What a benchmark says to somebody who has a pair to tune: what to use, what it gains, and how far to believe it."""

from collections.abc import Mapping, Sequence

import numpy as np

from hpo_bench.benchmark.sentences import at, comparison_sentence, leader, noise_sentence, units, without_intervals
from hpo_bench.benchmark.tables import NAMES, by_optimizer, headline, labels, losses, moments, pairs, when
from hpo_bench.display.table import Column, TextTable
from hpo_bench.display.words import counted, interval, listed, number, share
from hpo_bench.statistics.examples import Z95
from landscapes.landscape import Landscape

USUAL = ("grid", "random")
"""What people use who use no optimiser: the others of the answer."""


def real(landscapes: Sequence[Landscape]) -> dict:
    """How much of a benchmark on these landscapes is merges that were made and evaluated.

    Returns:
        Plain JSON values: `settings` that were merged and evaluated, `held_out` ones that no surrogate was fitted to,
        and the least and greatest error of the surrogates at these, in % of the range (`error`; null if none were).
    """
    trusts = [landscape.fidelity() for landscape in landscapes]
    errors = [trust.held_out_rmse for trust in trusts if np.isfinite(trust.held_out_rmse)]
    return {
        "settings": sum(len(landscape.grid) for landscape in landscapes),
        "held_out": sum(trust.held_out for trust in trusts),
        "error": [float(min(errors)), float(max(errors))] if errors else None,
    }


def table(content: Mapping) -> TextTable:
    """The one table: what each optimiser loses on unseen examples, beside its regret on the surrogate.

    Args:
        content: What `summary.summary` made, with what comes with the report.

    Returns:
        The headline table where unseen examples were not recorded.
    """
    found = content["unseen"]
    if not found:
        return headline(content)
    points = moments(content)
    order = sorted(content["optimizers"], key=lambda one: found["at"][points[0]][one]["value"])
    columns = losses(content, "loss on unseen examples", points)
    if content.get("goal") == "test":  # answers were replayed
        beats, optimism = found["beats"][points[0]], found["optimism"][points[-1]]
        columns += [
            Column(f"runs that beat the VLM, {when(points[0])}", lambda one: share(beats[one])),
            Column(f"reported score too high by, {when(points[-1])}", lambda one: interval(optimism[one])),
        ]
    else:
        known = content["optimizers"]
        columns += [
            Column(
                f"{NAMES['median_ror']} on the surrogate, {when(point)}",
                lambda one, point=point: interval(known[one]["at"][point]["median_ror_all"]),
            )
            for point in points
        ]
    return by_optimizer(content, columns, order=order)


def sentences(content: Mapping) -> dict[str, str]:
    """The answer in words, by what each is about.

    Args:
        content: What `summary.summary` made, with what comes with the report.
    """
    if not content["unseen"]:
        said = {"What to use": leader(content), "Whether the difference is real": comparison_sentence(content)}
        return {head: text for head, text in said.items() if text}
    said = {
        "What to use": _use(content),
        "What it gains on unseen examples": _gains(content),
        "What its score promises": _promise(content),
        "What of that is beyond the noise": _noise(content),
        "What was real, and what interpolated": _real(content),
        "What is not known": _unknown(content),
    }
    return {head: text for head, text in said.items() if text}


def _others(content: Mapping) -> list[str]:
    reference = content["comparisons"]["reference"]
    return [one for one in USUAL if one in content["optimizers"] and one != reference]


def _labels(content: Mapping) -> dict[str, str]:
    return {**labels(content), "grid": "the plain grid"}


def _use(content: Mapping) -> str:
    """For which budgets the reference is better than what people use without it."""
    labels, others, saved = _labels(content), _others(content), content["unseen"]["saved"]
    reference = content["comparisons"]["reference"]
    if not others:
        return leader(content)
    patterns: dict[tuple[str, ...], list[str]] = {}
    for point, by in saved.items():
        patterns.setdefault(tuple(_sign(by[other]) for other in others), []).append(at(point))
    parts = []
    for pattern, points in patterns.items():
        said = [
            f"{words} {listed([labels[one] for one, sign in zip(others, pattern, strict=True) if sign == key])}"
            for key, words in VERDICTS.items()
            if key in pattern
        ]
        parts.append(f"{listed(points)} it is {listed(said)}")
    budgets = sorted({one["budget"] for one in content["landscapes"]})
    alone = " of this one pair" if pairs(content) == 1 else ""
    by = ", by the number of hyperparameters" if len(budgets) > 1 else ""
    return (
        f"{SPELT_OUT.get(reference, labels[reference])}: on unseen examples{alone}, {'; '.join(parts)} (t counts "
        f"evaluations; the end is after {' or '.join(str(budget) for budget in budgets)}{by})."
    )


SPELT_OUT = {"gp-bo": "GP-BO (Bayesian optimisation with a Gaussian process)"}
"""What those are called here who are known by their initials."""
VERDICTS = {"better": "better than", "worse": "worse than", "open": "not distinguishable from"}


def _sign(difference: Mapping[str, float | None]) -> str:
    """By a paired 95% interval: better, worse or open."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return "open"
    return "better" if low > 0 else "worse"


def _gains(content: Mapping) -> str:
    found, labels, others = content["unseen"], _labels(content), _others(content)
    reference = content["comparisons"]["reference"]
    unit, points = _unit(content), list(found["at"])
    if not others:
        losses = [f"{interval(found['at'][point][reference])} {at(point)}" for point in points]
        return f"{labels[reference]} loses {listed(losses)} {unit} against the best setting there is for them."
    first, *later = [[interval(found["saved"][point][one]) for one in others] for point in points]
    against = [f"{saved} higher than that of {labels[one]}" for saved, one in zip(first, others, strict=True)]
    against[0] = against[0].replace(" higher", f" {unit} higher", 1)
    parts = [f"{at(points[0])}, the recommendation of {labels[reference]} scores {listed(against)}"]
    parts += [f"{at(point)}, {listed(saved)}" for point, saved in zip(points[1:], later, strict=True)]
    said = "; ".join(parts)
    why = without_intervals(content)
    if not why and all(found["saved"][point][one]["low"] is None for point in points for one in others):
        why = "there are no intervals, as unseen examples were recorded of too few pairs"
    if why:
        return f"{said[0].upper()}{said[1:]}. Differences are paired, and show nothing: {why}."
    return (
        f"{said[0].upper()}{said[1:]}. Differences are paired; in brackets are 95% intervals over {units(content)}; "
        "one that holds 0 shows nothing."
    )


def _promise(content: Mapping) -> str:
    """How often the reference's recommendation beats the base VLM, and how much too high its own score is."""
    found = content["unseen"]
    if content.get("goal") != "test":
        return ""
    reference = content["comparisons"]["reference"]
    parts = [
        f"{at(point)} {share(found['beats'][point][reference])} of runs recommend what beats the base VLM there, and "
        f"its score on the examples that were tuned on is {_off(found['optimism'][point][reference])}"
        for point in found["at"]
    ]
    few, most = min(found["examples"]), max(found["examples"])
    each = f"{few:,}" if few == most else f"{few:,} to {most:,}"
    return (
        f"{_labels(content)[reference]}: {'; '.join(parts)}. Every setting answers {each} examples, so that t "
        f"evaluations take t times as many answers. The best score on unseen examples is lucky itself, by "
        f"{number(found['luck'])} points on average, and losses are too high by as much."
    )


def _off(optimism: Mapping[str, float | None]) -> str:
    """By how much a score is too high, or too low."""
    value = optimism["value"]
    if value is None or value >= 0:
        return f"{interval(optimism)} points too high"
    low, high = (None if end is None else -end for end in (optimism["high"], optimism["low"]))
    return f"{interval({'value': -value, 'low': low, 'high': high})} points too low"


def _unit(content: Mapping) -> str:
    return "points" if content["unseen"]["unit"] == "points" else "% of the range"


def _noise(content: Mapping) -> str:
    """What of the differences that were told a study of one's own could show, and what the mean over landscapes."""
    noise = [one["noise_of_a_comparison"] for one in content["landscapes"] if one["noise_of_a_comparison"] is not None]
    found = content["unseen"]
    if content.get("goal") == "test":
        return ""
    if not noise or found["unit"] != "points":
        return noise_sentence(content)
    error = 100 * float(np.median(noise))
    known = (
        "on the examples that are tuned on, the difference between two good settings is known to a standard error of "
        f"{number(error)} points (median)."
    )
    told = [by[one] for by in found["saved"].values() for one in _others(content)]
    sizes = [abs(one["value"]) for one in told if _sign(one) != "open"]
    if not sizes:
        return f"{known[0].upper()}{known[1:]}"
    mean = f"in the mean over {counted(found['landscapes'], 'landscape')}"
    if found["landscapes"] == len(content["landscapes"]):
        mean += f" of {counted(pairs(content), 'pair')}"
    if len(sizes) < len(told):
        mean += ", where its interval does not hold 0"
    if max(sizes) <= Z95 * error:
        return f"A study of one's own could not show it: {known} It shows {mean}."
    less = f" What is less shows {mean}." if min(sizes) <= Z95 * error else ""
    return (
        f"A study of one's own could show what is beyond {number(Z95 * error)} points, and nothing less: {known}{less}"
    )


def _real(content: Mapping) -> str:
    found = content["real"]
    if not found:
        return ""
    queries = sum(one["budget"] for one in content["landscapes"]) * len(content["optimizers"]) * content["seeds"]
    held = ""
    if found["held_out"]:
        low, high = found["error"]
        held = (
            f", and {found['held_out']:,} further ones off the grids, where smooth surfaces such as surrogates, "
            f"through the grids' scores on unseen examples, err by {low:.1f} to {high:.1f}% of the range from worst to "
            "best"
        )
    return (
        f"Real: {found['settings']:,} merges on grids, which answered both examples to tune on and unseen ones{held}. "
        f"Interpolated, by surrogates: the {queries:,} queries of the optimisers, and the scores on unseen examples."
    )


def _unknown(content: Mapping) -> str:
    """That models of full size were not merged, where none was."""
    if not {one["tier"] for one in content["landscapes"]} <= {"nano", "pretrained"}:
        return ""
    return "Whether it holds for models of billions of parameters: none of those that were merged here is of that size."
