"""The live table in a terminal, and plain lines where the output is none."""

import time
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hpo_bench.display.words import expense
from hpo_bench.statistics.examples import Z95, error_of_known
from hpo_bench.tuning.progress import StudyProgress
from hpo_bench.tuning.race import describe
from hpo_bench.tuning.trial import Trial

ROWS = 12
"""How many trials the table shows."""
REFRESH_SECONDS = 1.0
"""How often the table is redrawn while nothing but time passes."""


class LiveScreen:
    """A table of the latest trials and a line on the budget, redrawn in place.

    Args:
        console: A terminal.
        title: What is being tuned.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._live = Live(console=console, auto_refresh=False)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: StudyProgress, finished: Trial | None = None) -> None:
        """Redraw; while nothing has finished only as the seconds go by."""
        for message in progress.news:
            self._console.print(message)
        progress.news.clear()
        if finished is None and time.monotonic() - self._drawn < REFRESH_SECONDS:
            return
        self._drawn = time.monotonic()
        self._live.update(self._drawing(progress), refresh=True)

    def _drawing(self, progress: StudyProgress) -> RenderableType:
        dollars = progress.budget.price > 0 or progress.spent.whole.dollars > 0
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=self._title, title_justify="left")
        table.add_column("trial", justify="right", no_wrap=True)
        table.add_column("setting", no_wrap=True)
        kept = [f"kept\n(least {least:.3f})"] if (least := progress.least) is not None else []
        heads = ("score\n± 95%", *kept, "best\nso far", "merge\ns", "evaluation\ns", *(["cost\n$"] if dollars else []))
        for head in heads:  # In two lines, so that no setting is cut off in 80 columns.
            table.add_column(head, justify="right", no_wrap=True)
        # In a narrow terminal this column gives way, as the only one that may be wrapped.
        table.add_column("")
        shown = [*progress.finished, *(trial for trial in progress.trials.values() if trial.told_as is None)][-ROWS:]
        for trial in shown:
            *cells, note = _cells(progress, trial, dollars, bool(kept))
            table.add_row(*cells, Text(note, no_wrap=True, overflow="ellipsis"), style=_style(progress, trial))
        return Group(table, Text(budget_line(progress), style="bold"))


class LineScreen:
    """A line a trial.

    Args:
        console: Where to print.
        title: What is being tuned.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._print(f"{title}; scores ± half of their 95% intervals")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: StudyProgress, finished: Trial | None = None) -> None:
        """Print what is new."""
        for message in progress.news:
            self._print(message)
        progress.news.clear()
        if finished is not None:
            self._print(line(progress, finished))

    def _print(self, text: str) -> None:
        self._console.print(text)


def screen(console: Console, title: str) -> LiveScreen | LineScreen:
    """The table where there is a terminal, lines elsewhere."""
    return LiveScreen(console, title) if console.is_terminal and not console.quiet else LineScreen(console, title)


def line(progress: StudyProgress, trial: Trial) -> str:
    """A finished trial in a line."""
    parts = [f"trial {trial.number}", describe(trial.setting)]
    if trial.score is None:
        parts.append(f"failed ({trial.kind}): {trial.reason}")
    else:
        parts.append(score(trial))
        if trial.kept is not None:
            parts.append(f"kept {trial.kept:.3f}{'' if progress.fits(trial) else ' (too little)'}")
        parts.append(f"best {_best(progress, trial)}")
        parts.append(f"merge {trial.cost.merge_seconds:.2f} s, evaluation {trial.cost.eval_seconds:.1f} s")
        if trial.reason:
            parts.append(trial.reason)
    if cost := progress.budget.cost(trial):
        parts.append(f"${expense(cost)}")
    return ", ".join([*parts, budget_line(progress)])


def budget_line(progress: StudyProgress) -> str:
    """How much of the budget is spent, and the time left."""
    spent, budget = progress.spent, progress.budget
    parts = [f"{spent.finished} of {budget.trials} trials"]
    paid, held = spent.whole, spent.held
    if budget.hours is not None:
        parts.append(f"{expense(paid.hours)} of {budget.hours:g} GPU-hours{_held(held.hours, expense(held.hours))}")
    if budget.dollars is not None:
        parts.append(
            f"${expense(paid.dollars)} of ${budget.dollars:g}{_held(held.dollars, f'${expense(held.dollars)}')}"
        )
    elif paid.dollars:
        parts.append(f"${expense(paid.dollars)}")
    if kinds := progress.kinds:
        parts.append(", ".join(f"{count} failed ({kind})" for kind, count in kinds.items()))
    if progress.stopping:
        parts.append("ending after what is running (Ctrl-C again: at once)")
    elif not progress.loaded:
        parts.append("loading the models")
    elif (left := budget.left(spent, workers=progress.workers)) is not None:
        parts.append(f"{clock(left)} left")
    return ", ".join(parts)


def _held(amount: float, shown: str) -> str:
    return f" ({shown} more held back for what is compared at the end)" if amount else ""


def score(trial: Trial) -> str:
    """`0.613 ± 0.033`, with half of its 95% interval; without where the error is unknown."""
    if trial.score is None or (error := trial.standard_error) is None:
        return f"{trial.score:.3f}"
    if trial.examples is not None:  # as tables and model cards have it
        error = error_of_known(trial.score, error, trial.examples)
    return f"{trial.score:.3f} ± {Z95 * error:.3f}"


def clock(seconds: float) -> str:
    """`1:05` or `2:01:05`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _best(progress: StudyProgress, trial: Trial) -> str:
    return "none yet" if trial.number not in progress.best else f"{progress.best[trial.number]:.3f}"


def _cells(progress: StudyProgress, trial: Trial, dollars: bool, kept: bool) -> list[str]:
    cells = [str(trial.number), describe(trial.setting)]
    none = [""] if kept else []
    money = [f"{progress.budget.cost(trial):.2f}"] if dollars else []
    if trial.state == "running":
        since = time.monotonic() - progress.begun.get(trial.number, time.monotonic())
        where = f"on {trial.worker}" if progress.workers > 1 else ""
        return [*cells, "", *none, "", "", f"{since:.0f} …", *[""] * len(money), where]
    seconds = [f"{trial.cost.merge_seconds:.2f}", f"{trial.cost.eval_seconds:.1f}"]
    if trial.score is None:
        return [*cells, "failed", *none, "", *seconds, *money, f"{trial.kind}: {trial.reason}"]
    held = [] if trial.kept is None else [f"{trial.kept:.3f}{'' if progress.fits(trial) else ' too little'}"]
    return [*cells, score(trial), *held, _best(progress, trial), *seconds, *money, trial.reason]


def _style(progress: StudyProgress, trial: Trial) -> str | None:
    if trial.state == "failed":
        return "red"
    if trial.state == "running":
        return "dim"
    if not progress.fits(trial):
        return "yellow"
    return "green" if trial.score == progress.highest else None
