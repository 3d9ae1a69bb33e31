"""The headline table in the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table

from hpo_bench.wording import brackets, interval, multiple, number, seconds, sentence_of_exclusions


def show(content: dict, console: Console) -> None:
    """Print regret-over-random by optimiser.

    Args:
        content: What `summary.summary` made.
        console: Where to.
    """
    points = list(content["null_band"])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left")
    table.title = "Regret over random [95% interval]; lower is better, 1 is uniform random search"
    table.add_column("optimiser", no_wrap=True)
    for point in points:
        kept, total = content["exclusions"][point]["counted"], len(content["landscapes"])
        table.add_column(f"median {_after(point)}\n({kept} of {total})", justify="right")
    table.add_column("ratio of\nmeans, end", justify="right")
    table.add_column("mean regret,\nend (all)", justify="right")
    table.add_column("random\nbudget", justify="right")
    table.add_column("seconds a\nsuggestion", justify="right")
    for optimizer in content["optimizers"].values():
        at = optimizer["at"]
        table.add_row(
            optimizer["label"],
            *(interval(at[point]["median_ror"]) for point in points),
            interval(at["end"]["ratio_of_means"]),
            number(at["end"]["mean_regret"]["value"]),
            multiple(optimizer["equivalent_random_budget"]),
            seconds(optimizer["seconds_per_suggestion"]),
        )
    band = content["null_band"]
    table.add_section()
    table.add_row(
        "luck alone",
        *(brackets(band[point]["median_ror"]) for point in points),
        brackets(band["end"]["ratio_of_means"]),
        style="dim",
    )
    console.print(table)
    console.print(sentence_of_exclusions(content), highlight=False, soft_wrap=True)


def _after(point: str) -> str:
    return "at the end" if point == "end" else f"at t = {point}"
