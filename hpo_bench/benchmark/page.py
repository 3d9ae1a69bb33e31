"""One self-contained HTML page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from hpo_bench.analyses.section import Section
from hpo_bench.benchmark import page_tables
from hpo_bench.benchmark.plan import BUDGETS
from hpo_bench.benchmark.regret import SEARCHES
from hpo_bench.benchmark.result import Benchmark
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
    sensitivity,
    sound,
    sound_sentence,
    targets,
    unseen,
    unseen_sentence,
    when,
)
from hpo_bench.display.figures import colours
from hpo_bench.display.words import counted
from hpo_bench.statistics.intervals import LEAST_PAIRS
from hpo_bench.statistics.luck import REPLICATES
from hpo_bench.statistics.ratios import REGRET_FLOOR
from landscapes.landscape import Landscape

PNG, SVG = "image/png", "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure on the page.

    Attributes:
        name: Its anchor.
        content: The file that is put into the page.
        type: Its media type.
        caption: What it shows.
        alt: The same in words, for those who cannot see it.
    """

    name: str
    content: bytes
    type: str
    caption: str
    alt: str

    @property
    def data(self) -> str:
        """The file as a data URI, so that the page needs no other file."""
        return f"data:{self.type};base64,{base64.b64encode(self.content).decode()}"


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
    # The style sheet is ours; everything else that comes from cards or classes is escaped.
    environment = Environment(
        loader=PackageLoader("hpo_bench.benchmark", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = (files("hpo_bench.display") / "page.css").read_text(encoding="utf-8")
    plan = benchmark.plan
    recorded = [landscape for landscape in benchmark.landscapes if isinstance(landscape, Landscape)]
    return environment.get_template("page.html.j2").render(
        content=content,
        style=style,
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
        sensitivity=sensitivity(content),
        landscapes=page_tables.landscapes(content),
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
