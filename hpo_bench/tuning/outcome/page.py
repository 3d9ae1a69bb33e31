"""A study as one self-contained page."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo_bench.display.figures import Drawn
from hpo_bench.display.page.report import ReportPage
from hpo_bench.display.words import expense
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.files import OutputFolder, write
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.invocation import STUDIES, Invocation
from hpo_bench.tuning.outcome import figures, honest
from hpo_bench.tuning.outcome.baselines import answers_path
from hpo_bench.tuning.outcome.front import trade_offs
from hpo_bench.tuning.outcome.posterior import beliefs, recommend
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.summary import answered, gone_on, sentences
from hpo_bench.tuning.outcome.tables import changes, sides, spoken, tables, trials_frame
from hpo_bench.tuning.progress import Overhead
from hpo_bench.tuning.space import WEIGHTS
from hpo_bench.tuning.storage.answers import read_answers
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial, TrialCost

FILE, BESIDE = "report.html", "report"
TRAJECTORY_ALT = "Validation scores of all trials in order, with the highest so far"
MAP_ALT = "Posterior mean over both coefficients with the trials on it"
VOLUME_ALT = "Hypervolume that the trials dominate, after each of them"
FRONT_ALT = "Scores of all trials in both goals, with the Pareto front and the limit"


def write_report(store: TrialStore) -> Path:
    """Write the page to `report.html` in the study's folder, and its figures and tables to `report` beside it.

    It is about the trials that the study's result rests on, and says so where there are more by now.

    Raises:
        TuningError: If the study has no result yet, or its answers cannot be read.
    """
    folder, config = store.folder, store.begun
    result = TuningResult.read(folder)
    if result is None:
        raise TuningError(f"study {store.name} is not finished; give the command that tunes it once more")
    every = store.trials()
    trials = result.resting_on(every)
    held = beliefs(config, trials)
    chosen, front = recommend(held), trade_offs(held)
    before, after = _before_and_after(folder, result)
    invocation = Invocation.read(folder)
    source = f"Study {store.name} of pair {config.pair}: real merges, evaluated example by example."
    beside = folder / BESIDE
    figures_folder, tables_folder = OutputFolder(beside / "figures"), OutputFolder(beside / "tables")
    report = ReportPage(folder / FILE, figures=figures_folder, tables=tables_folder, source=source)
    data = trials_frame(trials, keep=config.keep is not None).reset_index()
    drawn = [Drawn("trajectory", figures.trajectory(trials, chosen), "", TRAJECTORY_ALT, data)]
    if (maps := figures.landscapes(config, trials, chosen)) is not None:
        drawn.append(Drawn("landscape", maps, _map_caption(result, trials), MAP_ALT, data))
    if front:
        drawn.append(Drawn("front", figures.front(front, chosen, result), "", FRONT_ALT, data))
    if result.front:
        drawn.append(Drawn("hypervolume", figures.hypervolume(front), "", VOLUME_ALT, data))
    moved, beside_each_other = changes(before, after), sides(before, after)
    text = report.text(
        "hpo_bench.tuning.outcome",
        "page.html.j2",
        name=store.name,
        pair=config.pair,
        command=shlex.join(invocation.command),
        following=shlex.join(["hpo-bench", "export", folder.resolve().name, *_elsewhere(folder)]),
        result=result,
        sentences=[one for one in (gone_on(result, every), *sentences(result)) if one],
        answered=answered,
        changes=moved,
        silent=bool(beside_each_other) and not spoken(beside_each_other),
        z95=Z95,
        figures={one.name: report.figure(one) for one in drawn},
        tables={
            name: report.table(name, title, table)
            for name, (title, table) in tables(
                result,
                changes=moved,
                answers=beside_each_other,
                front=front,
                trials=trials,
                overhead=Overhead.read(folder),
            ).items()
        },
        costs=_costs(trials, result),
        expense=expense,
    )
    write(folder / FILE, text)
    return folder / FILE


def _elsewhere(folder: Path) -> list[str]:
    """What a command needs to find a study that does not lie in the usual folder."""
    return [] if folder.parent == STUDIES else ["--studies", str(folder.parent)]


def _map_caption(result: TuningResult, trials: Sequence[Trial]) -> str:
    further = any({*WEIGHTS} < {*trial.setting.parameters} for trial in trials)
    named = " Where there is another hyperparameter, the map is at what is named, and dots are at their own."
    held = named if further else ""
    lost = (
        f" On the hatched side of the dashed line too much of category {result.keep.category} is lost, on average "
        "under the posterior."
        if result.keep
        else ""
    )
    dots = "Darker dots came later, the star is recommended."
    return f"{dots} Inside the line a setting is within the noise of one evaluation of the best.{held}{lost}"


def _before_and_after(folder: Path, result: TuningResult) -> tuple[Answers, Answers]:
    """The base VLM's and the recommended merge's answers to the examples that tell honestly."""
    base = next(line for line in result.merges if line.name == "base VLM")
    split = "validation" if result.cross_fitted else "test"
    before, after = (answers_path(folder, MergeSetting(**line.setting), split) for line in (base, result.merges[0]))
    return read_answers(before), read_answers(honest.answers_path(folder) if result.cross_fitted else after)


def _costs(trials: Sequence[Trial], result: TuningResult) -> Mapping[str, float]:
    own = sum((trial.cost for trial in trials), start=TrialCost())
    beside = TrialCost() if result.expenses is None else result.expenses.asked + result.expenses.scored
    whole = own + beside
    return {
        "trials": len(trials),
        "examples": sum(trial.score is not None for trial in trials) * result.tuned_on,
        "merge": whole.merge_seconds,
        "evaluation": whole.eval_seconds,
        "dollars": whole.dollars,
        "beside_seconds": beside.seconds,
        "beside_dollars": beside.dollars,
    }
