"""The report of a benchmark: its answer first, then all that it rests on."""

from collections.abc import Sequence
from pathlib import Path

from hpo_bench.analyses import fidelity
from hpo_bench.analyses.section import Section
from hpo_bench.benchmark import answer, sentences, tables, tiers
from hpo_bench.benchmark.figures import answer as picture
from hpo_bench.benchmark.figures.registry import FIGURES, PARTS
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.searches import SEARCHES
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display import landscape_map
from hpo_bench.display.figures import Drawn, provenance
from hpo_bench.display.looks import looks
from hpo_bench.display.page.report import ReportPage, Shown
from hpo_bench.display.words import counted
from hpo_bench.files import OutputFolder, write
from hpo_bench.statistics.intervals import LEAST_PAIRS
from hpo_bench.statistics.luck import REPLICATES
from hpo_bench.statistics.ratios import REGRET_FLOOR
from hpo_bench.workers import begin
from landscapes.landscape import Landscape
from landscapes.terms import BUDGETS


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
    page, source = folder.path / "index.html", provenance(benchmark.landscapes)
    figures_folder, tables_folder = OutputFolder(folder.figures), OutputFolder(folder.tables)
    report = ReportPage(page, figures=figures_folder, tables=tables_folder, source=source)
    recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
    # What is about one landscape alone takes longest, and workers make it while this process draws the rest.
    about_each = begin(_about, recorded, jobs=jobs)
    figures = {
        name: report.figure(Drawn(name, own.draw(benchmark), own.caption, own.describe(benchmark), own.data(benchmark)))
        for name, own in FIGURES.items()
        if recorded or not own.recorded
    }
    parts = {one: [name for name in figures if FIGURES[name].part == one] for one in PARTS}
    if content["unseen"]:
        drawn, said, data = picture.draw(content), picture.describe(content), picture.data(content)
        figures["answer"] = report.figure(Drawn("answer", drawn, picture.caption(content), said, data))
    study_figures = [report.figure(drawn) for drawn in (study.figures if study else ())]
    maps: dict[str, Shown] = {}
    reports = []
    for landscape, (drawn, trusted) in zip(recorded, about_each(), strict=True):
        name = f"landscape_{landscape.name.replace('/', '_')}"
        about, alt = landscape_map.caption(landscape), landscape_map.describe(landscape)
        maps[landscape_map.title(landscape)] = report.picture(name, drawn, caption=about, alt=alt)
        reports.append(trusted)
    text = report.text(
        "hpo_bench.benchmark",
        "page.html.j2",
        content=content,
        provenance=source,
        synthetic=any(landscape.card.synthetic for landscape in benchmark.landscapes),
        queries=len(benchmark.runs),
        pairs=tables.pairs(content),
        budgets=sorted({(ls.space.dim, benchmark.plan.budget_of(ls)) for ls in benchmark.landscapes}),
        study_budgets=BUDGETS,
        labels=tables.labels(content),
        look=looks(benchmark.labels),
        answer=answer.sentences(content),
        leader=sentences.leader(content),
        noise_sentence=f"{sentences.interval_sentence(content)} {sentences.noise_sentence(content)}".strip(),
        comparison_sentence=sentences.comparison_sentence(content),
        unseen_sentence=sentences.unseen_sentence(content),
        sound_sentence=sentences.sound_sentence(content),
        span=tables.when(tables.overall(content)),
        least_pairs=LEAST_PAIRS,
        units=sentences.units(content),
        alone=tables.ALONE,
        tables=_tables(report, content, recorded, reports),
        study=study,
        study_figures=study_figures,
        study_tables=[
            report.table(f"study_{number}", title, table)
            for number, (title, table) in enumerate((study.tables if study else {}).items(), start=1)
        ],
        recorded=bool(recorded),
        replayed=content.get("goal") == "test",
        fidelity_rule=fidelity.rule(),
        shape_rule=fidelity.SHAPES,
        weak_count=sum(bool(one.weaknesses) for one in reports),
        judged=len(reports),
        kernels=sorted({str(dict(ls.surrogate.settings).get("kernel", "gp")) for ls in recorded}),
        surpassed=[one["name"] for one in content["landscapes"] if one["surpassed"]],
        floor=REGRET_FLOOR,
        replicates=REPLICATES,
        searches=SEARCHES,
        figures=figures,
        placed=parts,
        maps=maps,
        at=sentences.at,
        counted=counted,
    )
    return {**report.files, page: write(page, text)}


def _tables(
    report: ReportPage, content: dict, recorded: Sequence[Landscape], reports: Sequence[fidelity.FidelityReport]
) -> dict[str, Shown | None]:
    """Every table of the page but the study's, by name; None where one would say nothing."""
    made = {
        "answer": ("Loss on unseen examples, beside regret on the surrogate", answer.table(content)),
        **tables.every(content),
    }
    if recorded:
        made |= {
            "loocv_by_method": (
                "Leave-one-out error by method, here and in the study",
                fidelity.loocv_by_method(recorded),
            ),
            "loocv_of_the_study": ("The study's Table 12", fidelity.study_loocv()),
            "fidelity": ("Fidelity by landscape", fidelity.table(reports)),
            "tiers": ("Tiers of landscapes", fidelity.by_tier(reports)),
            "agreement": ("Agreement of rankings between tiers", tiers.agreement(content)),
            "tier_regrets": ("Mean regret by tier", tiers.regrets(content)),
        }
    return {name: report.table(f"table_{name}", title, table) for name, (title, table) in made.items()}


def _about(landscape: Landscape) -> tuple[dict[str, bytes], fidelity.FidelityReport]:
    """The map of a landscape, and how far it can be trusted."""
    return landscape_map.encoded(landscape), fidelity.report(landscape)
