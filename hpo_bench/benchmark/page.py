"""The benchmark as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo_bench.analyses import fidelity
from hpo_bench.analyses.section import Section
from hpo_bench.benchmark import page_tables, tiers
from hpo_bench.benchmark.figures.registry import FIGURES
from hpo_bench.benchmark.plan import BUDGETS
from hpo_bench.benchmark.regret import SEARCHES
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.benchmark.tables import (
    ALONE,
    above_noise,
    at,
    comparison_sentence,
    comparisons,
    headline,
    leader,
    noise_sentence,
    overall,
    ratios,
    sound,
    sound_sentence,
    targets,
    unseen,
    unseen_sentence,
    when,
)
from hpo_bench.display import landscape_map, page
from hpo_bench.display.figures import colours, encode, provenance
from hpo_bench.display.page import PNG, SVG, Shown
from hpo_bench.display.words import counted
from hpo_bench.files import FigureFolder, write
from hpo_bench.statistics.intervals import LEAST_PAIRS
from hpo_bench.statistics.luck import REPLICATES
from hpo_bench.statistics.ratios import REGRET_FLOOR
from hpo_bench.workers import begin
from landscapes.landscape import Landscape


def render(
    benchmark: Benchmark,
    content: dict,
    *,
    main: Sequence[Shown],
    maps: Sequence[Shown],
    study: Section | None,
    study_figures: Sequence[Shown],
    trust: Mapping[str, object],
    provenance: str,
) -> str:
    """The page's text.

    Args:
        benchmark: What was run.
        content: Its summary.
        main: The figures about optimisers.
        maps: The figures about landscapes.
        study: The study's analyses of recorded landscapes; None if there are none.
        study_figures: Its figures.
        trust: How far landscapes can be trusted (`fidelity.section`).
        provenance: What the numbers come from.
    """
    plan = benchmark.plan
    recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
    return page.render(
        "hpo_bench.benchmark",
        title="hpo-bench: which optimiser finds the best merge soonest",
        content=content,
        provenance=provenance,
        synthetic=any(landscape.card.synthetic for landscape in benchmark.landscapes),
        evaluations=len(benchmark.runs),
        pairs=len(set(benchmark.pairs)),
        budgets=sorted({(ls.space.dim, plan.budget_of(ls)) for ls in plan.landscapes}),
        study_budgets=BUDGETS,
        colours=colours(benchmark.labels),
        headline=headline(content),
        above_noise=above_noise(content),
        leader=leader(content),
        noise_sentence=noise_sentence(content),
        ratios=ratios(content, everywhere=False),
        ratios_all=ratios(content, everywhere=True),
        comparisons=comparisons(content),
        comparison_sentence=comparison_sentence(content),
        span=when(overall(content)),
        least_pairs=LEAST_PAIRS,
        unseen=unseen(content),
        alone=ALONE,
        unseen_sentence=unseen_sentence(content),
        sound=sound(content),
        sound_sentence=sound_sentence(content),
        targets=targets(content),
        landscapes=page_tables.landscapes(content),
        agreement=tiers.agreement(content),
        tier_regrets=tiers.regrets(content),
        recorded=bool(recorded),
        loocv=page_tables.loocv(recorded),
        loocv_by_method=page_tables.loocv_by_method(recorded),
        study_loocv=page_tables.study_loocv(),
        **trust,
        kernels=sorted({str(dict(ls.surrogate.settings).get("kernel", "gp")) for ls in recorded}),
        surpassed=[one["name"] for one in content["landscapes"] if one["surpassed"]],
        floor=REGRET_FLOOR,
        replicates=REPLICATES,
        searches=SEARCHES,
        main=main,
        maps=maps,
        study=study,
        study_figures=study_figures,
        at=at,
        counted=counted,
    )


def write_report(
    benchmark: Benchmark, content: dict, study: Section | None, folder: ResultsFolder, *, jobs: int
) -> dict[Path, str]:
    """Draw every figure and write the page that shows them.

    Args:
        benchmark: What was run.
        content: Its summary.
        study: The study's analyses of its recorded landscapes; None if there are none.
        folder: Where to; the page is `index.html` in it.
        jobs: Worker processes that draw.

    Returns:
        Every file of the report, with the SHA-256 of its content.

    Raises:
        ResultsError: If a file cannot be written.
    """
    figures, source = FigureFolder(folder.figures), provenance(benchmark.landscapes)
    recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
    # What is about one landscape alone takes longest, and workers make it while this process draws the rest.
    about_each = begin(_about, recorded, jobs=jobs)
    main = [
        Shown(
            name,
            figures.keep(name, encode(figure.draw(benchmark), source))["svg"],
            SVG,
            figure.caption,
            figure.describe(benchmark),
        )
        for name, figure in FIGURES.items()
        if recorded or not figure.recorded
    ]
    study_figures = [
        Shown(name, figures.keep(name, encode(figure, source))["svg"], SVG, caption, alt)
        for name, figure, caption, alt in (study.figures if study else ())
    ]
    maps, reports = [], []
    for landscape, (drawn, report) in zip(recorded, about_each(), strict=True):
        name = f"landscape_{landscape.name.replace('/', '_')}"
        about, alt = landscape_map.caption(landscape), landscape_map.describe(landscape)
        maps.append(Shown(name, figures.keep(name, drawn)["png"], PNG, about, alt))
        reports.append(report)
    figures.clear_others()
    text = render(
        benchmark, content, main=main, maps=maps, study=study, study_figures=study_figures,
        trust=fidelity.section(reports), provenance=source,
    )  # fmt: skip
    index = folder.path / "index.html"
    return {**figures.files, index: write(index, lambda path: path.write_text(text, encoding="utf-8"))}


def _about(landscape: Landscape) -> tuple[dict[str, bytes], fidelity.Report]:
    """The map of a landscape, and how far it can be trusted."""
    return landscape_map.encoded(landscape), fidelity.report(landscape)
