"""What tuning a pair will take and is expected to lose, before it is begun."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hpo_bench.display.console import PlainConsole
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import expense, gib
from hpo_bench.errors import UsageError
from hpo_bench.merging.devices import devices
from hpo_bench.merging.find import BUILT, as_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.budget import Budget
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import check_examples
from hpo_bench.tuning.options import NEEDS_PRICE, RunOptions
from hpo_bench.tuning.planning.evaluators import generates, recommendation, time_evaluators
from hpo_bench.tuning.planning.forecast import Forecast, forecast
from hpo_bench.tuning.planning.questions import Reference, ask_references, check_published
from hpo_bench.tuning.planning.spending import Spending, model_of
from hpo_bench.tuning.planning.study_plan import TIMED_EXAMPLES, counted_beside, plan_study, sentences
from hpo_bench.tuning.terminal import clock
from hpo_bench.tuning.trial import TrialCost
from hpo_bench.tuning.workers.session import PairOpener

TRIALS = (8, 16, 25, 40, 60, 100)
"""What finds most of what there is to find, twice that, the study's small grid, its two budgets, its large grid."""
METHODS = {"TA": "ta", "DARE, TIES": "ties"}
"""By what they are called a method with as many hyperparameters."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outlook:
    """What tuning a pair will take, from one timed trial.

    Attributes:
        references: The base VLM, the expert swapped in and half-and-half, asked the same handful of questions.
        forecast: What a trial took.
        recommendation: Which evaluator to tune with; where answers are decoded, those that are here were timed.
        spendings: What is least expected to lose for the budget: on how many settings and examples it is spent, by
            "TA" (two hyperparameters) and "DARE, TIES" (three).
        price: Dollars an hour of a device.
        workers: How many there are.
    """

    references: tuple[Reference, ...]
    forecast: Forecast
    recommendation: str
    spendings: Mapping[str, Spending]
    price: float
    workers: int

    def to_frame(self) -> pd.DataFrame:
        """What so many trials take, each on all examples.

        Returns:
            A row for each number of trials, with device-hours, hours by the clock, dollars, and the loss expected on
            unseen examples in points of accuracy, in two dimensions and in three.
        """
        rows = []
        for trials in TRIALS:
            hours = self.forecast.hours(trials, self.forecast.total, workers=self.workers)
            spent = self.forecast.money(trials, self.forecast.total, price=self.price, workers=self.workers)
            lost = {f"loss_{dim}d": model_of(dim).loss(trials, self.forecast.total) for dim in (2, 3)}
            rows.append(
                {"trials": trials, "device_hours": hours, "wall_hours": hours / self.workers, "dollars": spent, **lost}
            )
        return pd.DataFrame(rows)

    def table(self) -> TextTable:
        """The same for people; without dollars where nothing costs any."""
        frame = self.to_frame()
        columns = {
            "trials": frame["trials"].map(str),
            "device-hours": frame["device_hours"].map("{:.3f}".format),
            "wall time": [clock(3600 * hours) for hours in frame["wall_hours"].tolist()],
            **({"dollars": frame["dollars"].map(expense)} if self.price or self.forecast.cost.dollars else {}),
            **{
                f"loss, {name}": frame[f"loss_{dim}d"].map("{:.1f}".format) for dim, name in enumerate(METHODS, start=2)
            },
        }
        rows = tuple(Row(head, tuple(cells)) for head, *cells in zip(*columns.values(), strict=True))
        return TextTable(tuple(columns), rows, words=0)


def plan(
    pair: str | Path | Pair,
    *,
    gpu_hours: float | None = None,
    dollars: float | None = None,
    price: float = 0.0,
    workers: int = 1,
    published: float | None = None,
    device: str | None = None,
    threads: int = 1,
    pairs: str | Path = BUILT,
    trust_remote_code: bool = False,
    progress: bool = False,
) -> Outlook:
    """Forecast hours, memory, disk, dollars and loss of tuning a pair, from one timed trial.

        outlook = hpo_bench.plan("ja-llama", gpu_hours=2)
        outlook.spendings["TA"].settings, outlook.spendings["TA"].expected_loss
        outlook.to_frame()

    Args:
        pair: What to merge: a pair, a pair.yaml or its folder, or the name of a built or shipped pair.
        gpu_hours: What there is to spend, in hours of a device; by default the cost of 40 trials (60 in 3-D) on a fifth
            of the examples.
        dollars: The same in money, for devices and judges together.
        price: Dollars that an hour of a device costs.
        workers: How many processes would merge and evaluate at once.
        published: The base VLM's score elsewhere, from 0 to 100, to see whether ours agrees.
        device: "cpu", "cuda", "cuda:1", ...; by default a GPU, else the CPU.
        threads: CPU threads.
        pairs: Folder of pairs that `hpo-bench nano build` made.
        trust_remote_code: Whether code that comes with the VLM may run, if its pair.yaml asks for it.
        progress: Whether to print what the command prints, each thing as soon as it is known.

    Raises:
        UsageError: If an option makes no sense, or the examples cannot be used.
        MergeError: If the pair cannot be loaded.
        TuningError: If the trial, or the base VLM, fails.
    """
    if gpu_hours is not None and dollars is not None:
        raise UsageError("give --gpu-hours or --dollars, not both")
    Budget(trials=1, hours=gpu_hours, dollars=dollars, price=price)  # refused before a trial is timed
    found = as_pair(pair, Path(pairs))
    check_published(published)
    check_examples(found)
    opener = PairOpener(found, threads=threads, trust_remote_code=trust_remote_code)
    console, place = PlainConsole(quiet=not progress), devices(1, device)[0]
    session, made = forecast(found, opener, place)
    if dollars is not None and not price and not made.cost.dollars:
        raise UsageError(NEEDS_PRICE)
    references = ask_references(session.run, console, published=published)
    console.print(
        f"{found.name} on {place}: loading {made.load_seconds:.0f} s, a merge {_seconds(made.cost.merge_seconds)} s, "
        f"an evaluation of {made.validation} examples {_seconds(made.cost.eval_seconds)} s"
    )
    console.print(f"memory {gib(made.memory)} a worker, disk {gib(made.model_bytes)} for an exported merge")
    several = session.loaded if generates(found) else None
    seconds = [] if several is None else time_evaluators(found, several, left_out=console.print)
    advice = recommendation(found, seconds, examples=made.validation)
    console.print(advice)
    options = RunOptions(gpu_hours=gpu_hours, dollars=dollars, price=price)
    before = _before(references[0], made)
    configs = {name: StudyConfig.of(found, methods=method) for name, method in METHODS.items()}
    spendings = {
        name: plan_study(config, options, total=made.total, prices=made.prices(price), spent=before)
        for name, config in configs.items()
    }
    outlook = Outlook(
        references=references,
        forecast=made,
        recommendation=advice,
        spendings=spendings,
        price=price,
        workers=workers,
    )
    console.print(outlook.table().printed(title=f"Each trial on all {made.total:,} examples"))
    for name, config in configs.items():
        first, second, _ = sentences(spendings[name], config, options, total=made.total, validation=made.validation)
        console.print(f"{name}: {first} {second}")
    console.print(counted_beside(options))
    console.print("Losses are in points of accuracy, expected from what was measured on nano pairs.")
    return outlook


def _before(base: Reference, made: Forecast) -> TrialCost:
    """What `tune` will pay for before its first trial: the base VLM's questions, and a trial that is timed twice."""
    trial = made.prices()
    share = min(TIMED_EXAMPLES, made.total)
    return TrialCost(
        merge_seconds=2 * trial.merge_seconds, eval_seconds=base.seconds + 2 * share * trial.example_seconds,
        dollars=base.preflight.dollars + 2 * share * trial.example_dollars,
    )  # fmt: skip


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
