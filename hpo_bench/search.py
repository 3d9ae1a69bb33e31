"""Finding where a function of a few hyperparameters is highest, with any optimiser."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo_bench.benchmark.contender import Contender
from hpo_bench.display.words import counted
from hpo_bench.errors import UsageError
from landscapes.space import Range, SearchSpace
from optimizers.base import Optimizer, Point
from optimizers.options import integer, real

TOLD = ("score", "standard_error")
"""Columns of trials beside the hyperparameters."""
Score = float | tuple[float, float]
"""What a function that is searched gives back: a score, or a score and its standard error."""


@dataclass(frozen=True, eq=False, repr=False)
class Maximum:
    """What `maximize` found.

    Attributes:
        parameters: The recommended setting by name, in the units of the space; whole numbers are `int`.
        score: What was told of it; where that was several times, the highest.
        trials: One row an evaluation, in order: the hyperparameters, `score` (NaN where it failed) and `standard_error`
            (NaN where none was told).
        optimizer: The optimiser with its history, known settings included. A local search, and CMA-ES, cannot be
            pickled: from a process of your own give `trials` back.
    """

    parameters: dict[str, float]
    score: float
    trials: pd.DataFrame
    optimizer: Optimizer

    def to_frame(self) -> pd.DataFrame:
        """The trials, one row an evaluation; a copy."""
        return self.trials.copy()

    def __repr__(self) -> str:
        setting = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        return f"<Maximum: {self.score:g} at {setting}, after {counted(len(self.trials), 'trial')}>"


def maximize(
    function: Callable[..., Score],
    space: SearchSpace | Mapping[str, Range],
    *,
    trials: int,
    optimizer: str | type[Optimizer] = "gp-bo",
    seed: int = 0,
    known: pd.DataFrame | Sequence[Mapping[str, float]] = (),
    callback: Callable[[dict[str, float], float], object] | None = None,
) -> Maximum:
    """Find where a function that is dear to evaluate is highest.

    Args:
        function: Takes the hyperparameters by name and gives a score back, to be maximised, or a score and its standard
            error, NaN where that is unknown. A score that is NaN or infinite is a failed evaluation, which costs a
            trial; whatever the function raises ends the search.
        space: Ranges by name, `{"lr": (1e-5, 1e-1, "log"), "layers": (1, 8, "int")}`, or a search space.
        trials: How many evaluations. Where there are whole numbers alone, some may be of one setting again: of 30 in
            8 x 8 settings it was about half, whichever optimiser but a design. Of a function without noise
            `functools.cache(function)` saves what they cost.
        optimizer: A name, an address (`module:Class`) or a class.
        seed: The same seed and the same scores give the same trials.
        known: Settings that were scored before, one row each: the hyperparameters, `score` and perhaps
            `standard_error`, as in the `trials` of what is returned. They cost no trial. An optimiser that models the
            scores learns from them, and a local search begins at the best; other packages' optimisers need not
            (`hpo_bench.peers.base.Peer`).
        callback: Told of every trial, its hyperparameters and its score, as soon as it is over. What it keeps is all
            that there is after Ctrl-C or an error of the function, and may be given as `known`.

    Raises:
        UsageError: If function or callback cannot be called with what they are given, an answer of the function is no
            score, known settings have none, or a hyperparameter has the name of a column of `trials`.
        InvalidSpaceError: If the space makes no sense, or a known setting does not lie in it.
        OptimizerError: If there is no such optimiser, trials or seed are no such numbers, or no evaluation succeeded.

    Examples:
        >>> best = maximize(lambda x, n: -((x - 0.3) ** 2) - n, {"x": (0, 1), "n": (1, 4, "int")}, trials=16)
        >>> best.parameters["n"], abs(best.parameters["x"] - 0.3) < 0.1
        (1, True)
    """
    for what, given in (("function", function), ("callback", callback)):
        if not callable(given) and not (what == "callback" and given is None):  # before an evaluation is paid for
            raise UsageError(f"{what} must be something to call, not {given!r}")
    box = SearchSpace.of(space)
    if taken := [name for name in box.names if name in TOLD]:
        raise UsageError(f"a hyperparameter cannot be called {taken[0]}, which is a column of the trials; rename it")
    named = ", ".join(box.names)
    _check_call(function, f"function must take the space's names, {named}", **dict.fromkeys(box.names, 0.0))
    if callback is not None:
        _check_call(callback, "callback must take a setting and its score", {}, 0.0)
    kind, trials = Contender.find(optimizer).kind, integer("trials", trials, least=1)
    search = kind(box.dim, seed=seed, budget=trials)
    for point, score, error in _known(known, box):
        search.tell(point, score, standard_error=error, known=True)
    rows: list[dict[str, float]] = []
    for _ in range(trials):
        point = search.ask()
        setting = _named(box, point)
        score, error = _score(function(**setting), setting)
        search.tell(point, score, standard_error=error)
        rows.append({**setting, "score": score, "standard_error": np.nan if error is None else error})
        if callback is not None:
            callback(setting, score)
    points, scores = search.history
    best = search.recommend()
    score = float(np.nanmax(scores[(points == best).all(axis=1)]))
    return Maximum(_named(box, best), score, pd.DataFrame(rows), search)


def _check_call(called: Callable[..., Any], must: str, *arguments: Any, **named: Any) -> None:
    """Refuse what cannot be called so, before an evaluation is paid for."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # of some functions in C nobody knows what they take
        return
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        raise UsageError(f"{must}; it takes {signature}: {error}") from error


def _named(box: SearchSpace, point: Point) -> dict[str, float]:
    """A point of the unit cube as values by name."""
    values = box.from_unit(point[None])[0]
    sides = zip(box.parameters, values, strict=True)
    return {side.name: int(value) if side.integer else float(value) for side, value in sides}


def _score(answer: Any, setting: Mapping[str, float]) -> tuple[float, float | None]:
    try:
        score, error = answer if isinstance(answer, tuple) else (answer, None)
        score, error = real("a score", score), np.nan if error is None else real("a standard error", error)
        if np.isinf(error) or error < 0:
            raise ValueError
    except (TypeError, ValueError) as wrong:
        raise UsageError(
            f"the function gave {answer!r} back for {dict(setting)}; give a score, or a score and its standard error, "
            "and NaN where there is none"
        ) from wrong
    return score if np.isfinite(score) else np.nan, None if np.isnan(error) else error


def _known(given: Any, box: SearchSpace) -> Iterator[tuple[Point, float, float | None]]:
    try:
        known = pd.DataFrame(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"known settings are rows of {', '.join(box.names)} and score, not {given!r}") from error
    if known.empty:
        return
    if "score" not in known:
        raise UsageError(f"known settings need a column 'score' beside {', '.join(box.names)}")
    if twice := [name for name in TOLD if list(known.columns).count(name) > 1]:
        raise UsageError(f"known settings have two columns {twice[0]!r}; keep one of the two")
    errors = known["standard_error"] if "standard_error" in known else pd.Series(np.nan, index=known.index)
    points = box.to_unit(known.drop(columns=list(TOLD), errors="ignore"))
    try:
        told = known["score"].astype(float), errors.astype(float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"scores and standard errors of known settings must be numbers: {error}") from error
    for point, score, error in zip(points, *told, strict=True):
        yield point, score, None if np.isnan(error) else error
