"""What a trial is in an Optuna storage: the one place that writes and reads it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.files import as_record
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.trial import State, Trial, TrialCost, plain

MEASURED = "measured"
"""Under this key a trial keeps what was measured: one entry and not one a figure, as each is a commit of its own."""
SO_FAR = "so_far"
"""Under this key a trial keeps what it has taken while it runs, for whoever goes on after a kill."""
CONSTRAINTS = "constraints"
"""Optuna's own key for how far a trial violates each constraint."""
STATES: dict[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
}
_COST = ("merge_seconds", "eval_seconds", "dollars")
"""Figures that make up a trial's cost; the others are called as `Trial` calls them."""
_FIGURES = (
    *("standard_error", "examples", "kept", "margin", "margin_error"),
    *("fingerprint", "kind", "reason", "log", "told_as"),
)
_PROPOSED = ("asked_after", "worker")
_CURE = "begin a study of another name with --study"


def proposed(setting: MergeSetting, config: StudyConfig, *, asked_after: int, worker: str) -> FrozenTrial:
    """The row of a trial that is about to run.

    Args:
        setting: What it merges.
        config: What the study was begun with.
        asked_after: How many results the optimiser knew.
        worker: Who runs it.
    """
    distributions: dict[str, BaseDistribution] = {
        "method": CategoricalDistribution(config.methods),
        **{axis.name: FloatDistribution(axis.low, axis.high) for axis in config.space(setting.method).box.parameters},
    }
    return FrozenTrial(
        number=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(),
        datetime_complete=None,
        params=plain(setting),
        distributions=distributions,
        user_attrs={"asked_after": asked_after, "worker": worker},
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )


def measured(trial: Trial) -> dict[str, Any]:
    """What a finished trial keeps under `MEASURED`, as JSON takes it."""
    figures = {name: value for name in _FIGURES if (value := getattr(trial, name)) not in (None, "")}
    return figures | so_far(trial.cost)


def so_far(cost: TrialCost) -> dict[str, float]:
    """What a running trial keeps under `SO_FAR`, as JSON takes it."""
    return {name: getattr(cost, name) for name in _COST}


def state(trial: Trial) -> TrialState:
    """A trial's state as Optuna calls it."""
    return next(theirs for theirs, ours in STATES.items() if ours == trial.state)


def read(frozen: FrozenTrial, *, where: str) -> Trial | None:
    """One of our trials; None for one that somebody else made, or ended while it ran.

    Args:
        frozen: As Optuna has it.
        where: What to call it in messages.

    Raises:
        TuningError: If it is ours, and damaged.
    """
    known_state, attrs = STATES.get(frozen.state), frozen.user_attrs
    ours = {*_PROPOSED} <= set(attrs) and "method" in frozen.params
    if not ours or known_state is None or (known_state != "running" and MEASURED not in attrs):
        return None
    try:
        setting = MergeSetting(**frozen.params)
    except (TypeError, UsageError) as error:
        raise TuningError(f"{where} is damaged ({error}); {_CURE}") from error
    known = {
        "number": frozen.number,
        "setting": setting,
        "state": known_state,
        **{key: attrs[key] for key in _PROPOSED},
    }
    # What a kill left of an unfinished trial does not count, but what that took was spent.
    if known_state != "running":
        known |= {"score": frozen.value, **_figures(attrs[MEASURED], where)}
    elif SO_FAR in attrs:
        known |= {"cost": attrs[SO_FAR]}
    trial = as_record(known, Trial, where=where, wrong=TuningError, cure=_CURE)
    if trial.state == "complete" and not (trial.score is not None and np.isfinite(trial.score)):
        raise TuningError(f"{where} is damaged: it is complete and has no score; {_CURE}")
    return trial


def _figures(values: object, where: str) -> dict[str, Any]:
    """What `measured` gave, by the names of a trial's fields."""
    if not isinstance(values, Mapping):
        raise TuningError(f"{where} is damaged: nothing was measured; {_CURE}")
    if lacking := {*_COST, "told_as"} - set(values):
        raise TuningError(f"{where} is damaged: it lacks {min(lacking)}; {_CURE}")
    others = {key: value for key, value in values.items() if key not in _COST}
    return {"cost": {key: values[key] for key in _COST}, **others}
