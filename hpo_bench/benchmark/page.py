"""The report of a benchmark: its answer first, then all that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from hpo_bench.analyses import fidelity
from hpo_bench.analyses.section import Analysed, Section, analysed, section, with_runs
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
from hpo_bench.display.words import UNDEFINED, counted, listed
from hpo_bench.files import OutputFolder, write
from hpo_bench.statistics.intervals import LEAST_PAIRS
from hpo_bench.statistics.luck import REPLICATES
from hpo_bench.statistics.ratios import REGRET_FLOOR
from hpo_bench.workers import begin
from landscapes.landscape import Landscape
from landscapes.terms import BUDGETS


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What a report says of one landscape alone.

    Attributes:
        map: Its map, as files by suffix: figures cannot be sent to other processes.
        trusted: How far it can be trusted.
        analysed: What the study's analyses make of it.
    """

    map: Mapping[str, bytes]
    trusted: fidelity.FidelityReport
    analysed: Analysed


class Report:
    """The report of a benchmark under way.

    What is about one landscape alone takes longest: workers begin with it at once, while this process does the rest.

    Args:
        benchmark: What was run.
        folder: Where to; the page is `index.html` in it.
        jobs: Worker processes that analyse and draw.
    """

    def __init__(self, benchmark: Benchmark, folder: ResultsFolder, *, jobs: int) -> None:
        self._benchmark = benchmark
        self._recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
        figures, tables_folder = OutputFolder(folder.figures), OutputFolder(folder.tables)
        source = provenance(benchmark.landscapes)
        self._page = ReportPage(folder.path / "index.html", figures=figures, tables=tables_folder, source=source)
        self._wait = begin(_about, with_runs(self._recorded, benchmark.runs), jobs=jobs)

    @cached_property
    def study(self) -> Section | None:
        """The study's analyses of the recorded landscapes; None if there are none."""
        if not self._recorded:
            return None
        ran = self._benchmark
        random = {one.name: curve for one, curve in zip(ran.landscapes, ran.random_curves, strict=True)}
        return section(self._recorded, [one.analysed for one in self._about_each], ran.runs, random=random)

    def write(self, content: dict) -> dict[Path, str]:
        """Draw what is left, and write the page that shows everything.

        Args:
            content: The benchmark's summary.

        Returns:
            Every file of the report, with the SHA-256 of its content.

        Raises:
            ResultsError: If a file cannot be written.
        """
        benchmark, recorded, page, study = self._benchmark, self._recorded, self._page, self.study
        figures = dict(self._figures)
        parts = {one: [name for name in figures if FIGURES[name].part == one] for one in PARTS}
        if content["unseen"]:
            drawn, said, data = picture.draw(content), picture.describe(content), picture.data(content)
            figures["answer"] = page.figure(Drawn("answer", drawn, picture.caption(content), said, data))
        study_figures = [page.figure(drawn) for drawn in (study.figures if study else ())]
        maps, named = dict[str, Shown](), set[str]()
        for landscape, one in zip(recorded, self._about_each, strict=True):
            name = f"landscape_{landscape.name.replace('/', '_')}"
            while name in named:  # a/b_c after a_b/c
                name += "_"
            named.add(name)
            about, alt = landscape_map.caption(landscape), landscape_map.describe(landscape)
            maps[landscape_map.title(landscape)] = page.picture(name, one.map, caption=about, alt=alt)
        reports = [one.trusted for one in self._about_each]
        missing = sentences.without_intervals(content)
        text = page.text(
            "hpo_bench.benchmark",
            "page.html.j2",
            content=content,
            provenance=page.source,
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
            bracketed="" if missing else f"; 95% intervals over {sentences.units(content)} in brackets",
            moments=listed([sentences.at(point) for point in tables.moments(content)]),
            undefined=UNDEFINED,
            alone=tables.ALONE,
            tables=self._tables(content),
            study=study,
            study_figures=study_figures,
            study_tables=[
                shown
                for number, (title, table) in enumerate((study.tables if study else {}).items(), start=1)
                if (shown := page.table(f"study_{number}", title, table))
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
        return {**page.files, page.page: write(page.page, text)}

    @cached_property
    def _figures(self) -> dict[str, Shown]:
        """Those that need no more than the runs, by name; this process draws them before it waits for the workers."""
        ran, wanted = (
            self._benchmark,
            {name: own for name, own in FIGURES.items() if self._recorded or not own.recorded},
        )
        return {
            name: self._page.figure(Drawn(name, own.draw(ran), own.caption, own.describe(ran), own.data(ran)))
            for name, own in wanted.items()
        }

    @cached_property
    def _about_each(self) -> list[About]:
        _ = self._figures
        return self._wait()

    def _tables(self, content: dict) -> dict[str, Shown | None]:
        """Every table of the page but the study's, by name; None where one would say nothing."""
        made = {
            "answer": ("Loss on unseen examples, beside regret on the surrogate", answer.table(content)),
            **tables.every(content),
        }
        if self._recorded:
            reports = [one.trusted for one in self._about_each]
            errors = [(one.trusted.method, one.analysed.study_loocv) for one in self._about_each]
            made |= {
                "loocv_by_method": (
                    "Leave-one-out error by method, here and in the study",
                    fidelity.loocv_by_method(errors),
                ),
                "loocv_of_the_study": ("The study's Table 12", fidelity.study_loocv()),
                "fidelity": ("Fidelity by landscape", fidelity.table(reports)),
                "tiers": ("Tiers of landscapes", fidelity.by_tier(reports)),
                "agreement": ("Agreement of rankings between tiers", tiers.agreement(content)),
                "tier_regrets": ("Mean regret by tier", tiers.regrets(content)),
            }
        return {name: self._page.table(f"table_{name}", title, table) for name, (title, table) in made.items()}


def _about(item: tuple[Landscape, pd.DataFrame | None]) -> About:
    return About(landscape_map.for_page(item[0]), fidelity.report(item[0]), analysed(item))
