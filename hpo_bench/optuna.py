"""Our optimisers as a sampler of Optuna's."""

import math
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo_bench.benchmark.contender import Contender
from hpo_bench.errors import UsageError
from landscapes.space import Parameter, Range, SearchSpace
from optimizers.base import Optimizer, Point
from optimizers.options import integer

_MARK = "hpo_bench:proposed"
_TICK = timedelta(microseconds=1)
_LOCK = threading.Lock()
"""Of all samplers of a process, whose trials may run in threads; a lock of its own could not be pickled."""
Event = tuple[str, int, float | None, tuple[tuple[str, Any], ...]]
"""What happened: "ask" or "tell", of which trial, its score (None where it failed) and its parameters."""
Number = FloatDistribution | IntDistribution


class Sampler(BaseSampler):
    """Proposes a study's trials with one of our optimisers: `optuna.create_study(sampler=Sampler("gp-bo"))`.

    The same seed, space and scores give the same trials as `hpo_bench.maximize`, also in a study that was interrupted
    and goes on from its storage: nothing is remembered but what the study holds. Trials of others, enqueued ones or
    another sampler's, are learnt from. A trial that failed, was pruned or has an infinite value is a failed evaluation.
    Categorical parameters, and what is not in the space, are drawn at random. A sampler can be pickled, and studies may
    share one.

    Args:
        optimizer: A name, an address (`module:Class`) or a class.
        space: Ranges by name, `{"lr": (1e-5, 1e-1, "log"), "layers": (1, 8, "int")}`, or a search space. Where none is
            given, it is what all finished trials suggested, as with Optuna's own samplers, and the first trial is drawn
            at random. What is suggested must lie in the ranges given here, and have no step.
        trials: How many trials may be proposed. A grid's size hangs on it.
        seed: Any by default: an interrupted study then goes on as a new search that knows the trials there are.

    Raises:
        OptimizerError: If there is no such optimiser, or trials or seed are no such numbers.
        InvalidSpaceError: If the space makes no sense.

    Examples:
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(direction="maximize", sampler=Sampler("gp-bo", space={"x": (0, 1)}, seed=0))
        >>> study.optimize(lambda trial: -((trial.suggest_float("x", 0, 1) - 0.3) ** 2), n_trials=12)
        >>> abs(study.best_params["x"] - 0.3) < 0.05
        True
    """

    def __init__(
        self,
        optimizer: str | type[Optimizer] = "gp-bo",
        *,
        space: SearchSpace | Mapping[str, Range] | None = None,
        trials: int = 1000,
        seed: int | None = None,
    ) -> None:
        self._kind = Contender.find(optimizer).kind
        self._box = None if space is None else SearchSpace.of(space)
        self._trials = integer("trials", trials, least=1)
        drawn = np.random.SeedSequence().generate_state(1)[0] if seed is None else seed
        self._seed = integer("seed", drawn, least=0)
        self._random = RandomSampler(seed=self._seed % 2**32)  # the most that numpy takes
        self._seen = IntersectionSearchSpace()
        self._replay: _Replay | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The replay is made anew from any study, and some optimisers hold generators, which cannot be pickled.
        return {**vars(self), "_replay": None}

    def __str__(self) -> str:
        return f"hpo-bench {self._kind.label}"

    def reseed_rng(self) -> None:
        """Threads of one study share this sampler, whose proposals need no other seed; what is drawn at random does."""
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The distributions of the parameters that are proposed, in the order of the space."""
        if self._box is not None:
            return {side.name: _distribution(side) for side in self._box.parameters}
        seen = self._seen.calculate(study)
        return {name: one for name, one in seen.items() if isinstance(one, Number) and not one.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The optimiser's proposal for a trial.

        Raises:
            ValueError: If the study has several objectives.
            UsageError: If all trials were proposed, or another one runs and the optimiser takes one at a time.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space or "fixed_params" in trial.system_attrs:
            return {}
        space = {name: one for name, one in search_space.items() if isinstance(one, Number)}
        with _LOCK:
            if self._replay is None or self._replay.space != space:
                self._replay = _Replay(self._kind, space, self._trials, self._seed)
            proposal, moment = self._replay.proposal(study, trial, datetime.now())  # no zone, as Optuna's own times
            # Optuna has no public way for a sampler to mark a trial; its own samplers do the same.
            study._storage.set_trial_system_attr(trial._trial_id, _MARK, [self._replay.mark, moment.isoformat()])
        return proposal

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value of a parameter that is not in the space, or that an enqueued trial leaves open, at random.

        Raises:
            UsageError: If it is in the space that was given, and suggested otherwise: in a range that leaves out what
                was proposed, or with a step.
        """
        sides = {} if self._box is None else {side.name: _distribution(side) for side in self._box.parameters}
        if sides.get(param_name, param_distribution) != param_distribution:
            raise UsageError(
                f"{param_name} is suggested as {param_distribution}, and the sampler's space has "
                f"{sides[param_name]}; give both alike, or leave out `space=`"
            )
        return self._random.sample_independent(study, trial, param_name, param_distribution)


class _Replay:
    """An optimiser that was told and asked, in order, what a study's trials say.

    A trial was proposed after those that were complete by then, so times order the events alike in the process that
    made them and in one that goes on. Clocks are set back, as at the end of summer time; a proposal's time is never
    before what it is known to come after.
    """

    def __init__(self, kind: type[Optimizer], space: Mapping[str, Number], trials: int, seed: int) -> None:
        self.space = space
        self.mark = repr((kind.name, seed, sorted(map(str, space.items()))))
        self._kind, self._trials, self._seed = kind, trials, seed
        self._box = SearchSpace(tuple(_parameter(f"x{i}", one) for i, one in enumerate(space.values())))
        self._strangers: set[int] = set()
        self._begin()

    def proposal(self, study: Study, trial: FrozenTrial, now: datetime) -> tuple[dict[str, Any], datetime]:
        """What to evaluate in a trial, and when that was proposed: now, or after all that is known already."""
        trials = {one.number: one for one in study.get_trials(deepcopy=False)}
        known = [moment for one in trials.values() for moment in (_told_at(one), _asked_at(one)) if moment is not None]
        now = max([now, *(moment + _TICK for moment in known)])
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        while not self._catch_up(trials, trial.number, now, sign):
            self._begin()
        return self._values(self._ask(trial.number)), now

    def _begin(self) -> None:
        self._optimizer = self._kind(self._box.dim, seed=self._seed, budget=self._trials)
        self._events: list[Event] = []
        self._pending: dict[int, Point] = {}

    def _catch_up(self, trials: Mapping[int, FrozenTrial], new: int, now: datetime, sign: int) -> bool:
        """Ask and tell what is new; False if what was asked is not what a trial has, which is then a stranger."""
        events = self._history(trials, new, now, sign)
        if events[: len(self._events)] != self._events:
            # Another study may have come in between, which has strangers of its own.
            self._strangers.clear()
            self._begin()
            events = self._history(trials, new, now, sign)
        for event in events[len(self._events) :]:
            what, number, score, _ = event
            trial = trials[number]
            if what == "ask":
                self._ask(number)
            if number in self._pending and not self._is_as_proposed(trial):
                self._strangers.add(number)
                return False
            if what == "ask":
                continue
            if number in self._pending:
                self._optimizer.tell(self._pending.pop(number), math.nan if score is None else score)
            elif score is not None and (point := self._point(trial)) is not None:
                self._optimizer.tell(point, score, known=True)
            self._events.append(event)
        return True

    def _is_as_proposed(self, trial: FrozenTrial) -> bool:
        """Whether a trial has what was proposed for it, as far as it has suggested any of it."""
        values = self._values(self._pending[trial.number])
        return all(value == trial.params.get(name, value) for name, value in values.items())

    def _history(self, trials: Mapping[int, FrozenTrial], new: int, now: datetime, sign: int) -> list[Event]:
        moments = []
        for number, trial in trials.items():
            mark, _ = trial.system_attrs.get(_MARK, (None, None))
            if mark == self.mark and number != new and number not in self._strangers:
                moments.append((_asked_at(trial), 1, number))
            if (told := _told_at(trial)) is not None and told <= now:
                moments.append((told, 0, number))
        return [_asked(number) if asked else _told(trials[number], sign) for _, asked, number in sorted(moments)]

    def _ask(self, number: int) -> Point:
        optimizer = self._optimizer
        if optimizer.asked >= optimizer.budget:
            raise UsageError(f"all {optimizer.budget} trials were proposed; give the sampler more, with `trials=`")
        if self._pending and not optimizer.parallel:
            raise UsageError(
                f"trial {min(self._pending)} still runs, and {optimizer.label} proposes one at a time; if its process "
                f"is gone: `study.tell({min(self._pending)}, state=optuna.trial.TrialState.FAIL)`"
            )
        self._pending[number] = optimizer.ask()
        self._events.append(_asked(number))
        return self._pending[number]

    def _values(self, point: Point) -> dict[str, Any]:
        values = zip(self.space.items(), self._box.from_unit(point[None])[0], strict=True)
        return {name: _stepped(one, float(value)) for (name, one), value in values}

    def _point(self, trial: FrozenTrial) -> Point | None:
        if not all(isinstance(trial.distributions.get(name), Number) for name in self.space):
            return None
        values = np.array([[float(trial.params[name]) for name in self.space]])
        return self._box.to_unit(values)[0] if self._box.contains(values).all() else None


def _asked(number: int) -> Event:
    return "ask", number, None, ()


def _told(trial: FrozenTrial, sign: int) -> Event:
    value = trial.value if trial.state == TrialState.COMPLETE else None
    score = None if value is None or not math.isfinite(value) else sign * float(value)
    return "tell", trial.number, score, tuple(trial.params.items())


def _asked_at(trial: FrozenTrial) -> datetime | None:
    """When a trial was proposed; None where no sampler of ours did."""
    _, proposed = trial.system_attrs.get(_MARK, (None, None))
    return None if proposed is None else datetime.fromisoformat(proposed)


def _told_at(trial: FrozenTrial) -> datetime | None:
    """When a trial's result came in, which was after its proposal whatever the clock says; None while it runs."""
    complete, asked = trial.datetime_complete, _asked_at(trial)
    return complete if complete is None or asked is None else max(complete, asked + _TICK)


def _distribution(side: Parameter) -> Number:
    log = side.scale == "log"
    if side.integer:
        return IntDistribution(int(side.low), int(side.high), log=log)
    return FloatDistribution(float(side.low), float(side.high), log=log)


def _parameter(name: str, one: Number) -> Parameter:
    return Parameter(
        name, one.low, one.high, scale="log" if one.log else "linear", integer=isinstance(one, IntDistribution)
    )


def _stepped(one: Number, value: float) -> float | int:
    """The nearest value that a distribution has."""
    if one.step is not None:
        value = min(one.low + round((value - one.low) / one.step) * one.step, one.high)
    return int(value) if isinstance(one, IntDistribution) else value
