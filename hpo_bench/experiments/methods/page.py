"""The comparison as a Markdown page with a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from hpo_bench.display.figures import blank, house_style
from hpo_bench.display.table import TextTable
from hpo_bench.experiments.methods import tables
from hpo_bench.experiments.methods.findings import NAMES, Sample, claims, consistency, score_table
from hpo_bench.experiments.methods.lineup import BASE, EVERYBODY, METHODS, SWAP, VARIANTS
from hpo_bench.experiments.methods.measured import PairResult
from hpo_bench.experiments.page import Part, save_page
from landscapes.written import as_plain

PAGE, FIGURE = "methods.md", "methods.png"
SEED = 0
"""Of the bootstrap."""


def contents(results: Sequence[PairResult]) -> Mapping[str, TextTable]:
    """Every table by its title, in the order of the page."""
    whole, skill = (Sample(results, rng=np.random.default_rng(SEED), skill_only=only) for only in (False, True))
    tabled = {
        "Test score ± standard error (gain over the base VLM), in points": tables.scores(results),
        "The same on examples of the skill alone": tables.scores(results, skill_only=True),
        "Mean gain over the base VLM, here and in the study (Table 1), in points": tables.gains(results),
        "Settings that tuning found on validation examples, and coefficients of the untuned": tables.settings(results),
        "What tuning costs, and the study's Table 2": tables.tuning_cost(results),
        "Processor seconds of a merge, and the study's Table 11 (7B on an A800)": tables.merge_cost(results),
        "The study's findings on these pairs, with 95% intervals": tables.findings(claims(whole), claims(skill)),
        "Counts": tables.counts(consistency(whole)),
        "Variants of methods (†: in no other table), test score ± standard error (gain)": tables.variants(results),
    }  # fmt: skip
    return {title: table for title, table in tabled.items() if table.rows}


def notes(results: Sequence[PairResult]) -> tuple[str, ...]:
    """What a reader must know to read the tables."""
    domains = [result.domain for result in results]
    alone = sorted({domain for domain in domains if domains.count(domain) == 1})
    said = [
        "TA, DARE and TIES are tuned by the study's grid on validation examples; everybody is scored on test examples, "
        "which neither tuning nor calibration sees.",
        *(f"{result.pair}: {note}." for result in results for note in _notes(result)),
        "Processor seconds, of one thread: of a merge the fewest of up to five, until it stands in the live VLM; of "
        "statistics those of both models. Seconds of tuning are wall times, as they were recorded.",
        "Intervals: Student's over the pairs of a domain; of a domain's only pair, and of stability, by a paired "
        "bootstrap over examples.",
    ]
    shown = {one.method for one in VARIANTS if tables.measured(one, results)}
    if "wudi" in shown:
        said.append(
            "WUDI minimises a quadratic loss in each layer. Its minimum, of least norm, is the exact closed form; cut "
            "off, it keeps the sum of both task vectors along directions whose eigenvalues are under 1/300 of the "
            "largest; its paper takes 300 Adam steps of 1e-5 from that sum."
        )
    if "fisher" in shown:
        said.append("Calibrated on pictures, the expert reads them in the VLM's place, behind its vision tower.")
    if alone:
        said.append(f"One pair only in {', '.join(alone)}: its interval shows noise of examples, not of pairs.")
    if absent := [domain for domain in tables.DOMAINS if domain not in domains]:
        said.append(f"No pair in {', '.join(absent)}: what the study says of it is not tested.")
    return tuple(said)


def write_page(results: Sequence[PairResult], folder: Path, *, source: str) -> Path:
    """Write the page and its figure.

    Args:
        results: The pairs.
        folder: Where to.
        source: What the numbers come from, in a line.

    Returns:
        The page.

    Raises:
        ResultsError: If a file cannot be written.
    """
    parts: list[Part] = ["# Nine merge methods", source, f"![Gain over the base VLM]({FIGURE})"]
    for title, table in contents(results).items():
        parts += [f"## {title}", table]
    parts.append("\n".join(f"- {note}" for note in notes(results)))
    return save_page(folder / PAGE, parts, {Path(FIGURE).stem: (gains_figure(results), source)})


def gains_figure(results: Sequence[PairResult]) -> Figure:
    """Gains over the base VLM: methods down, pairs across; on whole benchmarks, and on the skill alone."""
    shown = (*METHODS, SWAP)
    panels = []
    for only in (False, True):
        each = [100 * score_table(result, skill_only=only).mean(axis=1) for result in results]
        base = NAMES.index(BASE.name)
        panels.append(np.array([[means[NAMES.index(one.name)] - means[base] for means in each] for one in shown]))
    with house_style():
        figure = blank(max(5.5, 2.6 + 0.9 * len(results)), 7.6)
        for place, (title, panel) in enumerate(zip(("Whole benchmark", "Skill alone"), panels, strict=True)):
            axes = figure.add_subplot(2, 1, place + 1)
            reach = max(1.0, float(np.abs(panel).max()))
            # Twice as far as the gains reach, so that the darkest cell still has figures that can be read.
            axes.imshow(panel, cmap="RdBu", norm=TwoSlopeNorm(0, -2 * reach, 2 * reach), aspect="auto")
            axes.set_title(f"{title}: gain in points")
            axes.set_xticks(range(len(results)), [result.pair for result in results], rotation=30, ha="right")
            axes.set_yticks(range(len(shown)), [one.label for one in shown])
            axes.grid(visible=False)
            axes.tick_params(length=0)
            for (row, column), value in np.ndenumerate(panel):
                bold = "bold" if value == panel[: len(METHODS), column].max() else "normal"
                axes.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=8, weight=bold)
    return figure


def _notes(result: PairResult) -> list[str]:
    """Each note once, after the methods that it is about."""
    said: dict[str, list[str]] = {}
    for one in (*METHODS, *VARIANTS):
        if one.name in result.measured and (note := result.measured[one.name].note):
            said.setdefault(note, []).append(one.label + (" †" if one in VARIANTS else ""))
    return [f"{' and '.join(labels)} {note}" for note, labels in said.items()]


def as_dict(results: Sequence[PairResult]) -> dict[str, Any]:
    """Everything that the tables show, in plain values; scores and gains as fractions, test examples only."""
    found = {}
    for only, title in ((False, "whole_benchmark"), (True, "skill_alone")):
        sample = Sample(results, rng=np.random.default_rng(SEED), skill_only=only)
        found[title] = {
            "scores": {result.pair: _scores(result, skill_only=only) for result in results},
            "findings": [as_plain(asdict(claim)) for claim in claims(sample)],
            "counts": {what: list(count) for what, count in consistency(sample).items()},
        }
    costs = {
        result.pair: {
            name: {
                "parameters": dict(one.parameters),
                "merge_seconds": dict(one.seconds),
                "statistics_seconds": one.statistics_seconds,
                "eval_seconds": one.eval_seconds,
                "grid": asdict(one.grid) if one.grid else None,
                "note": one.note,
            }
            for name, one in result.measured.items()
        }
        for result in results
    }
    return {"pairs": {result.pair: result.domain for result in results}, **found, "costs": costs}


def source(results: Sequence[PairResult]) -> str:
    """What the numbers come from, in a line."""
    kinds = {
        "nano pair": ([one for one in results if one.nano], " (about a million parameters, trained from scratch)"),
        "pair": ([one for one in results if not one.nano], ""),
    }
    parts = [
        f"{len(members)} {kind}{'s' * (len(members) > 1)}{what}: "
        + ", ".join(f"{one.pair} ({one.benchmark})" for one in members)
        for kind, (members, what) in kinds.items()
        if members
    ]
    return f"Real merges of {'; '.join(parts)}."


def _scores(result: PairResult, *, skill_only: bool) -> dict[str, dict[str, float]]:
    names = [one.name for one in (*EVERYBODY, *VARIANTS) if one.name in result.measured]
    table = score_table(result, names, skill_only=skill_only)
    gains = table - table[names.index(BASE.name)]
    root = np.sqrt(table.shape[1])
    return {
        name: {
            "score": float(row.mean()),
            "standard_error": float(row.std(ddof=1) / root),
            "gain": float(gain.mean()),
            "gain_standard_error": float(gain.std(ddof=1) / root),
        }
        for name, row, gain in zip(names, table, gains, strict=True)
    }
