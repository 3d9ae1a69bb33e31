"""Tuning a pair from Python, as `hpo-bench tune` does it from a shell."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hpo_bench.display.console import PlainConsole
from hpo_bench.evaluation.registry import with_columns
from hpo_bench.merging.find import BUILT, as_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning import run
from hpo_bench.tuning.command_line import Start, command_of
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import STUDIES, Invocation
from hpo_bench.tuning.options import PATIENCE, RunOptions
from hpo_bench.tuning.planning.questions import Reference
from hpo_bench.tuning.space import COEFFICIENTS, DENSITY
from hpo_bench.tuning.storage.url import typed
from hpo_bench.tuning.study import Study

_OF_RUN = frozenset(field.name for field in fields(RunOptions))


def tune(
    pair: Pair | str | Path,
    *,
    methods: str | Sequence[str] = ("ta",),
    optimizer: str | None = None,
    trials: int | None = None,
    examples_each: int | None = None,
    hold_out: bool = False,
    gpu_hours: float | None = None,
    dollars: float | None = None,
    price: float = 0.0,
    until: float | None = None,
    coefficients: Sequence[float] = COEFFICIENTS,
    densities: Sequence[float] = DENSITY,
    sum_to_one: bool = False,
    starts: Sequence[Start] = (),
    keep: str | None = None,
    at_most_below: float | None = None,
    front: bool = False,
    seed: int = 0,
    mask_seed: int = 0,
    study: str | None = None,
    studies: str | Path = STUDIES,
    storage: str | None = None,
    workers: int = 1,
    ray_address: str | None = None,
    device: str | None = None,
    threads: int = 1,
    timeout: float | None = None,
    patience: int = PATIENCE,
    question: str = "",
    answer: str = "",
    image: Sequence[str] = (),
    choices: Sequence[str] = (),
    category: str = "",
    id: str = "",
    annotations: str = "",
    limit: int | None = None,
    pairs: str | Path = BUILT,
    trust_remote_code: bool = False,
    beside: Mapping[str, MergeSetting] | None = None,
    progress: bool = False,
) -> Study:
    """Find the best merge of a pair for a budget: merge, evaluate, learn, and merge again.

    How many settings are tried, and on how many of the examples, is planned from the budget. The score of the
    recommended merge is cross-fitted from the answers of the trials, so that all examples may be tuned on; it stands
    beside what there was before. Every trial is stored at once. The same call, or the same command `hpo-bench tune`,
    goes on with a study that was interrupted or killed, and returns one that is finished. Ctrl-C ends it after the
    running trial, a second one at once.

        study = hpo_bench.tune("ja-llama", methods=["ta", "ties"], trials=40)
        study.result.merges[0], study.to_frame(), study.export("merged")

    Merges are made in processes of their own, which import hpo_bench and not the script that calls this: a script needs
    no `if __name__ == "__main__"`.

    Args:
        pair: What to merge: a pair, a pair.yaml or its folder, or the name of a built or shipped pair.
        methods: Merge methods; several race for the budget.
        optimizer: An optimiser by name, or your own as "module:Class"; by default gp-bo, or pareto-bo for a `front`.
        trials: At most so many; by default as many as the plan has.
        examples_each: How many of the examples each trial answers; by default as many as the plan has. Both are
            planned so that the expected loss on unseen examples is least, for the budget or else the cost of 40 trials
            (60 in 3-D) on a fifth of the examples.
        hold_out: Tune on a fifth of the examples, by the hash of their ids, and score on the others at the end, as the
            paper does: 40 trials in 2-D and 60 in 3-D, unless hours or dollars are limited.
        gpu_hours: At most so many hours of a GPU, or of the CPU where there is none, for all but loading models: the
            trials, what they are compared with, the questions and the timed trial before, and answers that are shown.
        dollars: At most so much money, for GPUs and judges together, for all of that.
        price: Dollars that an hour of a GPU costs.
        until: End where the rest of the budget is expected to gain fewer points of accuracy than this on unseen
            examples, such as 0.1.
        coefficients: Lowest and highest of both weights.
        densities: Lowest and highest density.
        sum_to_one: Search only where both weights sum to one.
        starts: Begin there: "nan" or "metagpt" (found from the weights), "experience" (settings that were good on
            recorded landscapes of other pairs; so begins a study that plans six settings or fewer), a setting as
            (VLM, EXPERT[, DENSITY]) or by hyperparameter, such as {"vl_weight": 0.6, "exp_weight": 0.8}, or
            "from:STUDY" for the best settings of another study.
        keep: Category of examples that tell of an ability not to lose: the score on the others is maximised under a
            limit on theirs.
        at_most_below: How far below the base VLM the kept category's score may fall, in points; 2 by default.
        front: Search for the whole Pareto front of the kept category's score and the score on the others, as for a
            limit that is not known yet. `at_most_below` then limits what is recommended and not what is tried.
        seed: Of the optimiser.
        mask_seed: Of DARE's masks.
        study: Name of the study; by default from pair, methods, optimiser and seed.
        studies: Folder in which each study has its own.
        storage: URL of an Optuna storage; by default that of the environment variable HPO_BENCH_STORAGE, else an SQLite
            file in the study's folder.
        workers: How many processes merge and evaluate at once.
        ray_address: Run them on a Ray cluster, such as "auto" or "10.0.0.1:6379".
        device: "cpu", "cuda", "cuda:1", ...; by default the GPUs in turn, else the CPU.
        threads: CPU threads of each process.
        timeout: End a trial after so many seconds; by default found as it runs.
        patience: Stop after so many failures in a row.
        question: Column of the questions, or a pattern of several, in place of what the pair says; see
            `hpo-bench examples`.
        answer: Likewise of the right answers.
        image: Of the pictures.
        choices: Of the choices; [""] asks without them.
        category: Of the categories.
        id: Of the ids.
        annotations: A second file with the same ids.
        limit: At most so many examples, drawn by a hash of their ids.
        pairs: Folder of pairs that `hpo-bench nano build` made.
        trust_remote_code: Whether code that comes with the VLM may run, if its pair.yaml asks for it.
        beside: Further settings to score beside the recommended one, by names that results do not use themselves; those
            that are new are scored of a finished study too.
        progress: Whether to print what the command prints: every trial, and what came of the study.

    Returns:
        The finished study.

    Raises:
        UsageError: If an option makes no sense, or there is no such pair.
        TuningError: If the study cannot be begun, continued or brought to an end, such as after too many failures.
        ResultsError: If what belongs to it cannot be written, as on a full disk; the same call then goes on.
        OptimizerError: If there is no such optimiser, or it refuses the box.
        MergeError: If the pair cannot be loaded or merged.
        KeyboardInterrupt: If the user ended it before its budget.
    """
    # As they were given, so that none is forgotten on its way into the records, or into the command line.
    asked = {name: value for name, value in locals().items() if name not in ("pair", "progress")}
    found, config, options = _wanted(pair, **asked)
    usual = {name: parameter.default for name, parameter in inspect.signature(tune).parameters.items()}
    command = command_of(_place(pair) if isinstance(pair, Pair) else str(pair), asked, usual)
    invocation = Invocation(_place(pair), str(Path(pairs).resolve()), typed(command))
    run.run(found, config, options, console=PlainConsole(quiet=not progress), invocation=invocation)
    return Study.open(options.name(config), options.studies, pair=found)


def dry_run(
    pair: Pair | str | Path, *, published: float | None = None, progress: bool = True, **options: Any
) -> tuple[Reference, ...]:
    """Ask what there is without tuning a handful of questions, before the first trial, and leave nothing behind.

    These are the base VLM, the expert swapped in, and half-and-half.

    Args:
        pair: As for `tune`.
        published: The base VLM's score elsewhere, from 0 to 100, to be set against its score on the validation
            examples here.
        progress: Whether to print what was asked and said.
        options: As for `tune`.

    Raises:
        HpoBenchError: As `tune` does, or if the base VLM cannot be evaluated.
    """
    console = PlainConsole(quiet=not progress)
    return run.dry_run(*_wanted(pair, **options), console=console, published=published)


def _wanted(
    pair: Pair | str | Path, *, pairs: str | Path = BUILT, **asked: Any
) -> tuple[Pair, StudyConfig, RunOptions]:
    """The pair, what is wanted of it, and how that is to be run; each option is of the one that has its name."""
    found = with_columns(as_pair(pair, Path(pairs)), asked)
    of_run = {name: value for name, value in asked.items() if name in _OF_RUN}
    of_study = {name: value for name, value in asked.items() if name not in _OF_RUN}
    of_run["studies"], of_run["beside"] = Path(asked.get("studies", STUDIES)), asked.get("beside") or {}
    options = RunOptions(**of_run)
    return found, StudyConfig.of(found, **of_study), options


def _place(pair: Pair | str | Path) -> str:
    """What the pair is found by from anywhere."""
    if isinstance(pair, Pair):
        return str((pair.file or pair.folder).resolve())
    return str(Path(pair).resolve()) if Path(pair).exists() else str(pair)
