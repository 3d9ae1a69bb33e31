"""Evaluations of an export that failed or were not finished: refused, or dropped and counted."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from landscapes import tables
from landscapes.errors import InvalidGridError

COLUMNS = ("state", "status")
"""What the column is called in exports of Optuna, Weights & Biases and Ray, in any case."""
FINISHED = frozenset({"complete", "completed", "finished", "terminated", "succeeded", "success", "done", "ok"})
UNFINISHED = frozenset(
    {"fail", "failed", "failure", "error", "errored", "crashed", "killed", "cancelled", "canceled", "stopped",
     "timeout", "pruned", "running", "waiting", "pending", "queued", "paused", "preempted", "preempting"}
)  # fmt: skip
"""Of these a score may be there, and is that of something unfinished: Optuna gives a pruned trial its last value."""


def finished(
    frame: pd.DataFrame, path: Path, *, metric: str, state: str | None, others: Collection[str], drop: bool
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """The rows of evaluations that ended well, and how many others there were, by reason.

    Args:
        frame: The table, whose index counts its rows.
        path: Where it is from, for messages.
        metric: Column of the scores.
        state: Column that says how each ended; None for the one that is called so, if there is one.
        others: Columns that mean something else, whatever they are called.
        drop: Whether rows that did not end well, or have no score, are dropped; otherwise the first kind is refused.

    Raises:
        InvalidGridError: If a row did not end well and none is to be dropped, a state is not known, or no row is left.
    """
    reasons = pd.Series("", index=frame.index, dtype=object)
    named = [name for name in frame.columns if str(name).lower() in COLUMNS and name not in others]
    for name in [state] if state is not None else named:
        words = frame[name].map(_word)
        bad = words.isin(UNFINISHED)
        if state is not None and (strange := ~bad & ~words.isin(FINISHED)).any():
            row = int(np.flatnonzero(strange)[0])
            raise InvalidGridError(
                f"{tables.where(path, frame.index[row], name)}: {frame[name].iloc[row]!r} is no state; write complete "
                "or failed, or leave --state out"
            )
        if bad.any() and not drop:
            row = int(np.flatnonzero(bad)[0])
            raise InvalidGridError(
                f"{tables.where(path, frame.index[row], name)}: an evaluation that is {frame[name].iloc[row]!r} has "
                "no score to learn from; leave such rows out with --drop-failed"
            )
        reasons[bad] = words[bad]
    if not drop:
        return frame, {}
    # Numbers, and cells of a CSV file, which are text; other text is no missing score, and is refused later on.
    scores = pd.to_numeric(frame[metric], errors="coerce").astype(np.float64)
    blank = frame[metric].isna() | frame[metric].map(_word).isin({"", "nan", "none", "null", "na", "n/a"})
    reasons[(reasons == "") & (blank | np.isinf(scores))] = f"without {metric}"
    kept = frame[reasons == ""]
    if kept.empty:
        raise InvalidGridError(f"{path}: of {len(frame)} rows none is of a finished evaluation with a {metric!r}")
    return kept, dict(sorted(Counter(reasons[reasons != ""]).items()))


def _word(value: object) -> str:
    return str(value).strip().lower().removeprefix("trialstate.")
