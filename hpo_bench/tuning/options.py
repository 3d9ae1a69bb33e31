"""How a study is run, and for how much."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.registry import may_charge
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.budget import Budget, check_timeout
from hpo_bench.tuning.closing import TAKEN, closing_of
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import STUDIES
from hpo_bench.tuning.storage.url import VARIABLE, opened

MOST_TRIALS = 1000
"""Where only money or time limits a study."""
NEEDS_PRICE = (
    "--dollars needs --price, the dollars that an hour of the device costs: nothing else costs any here, or a judge "
    "had been paid before for all that was timed"
)
PATIENCE = 5
"""So many failures in a row end the tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a study is run, and for how much; none of it decides which trials are made, and all of it may change.

    The attributes are the arguments of `hpo_bench.tune` of these names. Where no `storage` is named it is that of the
    environment variable `HPO_BENCH_STORAGE`, if that is set.

    Raises:
        UsageError: If one makes no sense.
    """

    trials: int | None = None
    gpu_hours: float | None = None
    dollars: float | None = None
    price: float = 0.0
    until: float | None = None
    study: str | None = None
    studies: Path = STUDIES
    storage: str | None = None
    workers: int = 1
    ray_address: str | None = None
    device: str | None = None
    threads: int = 1
    timeout: float | None = None
    patience: int = PATIENCE
    trust_remote_code: bool = False
    beside: Mapping[str, MergeSetting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.storage is None and (told := os.environ.get(VARIABLE)):
            object.__setattr__(self, "storage", told)
        if self.storage is not None:
            opened(self.storage)
        check_timeout(self.timeout)
        for what, count in (("trials", self.trials), ("workers", self.workers), ("threads", self.threads)):
            if count is not None and count < 1:
                raise UsageError(f"at least one of --{what} is needed, not {count}")
        for name, setting in self.beside.items():
            if name in TAKEN:
                raise UsageError(f"a further merge cannot be called {name!r}, as one of every result is; rename it")
            if not isinstance(setting, MergeSetting):
                raise UsageError(
                    f"a further merge is a MergeSetting, such as MergeSetting('ta', 0.5, 0.5), not {setting!r}"
                )
        if self.patience < 1:
            raise UsageError(f"--patience must be at least 1, not {self.patience}")

    def name(self, config: StudyConfig) -> str:
        """The study's name.

        Raises:
            UsageError: If it is none for a folder.
        """
        name = config.default_name if self.study is None else self.study
        if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
            raise UsageError(
                f"a study's name is letters, digits, '-', '_' and '.', not {name!r}; give one with --study"
            )
        return name

    def folder(self, config: StudyConfig) -> Path:
        """The study's folder."""
        return self.studies / self.name(config)

    def budget(self, config: StudyConfig) -> Budget:
        """The budget.

        Raises:
            UsageError: If a limit makes no sense, or nothing costs money that should not be spent.
        """
        limited = self.gpu_hours is not None or self.dollars is not None
        default = config.trials or (MOST_TRIALS if limited else config.usual_trials)
        if self.dollars is not None and self.price == 0 and not may_charge(config.evaluation):
            raise UsageError(NEEDS_PRICE)
        return Budget(
            trials=self.trials or default, hours=self.gpu_hours, dollars=self.dollars, price=self.price,
            until=self.until, closing=closing_of(config, len(self.beside)) if config.all_counted else None,
            reckoned=config.reckoned,
        )  # fmt: skip
