"""Landscapes of what was recorded while tuning."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo_bench.errors import UsageError
from hpo_bench.files import write
from hpo_bench.merging.methods import registry
from hpo_bench.tuning.outcome.tables import trials_frame
from hpo_bench.tuning.storage.store import TrialStore
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape
from landscapes.terms import METHODS


def write_tables(store: TrialStore) -> dict[str, Path]:
    """Write the complete trials of each method to `trials-<method>.csv` in the study's folder.

    One row a setting: its hyperparameters, split (always validation), score, standard_error, n_examples, merge_seconds,
    eval_seconds and trial; where an ability must be kept, also the score on its category and the margin left. A setting
    that was tried twice stands there once, at its first trial.

    Returns:
        The files, by method.
    """
    complete = [trial for trial in store.trials() if trial.score is not None]
    frame = trials_frame(complete, keep=store.begun.keep is not None).reset_index()
    frame["split"], frame["n_examples"] = "validation", [len(store.answers(trial.number)) for trial in complete]
    figures = (
        *("split", "score", "standard_error", "n_examples", "kept", "margin"),
        *("merge_seconds", "eval_seconds", "trial"),
    )
    files = {}
    for method, rows in frame.groupby("method", sort=False):
        kind = registry.get(str(method))
        axes = [one.name for one in kind.hyperparameters]
        path = store.folder / f"trials-{kind.name}.csv"
        text = rows.drop_duplicates(axes)[[*axes, *(name for name in figures if name in rows)]].to_csv(index=False)
        if not (path.is_file() and path.read_text(encoding="utf-8") == text):
            write(path, text)
        files[str(method)] = path
    return files


def add_study(
    store: TrialStore, *, name: str | None, root: Path, replace: bool, command: str, about: Mapping[str, str]
) -> list[Landscape]:
    """Make a landscape of each merge method's complete trials, or of none where one has too few.

    Args:
        store: The study's trials.
        name: What to call it, for a study of one method; by default STUDY/METHOD.
        root: Folder of landscapes.
        replace: Whether a landscape of that name may be replaced.
        command: What made it, for the card.
        about: Further keys of the card; what the study knows itself is added where nothing else is said.

    Raises:
        UsageError: If no trial is complete, or one name is given for several methods.
        TuningError: If the study cannot be read.
        InvalidGridError: If there are too few trials for a landscape.
        UnwritableError: If the landscape exists, or cannot be written.
    """
    config, files = store.begun, write_tables(store)
    if not files:
        raise UsageError(f"{store.folder} has no complete trial yet; tune the study further")
    if name is not None and len(files) > 1:
        raise UsageError(f"{store.folder} raced {len(files)} methods, which are as many landscapes; leave --name out")
    kept = "" if config.keep is None else f", without category {config.keep.category}"

    def make(method: str, root: Path, *, replace: bool) -> Landscape:
        short = registry.get(method).name
        known = {
            "method": short if short in METHODS else "other",
            "benchmark": config.pair,
            "units": f"score{kept}",
            "notes": f"Trials of study {store.name} by {config.optimizer}, densest near the maximum.",
        }
        said = {key: value for key, value in about.items() if value and (key, value) != ("method", "other")}
        reading = Reading(
            # The axes that were searched: with coefficients that sum to one, one of them says all.
            parameters=dict.fromkeys(config.space(method).free.names),
            metric="score", error="standard_error", examples="n_examples", split="split",
        )  # fmt: skip
        return import_table(
            files[method], reading, name=name or f"{store.name}/{short}", root=root, command=command,
            replace=replace, about={**known, **said},
        )  # fmt: skip

    with TemporaryDirectory(prefix="hpo-bench-") as scratch:
        for method in files:  # all of them or none: one may have too few trials
            make(method, Path(scratch), replace=True)
    return [make(method, root, replace=replace) for method in files]
