"""What a study pays for beside its trials, on disk as soon as it is paid."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from hpo_bench.errors import TuningError
from hpo_bench.files import read_record, write_record
from hpo_bench.tuning.trial import TrialCost

FILE = "expenses.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expenses:
    """What was paid for beside the trials of a study.

    Attributes:
        asked: The base VLM's questions before the first trial, and the timed trial.
        scored: What is scored to compare with, such as the base VLM, and answers that are shown at the end.
    """

    asked: TrialCost = field(default_factory=TrialCost)
    scored: TrialCost = field(default_factory=TrialCost)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What a study's folder tells; nothing where there is no file, as in studies of before.

        Raises:
            TuningError: If the file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls()
        return read_record(path, cls, wrong=TuningError, cure="delete it, and what it counted is forgotten", whole=True)


NOTHING = Expenses()


def pay(folder: Path, what: Literal["asked", "scored"], cost: TrialCost) -> None:
    """Add to what a study has paid for.

    Raises:
        TuningError: If the file is damaged.
        ResultsError: If it cannot be written.
    """
    before = Expenses.read(folder)
    write_record(folder / FILE, replace(before, **{what: getattr(before, what) + cost}))
