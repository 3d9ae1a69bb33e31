"""Our optimisers in Optuna's studies: the same traces, after any interruption, beside any other trials."""

import math
import pickle
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

import hpo_bench as hb
from hpo_bench.errors import UsageError
from hpo_bench.optuna import Sampler
from optimizers import OptimizerError

SPACE: Any = {"x": (1e-2, 1, "log"), "n": (1, 8, "int")}


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def score(x: float, n: int) -> float:
    return -((x - 0.3) ** 2) - abs(n - 3) * 0.1


def objective(trial: optuna.Trial) -> float:
    return score(trial.suggest_float("x", 1e-2, 1, log=True), trial.suggest_int("n", 1, 8))


def settings(study: optuna.Study) -> list[tuple[float, int]]:
    return [(trial.params["x"], trial.params["n"]) for trial in study.trials]


@pytest.mark.parametrize("name", ["gp-bo", "cma-es", "pattern-search", "powell", "grid", "random"])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_trials_are_those_of_maximize_though_the_process_ended(name: str, direction: str, tmp_path: Path) -> None:
    sign = 1 if direction == "maximize" else -1
    best = hb.maximize(score, SPACE, trials=9, seed=3, optimizer=name)
    for trials in (4, 5):  # a new sampler and a new storage, as a new process has
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
        sampler = Sampler(name, space=SPACE, seed=3, trials=9)
        study = optuna.create_study(
            storage=storage, study_name="s", direction=direction, load_if_exists=True, sampler=sampler
        )
        study.optimize(lambda trial: sign * objective(trial), n_trials=trials)
    assert settings(study) == list(best.trials[["x", "n"]].itertuples(index=False, name=None))
    if name == "gp-bo":
        with pytest.raises(UsageError, match="all 9 trials"):
            objective(study.ask())


def test_a_failed_and_a_pruned_trial_are_failed_evaluations() -> None:
    def broken(trial: optuna.Trial) -> float:
        value = objective(trial)
        if trial.number == 1:
            raise optuna.TrialPruned
        return math.nan if trial.number == 2 else value

    calls = iter(range(9))
    best = hb.maximize(
        lambda x, n: math.nan if next(calls) in (1, 2) else score(x, n), SPACE, trials=9, optimizer="pattern-search"
    )
    study = optuna.create_study(direction="maximize", sampler=Sampler("pattern-search", space=SPACE, seed=0))
    study.optimize(broken, n_trials=9)
    assert [trial.state for trial in study.trials[:4]] == [
        TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE,
    ]  # fmt: skip
    assert settings(study) == list(best.trials[["x", "n"]].itertuples(index=False, name=None))


def test_trials_of_others_are_learnt_from_and_none_is_proposed_twice() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    study.enqueue_trial({"x": 0.3, "n": 3})
    study.sampler = Sampler("gp-bo", space=SPACE, seed=1)
    study.optimize(objective, n_trials=6)
    assert study.trials[3].params == {"x": 0.3, "n": 3}
    known = study.trials_dataframe()[["params_x", "params_n", "value"]][:4]
    known.columns = ["x", "n", "score"]
    again = hb.maximize(score, SPACE, trials=5, seed=1, known=known)
    assert settings(study)[4:] == list(again.trials[["x", "n"]].itertuples(index=False, name=None))


def test_an_optimiser_that_takes_several_gives_several_and_one_that_does_not_says_which_trial_runs() -> None:
    study = optuna.create_study(direction="maximize", sampler=Sampler("gp-bo", space=SPACE, seed=0))
    study.optimize(objective, n_trials=6)
    pending = [study.ask() for _ in range(3)]
    points = {objective(trial) for trial in reversed(pending)}
    assert len(points) == 3
    for trial in reversed(pending):
        study.tell(trial, 0.0)
    study.optimize(objective, n_trials=2)
    later = settings(study)

    study.sampler = Sampler("gp-bo", space=SPACE, seed=0)  # replays trials that overlapped
    study.optimize(objective, n_trials=1)
    assert study.sampler._replay is not None  # type: ignore[attr-defined]
    assert not study.sampler._replay._strangers  # type: ignore[attr-defined]
    assert settings(study)[:-1] == later

    alone = optuna.create_study(sampler=Sampler("powell", space=SPACE, seed=0))
    running = alone.ask()
    objective(running)
    with pytest.raises(UsageError, match=r"trial 0 still runs.*study\.tell\(0"):
        objective(alone.ask())
    alone.tell(running, state=TrialState.FAIL)
    objective(alone.ask())


def test_without_a_space_it_is_what_was_suggested() -> None:
    def mixed(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind", ["a", "b"])
        step = trial.suggest_float("step", 0, 1, step=0.25)
        fixed = trial.suggest_float("fixed", 2, 2)
        return fixed + (trial.suggest_float("x y", 0, 1) - 0.3) ** 2 + (step - 0.5) ** 2 + len(kind)

    study = optuna.create_study(sampler=Sampler("gp-bo", seed=0))
    study.optimize(mixed, n_trials=18)
    assert {trial.params["step"] for trial in study.trials} <= {0, 0.25, 0.5, 0.75, 1}
    assert {trial.params["kind"] for trial in study.trials} == {"a", "b"}
    assert study.best_params["step"] == 0.5
    assert abs(study.best_params["x y"] - 0.3) < 0.05


def test_several_objectives_are_refused() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=Sampler("random", space=SPACE))
    with pytest.raises(ValueError, match="multi-objective"):
        objective(study.ask())


def test_threads_share_it() -> None:
    study = optuna.create_study(direction="maximize", sampler=Sampler("random", space=SPACE, seed=0))
    study.optimize(objective, n_trials=24, n_jobs=4)
    assert len(set(settings(study))) == 24


@pytest.mark.parametrize(
    "suggest",
    [
        lambda trial: trial.suggest_float("x", 0, 1, step=0.25),
        lambda trial: trial.suggest_float("x", 0.0, 0.3),
        lambda trial: trial.suggest_float("x", 0.7, 0.8),
    ],
    ids=["step", "lower", "upper"],
)
def test_what_the_space_has_otherwise_is_refused_and_not_drawn_at_random(suggest: Any) -> None:
    study = optuna.create_study(sampler=Sampler("random", space={"x": (0, 1)}, seed=0))
    with pytest.raises(UsageError, match=r"x is suggested as FloatDistribution.*; give both alike, or leave out"):
        study.optimize(suggest, n_trials=12)


def test_a_score_is_told_of_the_setting_that_it_belongs_to() -> None:
    """Where the objective takes another setting than the one proposed, in this process as in one that goes on."""

    def objective(trial: optuna.Trial) -> float:
        y, low, high = trial.suggest_float("y", 0, 1), *((0.25, 0.25) if trial.number == 2 else (0.0, 1.0))
        return -((trial.suggest_float("x", low, high) - 0.3) ** 2) - y

    def sampler() -> Sampler:
        return Sampler("gp-bo", space={"x": (0, 1), "y": (0, 1)}, seed=0)

    study = optuna.create_study(direction="maximize", sampler=sampler())
    study.optimize(objective, n_trials=8)
    assert study.trials[2].params["x"] == 0.25
    assert study.sampler._replay is not None  # type: ignore[attr-defined]
    X, scores = study.sampler._replay._optimizer.history  # type: ignore[attr-defined]
    assert scores.tolist() == [-((x - 0.3) ** 2) - y for x, y in X]
    study.sampler = sampler()
    study.optimize(objective, n_trials=1)
    again = study.sampler._replay._optimizer.history[0]  # type: ignore[attr-defined]
    assert again[:-1].tolist() == X.tolist()


def test_an_infinite_value_is_a_failed_evaluation() -> None:
    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        return math.inf if trial.number in (0, 3) else x

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=1)
    study.sampler = Sampler("gp-bo", space={"x": (0, 1)}, seed=0)
    study.optimize(objective, n_trials=7)
    assert study.best_value < 0.1


@pytest.mark.parametrize("name", ["powell", "cma-es", "gp-bo"])
def test_a_sampler_can_be_pickled_and_goes_on(name: str) -> None:
    study = optuna.create_study(direction="maximize", sampler=Sampler(name, space=SPACE, seed=3))
    study.optimize(objective, n_trials=5)
    study.sampler = pickle.loads(pickle.dumps(study.sampler))  # noqa: S301 (made here)
    study.optimize(objective, n_trials=3)
    best = hb.maximize(score, SPACE, trials=8, seed=3, optimizer=name)
    assert settings(study) == list(best.trials[["x", "n"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("changed", [{"trials": 0}, {"trials": 2.5}, {"seed": -1}, {"seed": 1.5}])
def test_numbers_that_make_no_sense_are_refused_at_once(changed: Any) -> None:
    with pytest.raises(OptimizerError, match=f"{next(iter(changed))} must be an integer"):
        Sampler("random", space=SPACE, **changed)


def test_a_seed_may_be_as_large_as_for_maximize() -> None:
    study = optuna.create_study(sampler=Sampler("random", seed=2**40))
    study.optimize(objective, n_trials=2)


@pytest.mark.parametrize("name", ["gp-bo", "powell"])
def test_a_clock_that_is_set_back_hides_no_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    back = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - back

    for module in ("hpo_bench.optuna", "optuna.storages._in_memory"):
        monkeypatch.setattr(f"{module}.datetime", Clock)

    def study() -> optuna.Study:
        return optuna.create_study(direction="maximize", sampler=Sampler(name, space=SPACE, seed=0))

    expected, found = study(), study()
    expected.optimize(objective, n_trials=10)
    found.optimize(objective, n_trials=6)
    back = timedelta(hours=1)
    found.optimize(objective, n_trials=2)
    found.sampler = Sampler(name, space=SPACE, seed=0)  # as another process, which has what was stored alone
    found.optimize(objective, n_trials=2)
    assert settings(found) == settings(expected)


def test_studies_that_share_a_sampler_do_not_share_scores() -> None:
    shared = Sampler("gp-bo", space=SPACE, seed=0)
    directions = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    together = [optuna.create_study(direction=direction, sampler=shared) for direction in directions]
    for _ in range(7):
        for study in together:
            study.optimize(objective, n_trials=1)
    for direction, study in zip(directions, together, strict=True):
        alone = optuna.create_study(direction=direction, sampler=Sampler("gp-bo", space=SPACE, seed=0))
        alone.optimize(objective, n_trials=7)
        assert settings(study) == settings(alone)


def test_a_trial_of_others_that_calls_a_choice_by_a_name_of_the_space_is_no_point() -> None:
    study = optuna.create_study(direction="maximize", sampler=Sampler("gp-bo", space=SPACE, seed=0))
    for values in (("low", "high"), (True, False)):
        choice = optuna.distributions.CategoricalDistribution(values)
        params = {"x": values[0], "n": values[0]}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=dict.fromkeys(params, choice), value=9.0)
        )
    trials = [study.ask() for _ in range(2)]
    assert len({objective(trial) for trial in trials}) == 2
    assert study.sampler._replay is not None  # type: ignore[attr-defined]
    assert not study.sampler._replay._optimizer.known.any()  # type: ignore[attr-defined]
