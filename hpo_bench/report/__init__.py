"""Figures, tables and one self-contained page from a finished benchmark."""

from pathlib import Path

from hpo_bench.report import curves, groups, heatmaps, ror
from hpo_bench.report.page import Shown, render
from hpo_bench.report.style import Canvas
from hpo_bench.results import write
from hpo_bench.summary import Benchmark


def write_report(benchmark: Benchmark, content: dict, folder: Path, *, stamp: str) -> None:
    """Draw every figure and write the page that shows them.

    Args:
        benchmark: What was run.
        content: Its summary.
        folder: The results folder; figures go to `figures/` in it, the page is `index.html`.
        stamp: An element for the page's head that says what the page was made from.

    Raises:
        ResultsError: If a file cannot be written.
    """
    canvas = Canvas(folder / "figures", benchmark.landscapes)
    main = [
        Shown("ror", canvas.save("ror", ror.draw(benchmark)), ror.CAPTION, ror.describe(benchmark)),
        Shown("curves", canvas.save("regret_curves", curves.draw(benchmark)), curves.CAPTION, curves.ALT),
        Shown("groups", canvas.save("ror_by_group", groups.draw(benchmark)), groups.CAPTION, groups.ALT),
    ]
    maps = [
        Shown(
            f"map-{index}",
            canvas.save(
                f"landscape_{landscape.name.replace('/', '_')}", heatmaps.draw(landscape), about=landscape, inline="png"
            ),
            heatmaps.caption(landscape),
            heatmaps.describe(landscape),
        )
        for index, landscape in enumerate(benchmark.landscapes)
    ]
    canvas.clear_others()
    text = render(benchmark, content, main=main, maps=maps, provenance=canvas.provenance, stamp=stamp)
    write(folder / "index.html", lambda path: path.write_text(text, encoding="utf-8"))
