"""A landscape as a task of CARP-S.

Benjamins, Graf, Segel et al., "carps: a framework for comparing N hyperparameter optimizers on M benchmarks" (2025).
What Hydra instantiates is here by name, so that a configuration file can say it; it needs the package `carps`.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from landscapes import catalogue
from landscapes.errors import LandscapeError, MissingPackageError
from landscapes.files import replacing
from landscapes.landscape import Landscape
from landscapes.terms import budget_for

try:
    from carps.objective_functions.objective_function import (  # pyright: ignore[reportMissingImports]
        ObjectiveFunction,
    )
    from carps.utils.task import (  # pyright: ignore[reportMissingImports]
        InputSpace,
        OptimizationResources,
        OutputSpace,
        Task,
        TaskMetadata,
        get_search_space_info,
    )
    from carps.utils.trials import TrialInfo, TrialValue  # pyright: ignore[reportMissingImports]
    from ConfigSpace import (  # pyright: ignore[reportMissingImports]
        ConfigurationSpace,
        UniformFloatHyperparameter,
        UniformIntegerHyperparameter,
    )
except ImportError as error:
    raise MissingPackageError(f"tasks of CARP-S need its package ({error}): pip install carps") from error


class LandscapeObjective(ObjectiveFunction):
    """The cost of a setting: its score, turned round, as CARP-S minimises.

    Args:
        landscape: The landscape, or its name, such as "ja-llama/ta".
        seed: Of the configuration space.
        loggers: CARP-S's.
        landscapes_dir: Where landscapes of your own lie.

    Raises:
        LandscapeError: If there is none of that name, or its files cannot be used.
    """

    def __init__(
        self,
        landscape: str | Landscape,
        *,
        seed: int | None = None,
        loggers: Sequence[Any] | None = None,
        landscapes_dir: str | Path | None = None,
    ) -> None:
        super().__init__(None if loggers is None else list(loggers))
        self.landscape = catalogue.given(landscape, root=landscapes_dir)
        self._configspace = configuration_space(self.landscape, seed=seed)

    @property
    def configspace(self) -> ConfigurationSpace:
        """The hyperparameters, in the order of the landscape."""
        return self._configspace

    @property
    def f_min(self) -> float:
        """The least cost: that of the landscape's certified optimum."""
        return -self.landscape.optimum.score

    def _evaluate(self, trial_info: TrialInfo) -> TrialValue:
        begun = time.time()
        setting = [trial_info.config[name] for name in self.landscape.space.names]
        cost = -float(self.landscape.score([setting])[0])
        ended = time.time()
        return TrialValue(cost=cost, time=ended - begun, starttime=begun, endtime=ended)


def configuration_space(
    landscape: str | Landscape, *, seed: int | None = None, landscapes_dir: str | Path | None = None
) -> ConfigurationSpace:
    """A landscape's hyperparameters, as ConfigSpace has them.

    Args:
        landscape: The landscape, or its name.
        seed: Of what is drawn from it.
        landscapes_dir: Where landscapes of your own lie.

    Raises:
        LandscapeError: If there is none of that name, or its files cannot be used.
    """
    found = catalogue.given(landscape, root=landscapes_dir)
    space = ConfigurationSpace(seed=seed)
    for one in found.space.parameters:
        if one.integer:
            axis = UniformIntegerHyperparameter(one.name, int(one.low), int(one.high), log=one.scale == "log")
        else:
            axis = UniformFloatHyperparameter(one.name, float(one.low), float(one.high), log=one.scale == "log")
        space.add(axis)
    return space


def task(
    landscape: str | Landscape,
    *,
    seed: int | None = None,
    trials: int | None = None,
    landscapes_dir: str | Path | None = None,
) -> Task:
    """A landscape as a task of CARP-S, for its optimisers.

    Args:
        landscape: The landscape, or its name, such as "ja-llama/ta".
        seed: Of the task.
        trials: Evaluations; by default 40 in two dimensions and 60 in three.
        landscapes_dir: Where landscapes of your own lie.

    Raises:
        LandscapeError: If there is none of that name, or its files cannot be used.

    Examples:
        >>> RandomSearchOptimizer(task("ja-llama/ta", seed=0)).run()  # doctest: +SKIP
    """
    objective = LandscapeObjective(landscape, seed=seed, landscapes_dir=landscapes_dir)
    found = objective.landscape
    return Task(
        name=f"hpo-bench/{found.name}",
        objective_function=objective,
        input_space=InputSpace(objective.configspace),
        output_space=OutputSpace(),
        optimization_resources=OptimizationResources(n_trials=trials or budget_for(found.space.dim)),
        metadata=TaskMetadata(**_about(objective.configspace)),
        seed=seed,
    )


def write_tasks(
    folder: str | Path, patterns: Sequence[str] = (), *, landscapes_dir: str | Path | None = None
) -> list[Path]:
    """Write configuration files by which CARP-S's own command runs its optimisers on landscapes.

    Args:
        folder: Where the files go, in `task/hpo_bench` below it: what `--config-dir` of `carps.run` is given.
        patterns: Landscapes, pairs or methods, with * and ?; all that ship by default.
        landscapes_dir: Where landscapes of your own lie.

    Returns:
        The files, one a landscape.

    Raises:
        LandscapeError: If a pattern means none, two landscapes would be one file, or the files cannot be written.
    """
    written = []
    found = catalogue.load_all(patterns, root=landscapes_dir)
    called = {one.name: one.name.replace("/", "_") for one in found}
    if twice := [name for name, file in called.items() if list(called.values()).count(file) > 1]:
        raise LandscapeError(f"{' and '.join(twice)} would be one file; export them into folders of their own")
    for landscape in found:
        what = {"landscape": landscape.name, "seed": "${seed}"}
        if landscapes_dir is not None:
            what["landscapes_dir"] = str(Path(landscapes_dir).resolve())
        here, carps = __name__, "carps.utils.task"
        content = {
            "benchmark_id": "hpo_bench",
            "task_id": "${task.name}",
            "task": {
                "_target_": f"{carps}.Task",
                "name": f"hpo-bench/{landscape.name}",
                "seed": "${seed}",
                "objective_function": {"_target_": f"{here}.{LandscapeObjective.__name__}", **what},
                "input_space": {
                    "_target_": f"{carps}.InputSpace",
                    "configuration_space": {"_target_": f"{here}.{configuration_space.__name__}", **what},
                },
                "output_space": {"_target_": f"{carps}.OutputSpace", "n_objectives": 1, "objectives": ["quality"]},
                "optimization_resources": {
                    "_target_": f"{carps}.OptimizationResources",
                    "n_trials": budget_for(landscape.space.dim),
                },
                "metadata": {"_target_": f"{carps}.TaskMetadata", **_about(configuration_space(landscape))},
            },
        }
        path = Path(folder) / "task" / "hpo_bench" / f"{called[landscape.name]}.yaml"
        with replacing(path) as temporary:
            temporary.write_text("# @package _global_\n" + yaml.safe_dump(content, sort_keys=False), "utf-8")
        written.append(path)
    return written


def _about(space: ConfigurationSpace) -> dict[str, Any]:
    return {
        "has_constraints": False,
        "domain": "model merging",
        "objective_function_approximation": "surrogate",
        "has_virtual_time": False,
        "deterministic": True,
        **get_search_space_info(space),
    }
