"""How a study was asked for, kept beside it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.files import read_record, write_record
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.storage.url import VARIABLE, is_whole, opened, shown, sqlite_file
from hpo_bench.tuning.trial import writable

STUDIES = Path("tuning")
"""Where studies lie, each in a folder of its own, unless another place is named."""
FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Invocation:
    """How a study was asked for.

    Attributes:
        pair: Name or path of the pair, as the user gave it; paths are absolute.
        pairs: Folder of built pairs.
        command: The command line, without passwords: reports and model cards show it.
        url: The Optuna storage, where it is not the file in the study's folder; it is kept without what is secret.
        study: The study's name; that of its folder by default.

    Raises:
        UsageError: If pair or folder have a name that is no text, which no file keeps.
    """

    pair: str
    pairs: str
    command: tuple[str, ...]
    url: str | None = None
    study: str | None = None

    def __post_init__(self) -> None:
        for place in (self.pair, self.pairs):
            if writable(place) != place:
                raise UsageError(
                    f"{place} has bytes in its name that are no UTF-8, so that a study could not be found again by "
                    "what it keeps; rename it, or name a link to it"
                )

    def write(self, folder: Path) -> None:
        """Keep it in the study's folder, whole or not at all."""
        kept = replace(self, url=None if self.url is None else shown(self.url))
        write_record(folder / FILE, kept)

    @classmethod
    def read(cls, folder: Path) -> "Invocation":
        """What was kept.

        Raises:
            TuningError: If it is missing or damaged.
        """
        return read_record(
            folder / FILE, cls, wrong=TuningError, cure="give the command that tunes the study once more"
        )

    def find(self) -> Pair:
        """The pair.

        Raises:
            UsageError: If it is not where it was.
        """
        try:
            return find_pair(self.pair, Path(self.pairs))
        except UsageError as error:
            if not Path(self.pair).is_absolute() or Path(self.pair).exists():
                raise
            raise UsageError(f"the study's pair is no more at {self.pair}; say where it is with --pair") from error

    def storage(self) -> str | None:
        """The URL of the storage with all that opens it; None for the file in the study's folder.

        What was kept of it is enough, but where a password was left out, or an SQLite file has moved: then the
        environment variable `HPO_BENCH_STORAGE` says it.

        Raises:
            UsageError: If that is not set, or says what is no storage.
        """
        if self.url is None:
            return None
        told = os.environ.get(VARIABLE)
        secret = not is_whole(self.url)
        file = None if secret else sqlite_file(opened(self.url))
        if not secret and (file is None or file.exists() or not told):
            return self.url
        if not told:
            raise UsageError(
                f"the study is in {self.url}, whose password is not kept: put the whole URL into the environment "
                f"variable {VARIABLE}"
            )
        return opened(told)
