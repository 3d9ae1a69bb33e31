"""The fidelity of landscapes as a table: how far each can be trusted, and why some cannot."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NoReturn

import numpy as np
from rich.console import Console

from hpo_bench.analyses import paper
from hpo_bench.analyses.optima import edges
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import METHODS, UNDEFINED, counted, figure, score
from hpo_bench.workers import each
from landscapes.landscape import Landscape
from landscapes.problem import Problem
from landscapes.suites import boxes
from landscapes.suites.features import CLIFF, HIGH, PLATEAU, RIDGE, features
from landscapes.terms import TIERS
from landscapes.trust import MARK, RULE, Fidelity
from landscapes.written import as_plain


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """How far a landscape can be trusted.

    Attributes:
        name: Of the landscape.
        tier: How real the models are: nano, pretrained or elsewhere.
        design: Which settings were recorded: study, wide or sweep.
        method: ta, dare, ties or other.
        settings: How many were recorded.
        range: Of the recorded scores, in score units.
        standard_error: Of one evaluation near the optimum, in score units; NaN where unknown.
        vlm: Score of the VLM as it is, on the examples that are tuned on; NaN where it was not asked.
        fidelity: The measures.
        maxima: How many local maxima survive the noise; None where that cannot be told.
        recorded_maxima: How many recorded settings are higher than all their neighbours.
        maxima_where: On which grid and split.
        weaknesses: Why it is weak; empty if it is not.
        shape: Plateau, ridge and cliff, as far as it has them; or hill (`landscapes.suites.features`).
        on_edge: Hyperparameters of which the optimum lies on a face of the box.
    """

    name: str
    tier: str
    design: str
    method: str
    settings: int
    range: float
    standard_error: float
    vlm: float
    fidelity: Fidelity
    maxima: int | None
    recorded_maxima: int | None
    maxima_where: str
    weaknesses: tuple[str, ...]
    shape: tuple[str, ...]
    on_edge: tuple[str, ...]

    def as_json(self) -> dict:
        """The same as plain JSON values; what was not measured is null."""
        figures = {**asdict(self), **asdict(self.fidelity)}
        del figures["fidelity"]
        return as_plain(figures)


def announce(landscapes: Sequence[Problem], progress: Console) -> list[Landscape]:
    """Say that landscapes are measured for the first time, which takes a second or so each, if some are.

    Args:
        landscapes: Which ones are about to be.
        progress: Where to say it.

    Returns:
        Those of which the user's cache knows nothing.
    """
    new = [one for one in landscapes if isinstance(one, Landscape) and not _is_known(one)]
    if new:
        progress.print(f"measuring {counted(len(new), 'landscape')} for the first time, a second or so each")
    return new


def measured(landscapes: Sequence[Landscape], *, jobs: int, progress: Console) -> list[Landscape]:
    """The same landscapes, with extremes and fidelity known.

    Args:
        landscapes: Which ones.
        jobs: Worker processes, for those that are measured for the first time.
        progress: Where to say that some are.

    Raises:
        LandscapeError: If something recorded beside a landscape cannot be used.
    """
    new = announce(landscapes, progress)
    done = dict(zip(map(id, new), each(_measured, new, jobs=jobs), strict=True))
    return [done.get(id(one), one) for one in landscapes]


def _measured(landscape: Landscape) -> Landscape:
    landscape.fidelity()
    return landscape


def _is_known(landscape: Landscape) -> bool:
    def unknown() -> NoReturn:
        raise LookupError(landscape.name)

    try:
        landscape.kept("fidelity", unknown)
    except LookupError:
        return False
    return True


def check(landscapes: Sequence[Landscape], *, jobs: int = 1) -> list[FidelityReport]:
    """Measure landscapes.

    Args:
        landscapes: Which ones.
        jobs: Worker processes.

    Raises:
        LandscapeError: If something recorded beside a landscape cannot be used.
    """
    return each(report, landscapes, jobs=jobs)


def rule() -> str:
    """By which landscapes are called weak, as a sentence without its full stop."""
    return RULE[0].upper() + RULE[1:]


def report(landscape: Landscape) -> FidelityReport:
    """How far a landscape can be trusted.

    Raises:
        LandscapeError: If something recorded beside it cannot be used.
    """
    found = landscape.maxima
    return FidelityReport(
        name=landscape.name,
        tier=landscape.card.tier,
        design=landscape.card.design,
        method=landscape.card.method,
        settings=len(landscape.grid),
        range=landscape.grid.range,
        standard_error=landscape.noise,
        vlm=landscape.vlm,
        fidelity=landscape.fidelity(),
        maxima=None if found is None else found.surviving,
        recorded_maxima=None if found is None else found.recorded,
        maxima_where="" if found is None else found.where,
        weaknesses=landscape.weaknesses,
        shape=features(landscape).shape,
        on_edge=edges(landscape.space, landscape.optimum.x),
    )


COLUMNS = (
    "landscape", "settings", "SE", "SE %", "typical SE %", "LOOCV %, study", "exact, inner", "exact, all",
    "overshoot %", "held out", "RMSE %", "Spearman", "argmax regret %", "overshoot of all %", "mask noise %", "maxima",
)  # fmt: skip


def table(reports: Sequence[FidelityReport]) -> TextTable:
    """One row a landscape."""
    return TextTable.of(COLUMNS, map(_line, reports))


SHAPES = (
    f"Shapes: a plateau has at least {HIGH:g} of the range on more than {PLATEAU:.0%} of the box; where a ridge has as "
    f"much is {1 / RIDGE:.0f} times as long as wide; a cliff is steeper than {CLIFF:g} ranges a side in its steepest "
    "hundredth; a hill is none of these"
)


def by_tier(reports: Sequence[FidelityReport]) -> TextTable:
    """One row a tier, and one for all if there are several: how far it can be trusted, and what it is like."""
    tiers = {tier: [one for one in reports if one.tier == tier] for tier in TIERS}
    rows = [Row(tier, _of_tier(mine)) for tier, mine in tiers.items() if mine]
    if len(rows) > 1:
        rows.append(Row("all", _of_tier(reports), faint=True))
    columns = (
        "tier", "landscapes (pairs)", "weak", "typical SE %", "LOOCV %, study", "exact, all", "RMSE %", "Spearman",
        "several maxima", "plateau", "ridge", "cliff", "optimum inside",
    )  # fmt: skip
    return TextTable(columns, tuple(rows))


def _of_tier(reports: Sequence[FidelityReport]) -> tuple[str, ...]:
    counted = [one for one in reports if one.maxima is not None]
    return (
        f"{len(reports)} ({len({one.name.partition('/')[0] for one in reports})})",
        str(sum(bool(one.weaknesses) for one in reports)),
        *(
            _spread([getattr(one.fidelity, key) for one in reports], digits)
            for key, digits in (
                ("typical_noise_percent", 1), ("study_loocv", 1), ("exact_loocv", 1), ("held_out_rmse", 1),
                ("spearman", 2),
            )
        ),
        f"{sum((one.maxima or 0) > 1 for one in counted)} of {len(counted)}" if counted else UNDEFINED,
        *(str(sum(shape in one.shape for one in reports)) for shape in ("plateau", "ridge", "cliff")),
        str(sum(not one.on_edge for one in reports)),
    )  # fmt: skip


def _spread(values: Sequence[float], digits: int) -> str:
    """Median (least to greatest) of those that are known."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return UNDEFINED
    middle, low, high = (figure(float(of(known)), f"z.{digits}f") for of in (np.median, np.min, np.max))
    return f"{middle} ({low} to {high})"


def beside_the_study(reports: Sequence[FidelityReport]) -> str:
    """Median leave-one-out errors by method, ours and those of the study's Table 12, in a sentence.

    The study has none in the wide box, so that these are left out.
    """
    narrow = [one for one in reports if one.design != boxes.WIDE]
    parts = [
        f"{label} {np.median(ours):.1f} (there {np.median(there):.1f})"
        for label, ours, there in _by_method([(one.method, one.fidelity.study_loocv) for one in narrow])
        if ours and there
    ]
    return f"LOOCV by the study's protocol, median, beside its Table 12: {', '.join(parts)}" if parts else ""


def loocv_by_method(errors: Sequence[tuple[str, float]]) -> TextTable:
    """The same as a table: median, least and greatest error.

    Args:
        errors: Of each landscape its merge method and its error in the study's box.
    """
    lines = ((label, _spread(ours, 1), _spread(there, 1)) for label, ours, there in _by_method(errors))
    return TextTable.of(("method", "here", "the study (Table 12)"), lines)


def _by_method(errors: Sequence[tuple[str, float]]) -> Iterator[tuple[str, list[float], list[float]]]:
    """Each method that there is, as it is called, with its errors, where these are known, and the study's."""
    theirs = paper.loocv()
    for method, label in METHODS.items():
        if ours := [error for one, error in errors if one == method]:
            known = [error for error in ours if not math.isnan(error)]
            yield label, known, [errors[label] for errors in theirs.values() if label in errors]


def study_loocv() -> TextTable:
    """The study's Table 12."""
    table = paper.loocv()
    methods = ("TA", "DARE", "TIES")
    lines = ((dataset, *(f"{table[dataset][m]:.1f}" for m in methods)) for dataset in table)
    return TextTable.of(("dataset–pair", *methods), lines)


def _line(report: FidelityReport) -> tuple[str, ...]:
    trust = report.fidelity
    found = UNDEFINED if report.maxima is None else f"{report.maxima} of {report.recorded_maxima}"
    return (
        report.name + (MARK if report.weaknesses else ""),
        str(report.settings),
        UNDEFINED if math.isnan(report.standard_error) else score(report.standard_error, within=report.range),
        figure(trust.noise_percent),
        figure(trust.typical_noise_percent),
        figure(trust.study_loocv),
        figure(trust.exact_loocv_interior),
        figure(trust.exact_loocv),
        figure(trust.overshoot_percent),
        str(trust.held_out or UNDEFINED),
        figure(trust.held_out_rmse),
        figure(trust.spearman, "z.2f"),
        figure(trust.argmax_regret),
        figure(trust.real_overshoot_percent),
        figure(trust.mask_noise_percent),
        found,
    )


def notes(reports: Sequence[FidelityReport]) -> list[str]:
    """What the table cannot say: on what maxima were counted, and what nobody recorded."""
    told = [beside_the_study(reports)] if beside_the_study(reports) else []
    wheres = sorted({report.maxima_where for report in reports if report.maxima_where})
    if wheres:
        told.append(f"maxima: those that survive the noise, of all recorded ones, on {'; '.join(wheres)}")
    for what, missing in (
        ("held-out settings", [r for r in reports if not r.fidelity.held_out]),
        ("several masks", [r for r in reports if r.method == "dare" and np.isnan(r.fidelity.mask_noise_percent)]),
        ("the outcome of each example", [r for r in reports if r.maxima is None]),
    ):
        if missing:
            names = "all" if len(missing) == len(reports) else ", ".join(report.name for report in missing)
            told.append(f"{UNDEFINED}: nobody recorded {what} of {names}")
    return told
