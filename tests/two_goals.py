"""Merges without models that have two abilities, for tests of what must be kept: SYNTHETIC."""

from pathlib import Path
from typing import Any

import numpy as np
from tuning_toys import CATEGORIES, IDS, InlinePool, config, tuner

from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.loop import Tuner
from hpo_bench.tuning.outcome import baselines
from hpo_bench.tuning.race import Race
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Job, Success, TrialCost
from optimizers import Optimizer

KEEP = Keep("general", 10.0)
GENERAL = np.array([category == "general" for category in CATEGORIES])


def abilities(vl_weight: Any, exp_weight: Any) -> tuple[Any, Any]:
    """SYNTHETIC: skill grows with exp_weight, general ability falls with it; both are known exactly."""
    skill = 0.2 + 0.5 * exp_weight - 0.2 * (vl_weight - 0.7) ** 2
    return skill, 0.9 - 0.3 * exp_weight**2 - 0.1 * (vl_weight - 1.0) ** 2


def answers(setting: MergeSetting) -> Answers:
    """The same, example by example."""
    skill, general = abilities(setting.vl_weight, setting.exp_weight)
    return Answers(IDS, CATEGORIES, np.where(GENERAL, general, skill))


def success(job: Job) -> Success:
    return Success(
        dict.fromkeys(job.splits, answers(job.setting)), f"weights of {job.setting}", TrialCost(eval_seconds=1)
    )


def tune(folder: Path, pool: InlinePool, *, kind: type[Optimizer], trials: int, keep: Keep = KEEP) -> Tuner:
    store = TrialStore(folder, folder.name)
    known = store.config or store.begin(config(keep=keep, optimizer=kind.name, optimizer_version=kind.version))
    base = baselines.score(folder, [BASE], pool, Interrupt(), limit=60.0, splits=("validation",))
    race = Race.of(known, kind, budget=trials, goal=Goal(known.keep, base[BASE]["validation"]))
    made = tuner(store, race, trials=trials, pool=pool)
    made.run()
    return made
