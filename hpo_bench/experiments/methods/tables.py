"""The comparison as text tables, the study's columns beside ours; scores and gains are in points, that is per cent."""

from collections.abc import Mapping, Sequence

import numpy as np

from hpo_bench.analyses import paper
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import UNDEFINED, bracketed
from hpo_bench.experiments.methods.findings import NAMES, Claim, score_table
from hpo_bench.experiments.methods.lineup import BASE, EVERYBODY, METHODS, OTHERS, SWAP, VARIANTS, ComparedMethod
from hpo_bench.experiments.methods.measured import Measured, PairResult

DOMAINS = ("language", "maths", "instructions")


def scores(results: Sequence[PairResult], *, skill_only: bool = False) -> TextTable:
    """Table 1: test scores, and gains over the base VLM, each with its standard error.

    A gain's is that of the paired difference, example by example.
    """
    tables = [100 * score_table(result, skill_only=skill_only) for result in results]
    base = NAMES.index(BASE.name)
    rows = []
    for index, contender in enumerate(EVERYBODY):
        cells = []
        for table in tables:
            cell = _with_error(table[index])
            if index != base:
                cell += f" ({_with_error(table[index] - table[base], sign='+')})"
            cells.append(cell)
        mean = np.mean([table[index].mean() for table in tables])
        gain = np.mean([(table[index] - table[base]).mean() for table in tables])
        cells.append(f"{mean:.1f}" + (f" ({gain:+.1f})" if index != base else ""))
        rows.append(Row(contender.label, tuple(cells), faint=contender in (BASE, SWAP)))
    ordered = [*(row for row in rows if not row.faint), *(row for row in rows if row.faint)]
    return TextTable(("method", *(result.pair for result in results), "mean"), tuple(ordered))


def variants(results: Sequence[PairResult]) -> TextTable:
    """Every variant of a method and, before them, the one that stands in the other tables: score and gain, and cost."""
    rows = []
    for contender in METHODS:
        others = [one for one in VARIANTS if one.method == contender.name and measured(one, results)]
        for one in (contender, *others) if others else ():
            tables = [100 * score_table(result, (BASE.name, one.name)) for result in results]
            cells = [f"{_with_error(table[1])} ({_with_error(table[1] - table[0], sign='+')})" for table in tables]
            mean = np.mean([table.mean(axis=1) for table in tables], axis=0)
            cells.append(f"{mean[1]:.1f} ({mean[1] - mean[0]:+.1f})")
            cells.append(_duration(float(np.mean([_whole(result.measured[one.name]) for result in results]))))
            rows.append((f"{one.label}: {one.how}{'' if one in METHODS else ' †'}", *cells))
    return TextTable.of(("variant", *(result.pair for result in results), "mean", "processor time"), rows)


def measured(contender: ComparedMethod, results: Sequence[PairResult]) -> bool:
    """Whether it was measured on all pairs."""
    return all(contender.name in result.measured for result in results)


def gains(results: Sequence[PairResult]) -> TextTable:
    """Mean gain over the base VLM by method and domain, ours beside the study's."""
    theirs = paper.gains()
    present = [domain for domain in DOMAINS if any(result.domain == domain for result in results)]
    base = NAMES.index(BASE.name)
    rows = []
    for contender in METHODS:
        index = NAMES.index(contender.name)
        cells = []
        for domain in (*present, "all"):
            here = [
                100 * (table[index] - table[base]).mean()
                for table in (score_table(result) for result in results if domain in (result.domain, "all"))
            ]
            cells += [f"{np.mean(here):+.1f}", f"{theirs[contender.study][domain]:+.1f}"]
        rows.append((contender.label, *cells))
    heads = [f"{domain}, {where}" for domain in (*present, "all") for where in ("here", "study")]
    return TextTable.of(("method", *heads), rows)


def settings(results: Sequence[PairResult]) -> TextTable:
    """Where tuned methods were tuned to, and the coefficients that others chose."""
    rows = []
    for contender in METHODS:
        cells = [_where(result.measured[contender.name].parameters) for result in results]
        if any(cell != UNDEFINED for cell in cells):
            rows.append((contender.label, *cells))
    return TextTable.of(("method", *(result.pair for result in results)), rows)


def tuning_cost(results: Sequence[PairResult]) -> TextTable:
    """Table 2: what tuning by the whole grid costs, by pair and by benchmark of the study, and going without."""
    rows = []
    for result in results:
        grids = [one.grid for one in result.measured.values() if one.grid]
        free = [result.measured[name] for name in OTHERS]
        merging, scoring = sum(grid.merge_seconds for grid in grids), sum(grid.eval_seconds for grid in grids)
        cells = (
            str(sum(grid.settings for grid in grids)),
            _duration(merging),
            _duration(scoring),
            _duration(merging + scoring),
            _duration(sum(_whole(one) for one in free) / len(free)),
        )
        rows.append(Row(f"{result.benchmark} ({result.pair})", cells))
    for benchmark, (dollars, hours) in paper.tuning_cost().items():
        cells = ("225", UNDEFINED, UNDEFINED, f"{hours:.1f} h and ${dollars:,.0f}", UNDEFINED)
        rows.append(Row(f"{benchmark} (study)", cells, faint=True))
    heads = ("benchmark", "settings of TA, DARE and TIES", "merging", "scoring", "tuning in all", "mean untuned method")
    return TextTable(heads, tuple(rows))


def merge_cost(results: Sequence[PairResult]) -> TextTable:
    """Table 11: processor seconds of one merge by method, a mean over pairs, ours and mergekit's beside the study's."""
    theirs = paper.merge_seconds()
    here = {one.name: np.mean([_whole(result.measured[one.name]) for result in results]) for one in METHODS}
    rows = []
    for contender in METHODS:
        found = [result.measured[contender.name] for result in results]
        statistics = np.mean([one.statistics_seconds for one in found])
        merge = np.mean([one.seconds["here"] for one in found])
        mergekit = [one.seconds["mergekit"] for one in found if "mergekit" in one.seconds]
        cells = (
            contender.label,
            _duration(float(statistics)) if statistics else UNDEFINED,
            _duration(float(merge)),
            _duration(float(np.mean(mergekit))) if mergekit else UNDEFINED,
            _times(float(here[contender.name] / here["ta"])),
            f"{theirs[contender.study]:,.0f} s",
            _times(theirs[contender.study] / theirs["TA"]),
        )
        rows.append(cells)
    heads = ("method", "statistics", "merge", "mergekit", "all, × TA", "study", "study, × TA")
    return TextTable.of(heads, rows)


def findings(whole: Sequence[Claim], skill: Sequence[Claim]) -> TextTable:
    """Every claim with its figure, on whole benchmarks and on the skill's examples alone."""
    shown = (
        (f"{one.finding}. {one.text}", one.quantity, _claimed(one), one.verdict, _claimed(two), two.verdict)
        for one, two in zip(whole, skill, strict=True)
    )
    return TextTable.of(("the study says", "figure, in points", "whole benchmark", "", "skill alone", ""), shown)


def counts(found: Mapping[str, tuple[int, int]]) -> TextTable:
    """Shares of cases that the study reports."""
    return TextTable.of(("of all", "here"), ((what, f"{some} of {all_}") for what, (some, all_) in found.items()))


def _with_error(points: np.ndarray, sign: str = "") -> str:
    error = points.std(ddof=1) / np.sqrt(len(points)) if len(points) > 1 else float("nan")
    return f"{points.mean():{sign}.1f}±{error:.1f}"


def _claimed(claim: Claim) -> str:
    return bracketed(claim.interval, "+.1f", times=100)


def _where(parameters: Mapping[str, float]) -> str:
    return ", ".join(f"{value:.3g}" for value in parameters.values()) or UNDEFINED


def _duration(value: float) -> str:
    """Seconds, or milliseconds of what is short."""
    number, unit = (value, "s") if value >= 1 else (1000 * value, "ms")
    return f"{number:,.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def _whole(one: Measured) -> float:
    return one.statistics_seconds + one.seconds["here"]
