"""Figures, tables and one self-contained page from a finished benchmark."""

from pathlib import Path

from hpo_bench.analyses import fidelity
from hpo_bench.analyses.section import Section
from hpo_bench.benchmark.figures import curves, groups, profiles, ranks, ror
from hpo_bench.benchmark.page import PNG, SVG, Shown, render
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder, write
from hpo_bench.display import landscape_map
from hpo_bench.display.figures import Shelf, encode, provenance
from hpo_bench.workers import each
from landscapes.landscape import Landscape


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
    shelf, source = Shelf(folder.figures), provenance(benchmark.landscapes)
    recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
    figures = [
        ("ror", ror.draw(benchmark), ror.CAPTION, ror.describe(benchmark)),
        ("regret_curves", curves.draw(benchmark), curves.CAPTION, curves.ALT),
        ("profiles", profiles.draw(benchmark), profiles.CAPTION, profiles.ALT),
        ("ranks", ranks.draw(benchmark), ranks.CAPTION, ranks.ALT),
    ]
    if recorded:
        figures.append(("ror_by_group", groups.draw(benchmark), groups.CAPTION, groups.ALT))
    main = [
        Shown(name, shelf.keep(name, encode(figure, source))["svg"], SVG, caption, alt)
        for name, figure, caption, alt in figures
    ]
    maps = []
    for landscape, drawn in zip(recorded, each(landscape_map.encoded, recorded, jobs=jobs), strict=True):
        name = f"landscape_{landscape.name.replace('/', '_')}"
        about, alt = landscape_map.caption(landscape), landscape_map.describe(landscape)
        maps.append(Shown(name, shelf.keep(name, drawn)["png"], PNG, about, alt))
    study_figures = [
        Shown(name, shelf.keep(name, encode(figure, source))["svg"], SVG, caption, alt)
        for name, figure, caption, alt in (study.figures if study else ())
    ]
    shelf.clear_others()
    text = render(
        benchmark, content, main=main, maps=maps, study=study, study_figures=study_figures,
        trust=fidelity.section(recorded, jobs=jobs), provenance=source,
    )  # fmt: skip
    page = folder.path / "index.html"
    return {**shelf.files, page: write(page, lambda path: path.write_text(text, encoding="utf-8"))}
