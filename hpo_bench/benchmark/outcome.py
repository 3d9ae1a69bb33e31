"""What a benchmark came to, in memory and as files."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.analyses.transfer import losses
from hpo_bench.benchmark.answer import real
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.benchmark.tables import moments
from hpo_bench.display.words import counted
from hpo_bench.errors import UsageError
from hpo_bench.files import write, write_json
from landscapes.landscape import Landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hpo_bench.benchmark.page import Report
    from hpo_bench.display.table import TextTable

HEADLINES = ("median_ror", "ratio_of_means")
"""The figures of the headline, as the summary calls them."""


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult:
    """What a benchmark came to.

    Attributes:
        plan: What was run.
        summary: Every figure of it, as plain JSON values: the content of `summary.json`.
        runs: One row an evaluation: landscape, optimiser, seed, t, hyperparameters, score, best_so_far, regret (a
            fraction of the landscape's range, lower is better) and more; the content of `runs.parquet`.
        made: How many runs were made for it.
        reused: How many were stored before.
        page: The report, `index.html`, if one was written.
    """

    plan: Plan
    summary: dict[str, Any]
    runs: pd.DataFrame
    made: int = field(kw_only=True)
    reused: int = field(kw_only=True)
    page: Path | None = field(default=None, kw_only=True)

    @property
    def headline(self) -> pd.DataFrame:
        """Regret over random on all landscapes, by optimiser and moment, optimisers best first.

        Below 1 is better than uniform random search. The index is `optimizer` and `at`: after so many evaluations, at
        the end, or the mean from the tenth on ("t>=10"). Columns are `median_ror` and `ratio_of_means` with the ends of
        their 95% intervals; NaN where something is undefined, as intervals over two pairs, and medians' over two to
        five, are.

        Examples:
            >>> result.headline.xs("end", level="at")  # doctest: +SKIP
        """
        rows = {
            (one["label"], at): {
                f"{name}{suffix}": figures[f"{name}_all"][part]
                for name in HEADLINES
                for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            for one in self.summary["optimizers"].values()
            for at, figures in one["at"].items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["optimizer", "at"])
        return pd.DataFrame(list(rows.values()), index=index, dtype=float)

    @property
    def tables(self) -> "dict[str, TextTable]":
        """What the terminal and the page show, by name, such as headline, comparisons, ratios, targets, without_weak.

        Each prints, and gives Markdown, LaTeX, CSV and a data frame; those that say nothing here are left out.

        Examples:
            >>> print(result.tables["headline"].to_latex())  # doctest: +SKIP
        """
        from hpo_bench.benchmark import tables

        return {name: table for name, (_, table) in tables.every(self.summary).items() if table is not None}

    @cached_property
    def benchmark(self) -> Benchmark:
        """The same as arrays, by checkpoint, for analyses of one's own."""
        return Benchmark(self.plan, self.runs)

    def to_frame(self) -> pd.DataFrame:
        """The runs, one row an evaluation; a copy."""
        return self.runs.copy()

    def plot(self, figure: str = "ror") -> "Figure":
        """One of the report's figures.

        Args:
            figure: "ror" (regret over random at several moments), "regret_curves" (regret against evaluations),
                "profiles" (how soon targets are reached), "ranks", or "ror_by_group" (by merge method and domain).

        Raises:
            UsageError: If there is no such figure, or it needs recorded landscapes and there is none.
        """
        from hpo_bench.benchmark.figures.registry import FIGURES

        if figure not in FIGURES:
            raise UsageError(f"no figure is called {figure!r}; there are: {', '.join(FIGURES)}")
        if FIGURES[figure].recorded and not recorded(self.plan):
            raise UsageError(f"{figure} is about pairs and merge methods, which functions do not have")
        return FIGURES[figure].draw(self.benchmark)

    def write_report(self, folder: str | Path) -> Path:
        """Write the page with all figures and tables, and `runs.parquet` and `summary.json` beside it.

        Args:
            folder: A results folder, which is made if it is not there.

        Returns:
            The page, `index.html`.

        Raises:
            ResultsError: If the folder holds something else, or cannot be written.
        """
        from hpo_bench.benchmark.page import Report

        place = ResultsFolder(Path(folder))
        place.open()
        publish(self.benchmark, self.summary, place, report=Report(self.benchmark, place, jobs=1))
        return place.path / "index.html"

    def to_coco(self, folder: str | Path) -> Path:
        """Write the runs as the tools of COCO, the benchmarking platform, read them.

        In `cocoviz/` lies each run as a file of `cocoviz.Result.from_parquet`, whose indicator is the regret, the lower
        the better; its instance is the seed. Runs on COCO's own functions (`suites="bbob"`, without noise) lie in
        `cocopp/` as well, a folder an optimiser, as COCO's logger writes them; `cocopp` takes no other functions.

        Args:
            folder: A new or empty folder.

        Returns:
            The folder.

        Raises:
            UsageError: If it is something else, or not empty, or two names give one of its files.
            ResultsError: If a file cannot be written.
        """
        from hpo_bench.benchmark.coco import write_coco

        return write_coco(self.plan, self.runs, Path(folder))

    def __repr__(self) -> str:
        optimizers, landscapes = len(self.plan.contenders), len(self.plan.landscapes)
        on = f"{counted(optimizers, 'optimizer')} on {counted(landscapes, 'landscape')}"
        return f"<BenchmarkResult: {on}, {counted(self.plan.seeds, 'seed')}; see .headline, .runs, .plot()>"


def publish(
    benchmark: Benchmark,
    content: dict[str, Any],
    folder: ResultsFolder,
    *,
    report: "Report | None",
    start: float | None = None,
) -> dict[str, Any]:
    """Write what a benchmark came to into its folder.

    Args:
        benchmark: What was run.
        content: Its summary, but for what comes with the report, the files and the time.
        folder: Where to; must be open.
        report: Figures and page, where they are wanted.
        start: When the work began (`time.monotonic`), for the wall time.

    Returns:
        The summary, as it was written.

    Raises:
        ResultsError: If a file cannot be written.
    """
    content = dict(content)
    arrow = pa.Table.from_pandas(benchmark.runs, preserve_index=False)
    runs_file = folder.path / "runs.parquet"
    files = {runs_file: write(runs_file, lambda path: pq.write_table(arrow, path, compression="zstd"))}
    if report is not None:
        if (study := report.study) and study.transfer:
            # Of landscapes that were recorded on one split alone nothing is said of unseen examples.
            shown = [landscape for landscape in recorded(benchmark.plan) if landscape.name in study.transfer]
            content["real"] = real(shown)
            content["unseen"] = losses(study.transfer, shown, moments(content), reference=benchmark.reference)
        files |= report.write(content)
    # Last, because it vouches for everything before it.
    content["files"] = {path.relative_to(folder.path).as_posix(): digest for path, digest in files.items()}
    if start is not None:
        content["wall_seconds"] = round(time.monotonic() - start, 3)
    write_json(folder.path / "summary.json", content)
    return content


def recorded(plan: Plan) -> list[Landscape]:
    """The landscapes that were recorded: those that are no functions."""
    return [landscape for landscape in plan.landscapes if isinstance(landscape, Landscape)]
