"""Trials as tables, for other tools and for `hpo-bench landscapes add`."""

from pathlib import Path

import pandas as pd

from hpo_bench.benchmark.store import write
from hpo_bench.tuning.storage import TrialStore


def write_tables(store: TrialStore) -> dict[str, Path]:
    """Write the complete trials of each method to `trials-<method>.csv` in the study's folder.

    One row a setting: its hyperparameters, split (always validation), score, standard_error, n_examples, merge_seconds,
    eval_seconds and trial; where an ability must be kept, also the score on its category and the margin left. A setting
    that was tried twice stands there once, at its first trial.

    Returns:
        The files, by method.
    """
    rows: dict[str, list[dict[str, object]]] = {}
    seen = set()
    for trial in store.trials():
        if trial.score is None or trial.setting in seen:
            continue
        seen.add(trial.setting)
        rows.setdefault(trial.setting.method, []).append(
            {
                **trial.setting.parameters,
                "split": "validation",
                "score": trial.score,
                "standard_error": trial.standard_error,
                "n_examples": len(store.answers(trial.number)),
                **({} if trial.kept is None else {"kept": trial.kept, "margin": trial.margin}),
                "merge_seconds": trial.cost.merge_seconds,
                "eval_seconds": trial.cost.eval_seconds,
                "trial": trial.number,
            }
        )
    files = {}
    for method, table in rows.items():
        path = store.folder / f"trials-{method}.csv"
        write(path, lambda place, table=table: pd.DataFrame(table).to_csv(place, index=False))
        files[method] = path
    return files
