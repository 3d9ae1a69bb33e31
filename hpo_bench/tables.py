"""The tables of a benchmark as text, the same in the terminal and on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo_bench.statistics import RATIOS
from hpo_bench.wording import brackets, interval, multiple, number, seconds

NAMES = {
    "median_ror": "median RoR",
    "geometric_mean_ror": "geometric mean RoR",
    "ratio_of_means": "ratio of means",
}
LUCK = "luck alone (Random)"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        head: What the row is about.
        cells: Its text.
        optimizer: Identity of the optimiser that it is about, or none.
        faint: Whether it is for comparison only.
    """

    head: str
    cells: tuple[str, ...]
    optimizer: str | None = None
    faint: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
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


def headline(content: Mapping) -> TextTable:
    """Every optimiser on all landscapes as they are, without noise; best at the top.

    Args:
        content: What `summary.summary` made.
    """
    points = list(content["null_band"])
    rows = tuple(
        Row(
            one["label"],
            (
                *(interval(one["at"][point]["median_ror_all"]) for point in points),
                interval(one["at"]["end"]["ratio_of_means_all"]),
                interval(one["at"]["end"]["mean_regret"]),
                multiple(one["equivalent_random_budget"]),
                seconds(one["seconds_per_suggestion"]),
            ),
            identity,
        )
        for identity, one in content["optimisers"].items()
    )
    band = content["null_band"]
    luck = (*(brackets(band[p]["median_ror_all"]) for p in points), brackets(band["end"]["ratio_of_means_all"]))
    heads = (
        "optimiser",
        *(f"median RoR, {when(point)}" for point in points),
        "ratio of means, end",
        "mean regret, end",
        "random budget",
        "seconds a suggestion",
    )
    return TextTable(heads, (*rows, Row(LUCK, (*luck, "", "", ""), faint=True)))


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
    keys = [(name, point) for name in ("median_ror", "ratio_of_means") for point in kept if kept[point]]
    return _ratios(content, keys, heads=[f"{NAMES[n]}, {when(p)} ({kept[p]} of {total})" for n, p in keys])


def ratios(content: Mapping, *, everywhere: bool) -> TextTable:
    """Every ratio at every checkpoint.

    Args:
        content: What `summary.summary` made.
        everywhere: Over all landscapes, and not only where Random's regret is above the noise.
    """
    suffix = "_all" if everywhere else ""
    keys = [(name, point) for name in RATIOS for point in content["null_band"]]
    return _ratios(content, keys, suffix, heads=[f"{NAMES[name]}, {when(point)}" for name, point in keys])


def _ratios(content: Mapping, keys: Sequence[tuple[str, str]], suffix: str = "", *, heads: Sequence[str]) -> TextTable:
    rows = tuple(
        Row(one["label"], tuple(interval(one["at"][point][name + suffix]) for name, point in keys), identity)
        for identity, one in content["optimisers"].items()
    )
    luck = tuple(brackets(content["null_band"][point][name + suffix]) for name, point in keys)
    return TextTable(("optimiser", *heads), (*rows, Row(LUCK, luck, faint=True)))


def leader(content: Mapping) -> str:
    """Who is ahead, in a sentence, with the interval."""
    parts = []
    for point in content["null_band"]:
        known = {one["label"]: one["at"][point]["median_ror_all"] for one in content["optimisers"].values()}
        best = number(min(figures["value"] for figures in known.values()))
        # Whoever shares the printed figure shares the lead.
        first = [label for label, figures in known.items() if number(figures["value"]) == best]
        said = f"{_and(first)} {best if len(first) > 1 else interval(known[first[0]])}"
        parts.append(f"{'at the end' if point == 'end' else f'after {point} evaluations'} {said}")
    return "Lowest median regret over random: " + "; ".join(parts) + ". 1 is uniform random search."


def noise_sentence(content: Mapping) -> str:
    """On how many landscapes one noisy evaluation could show what Random leaves to be gained."""
    total = len(content["landscapes"])
    excluded = {point: found["excluded"] for point, found in content["exclusions"].items()}
    if not any(excluded.values()):
        return "Random's own regret is above the noise of a comparison on every landscape: ratios could be observed."
    counts = ", ".join(f"{count} of {total} {_at(point)}" for point, count in excluded.items())
    return (
        f"Random's own regret is under the noise of a comparison of two settings on {counts}: these ratios hold for "
        "the landscape as interpolated, but tuning with so few examples would not show them."
    )


def _at(point: str) -> str:
    return "at the end" if point == "end" else f"at t = {point}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
