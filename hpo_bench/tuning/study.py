"""Studies by name, to be looked at or exported."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hpo_bench.errors import LiveError, UsageError
from hpo_bench.files import read_record, write
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.storage import TrialStore
from hpo_bench.tuning.storage_url import VARIABLE, is_whole, opened, shown, sqlite_file
from surrogates.nearest import did_you_mean

FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a study was asked for.

    Attributes:
        pair: Name or path of the pair, as the user gave it; paths are absolute.
        pairs: Folder of built pairs.
        command: The command line, without passwords: reports and model cards show it.
        url: The Optuna storage, where it is not the file in the study's folder; it is kept without what is secret.
        study: The study's name; that of its folder by default.
    """

    pair: str
    pairs: str
    command: tuple[str, ...]
    url: str | None = None
    study: str | None = None

    def write(self, folder: Path) -> None:
        """Keep it in the study's folder, whole or not at all."""
        kept = replace(self, url=None if self.url is None else shown(self.url))
        text = json.dumps(asdict(kept), indent=2) + "\n"
        write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def read(cls, folder: Path) -> "Origin":
        """What was kept.

        Raises:
            LiveError: If it is missing or damaged.
        """
        return read_record(folder / FILE, cls, wrong=LiveError, cure="give the command that tunes the study once more")

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


@dataclass(frozen=True, slots=True)
class Study:
    """A study that was begun.

    Attributes:
        store: Its trials.
        config: What it was begun with.
        origin: How it was asked for.
    """

    store: TrialStore
    config: StudyConfig
    origin: Origin

    @classmethod
    def open(cls, name: str, studies: Path, *, pair: str | None = None) -> "Study":
        """A study by its name, or by the path of its folder; it is read, and nothing is made in it.

        Args:
            name: The name, or the path.
            studies: The folder in which studies lie.
            pair: Name or path of its pair, where that has moved.

        Raises:
            UsageError: If there is none; the message names the nearest.
            LiveError: If it cannot be read.
        """
        places = (studies / name, Path(name)) if name.strip() else ()
        folder = next((place for place in places if (place / FILE).is_file()), None)
        if folder is None:
            known = sorted(place.parent.name for place in studies.glob(f"*/{FILE}"))
            hint = did_you_mean(name, known)
            raise UsageError(f"there is no study {name!r} in {studies}; {hint}there are: {', '.join(known) or 'none'}")
        origin = Origin.read(folder)
        if pair is not None:
            origin = replace(origin, pair=pair)
        store = TrialStore(folder, origin.study or folder.resolve().name, url=origin.storage(), existing=True)
        if store.config is None:
            raise LiveError(f"study {name!r} has no trial yet; tune it first")
        return cls(store, store.config, origin)
