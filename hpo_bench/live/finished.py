"""Studies by name, to be looked at or exported."""

import difflib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hpo_bench.errors import LiveError, UsageError
from hpo_bench.live.config import StudyConfig
from hpo_bench.live.store import TrialStore
from hpo_bench.merging.pair import Pair
from hpo_bench.pairs import find_pair

FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a study was asked for.

    Attributes:
        pair: Name or path of the pair, as the user gave it; paths are absolute.
        pairs: Folder of built pairs.
        command: The command line, without passwords: reports and model cards show it.
        url: The Optuna storage, where it is not the file in the study's folder.
    """

    pair: str
    pairs: str
    command: tuple[str, ...]
    url: str | None = None

    def write(self, folder: Path) -> None:
        """Keep it in the study's folder, for its owner alone: a storage's URL may hold a password."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Origin":
        """What was kept.

        Raises:
            LiveError: If it is missing or damaged.
        """
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(**{**values, "command": tuple(values["command"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LiveError(
                f"{folder / FILE} cannot be read; give the command that tunes the study once more"
            ) from error

    def find(self) -> Pair:
        """The pair.

        Raises:
            UsageError: If it is not where it was.
        """
        return find_pair(self.pair, Path(self.pairs))


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
    def open(cls, name: str, studies: Path) -> "Study":
        """A study by its name, or by the path of its folder.

        Raises:
            UsageError: If there is none; the message names the nearest.
            LiveError: If it cannot be read.
        """
        folder = next((place for place in (studies / name, Path(name)) if (place / FILE).is_file()), None)
        if folder is None:
            known = sorted(place.parent.name for place in studies.glob(f"*/{FILE}"))
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"there is no study {name!r} in {studies}; {hint}there are: {', '.join(known) or 'none'}")
        origin = Origin.read(folder)
        store = TrialStore(folder, folder.resolve().name, url=origin.url)
        if store.config is None:
            raise LiveError(f"study {name!r} has no trial yet; tune it first")
        return cls(store, store.config, origin)
