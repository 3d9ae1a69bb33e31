"""A tuning study by its name: what was tried, what came of it, and what to do with that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hpo_bench.display.words import counted
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.merging.find import as_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import FILE, STUDIES, Invocation
from hpo_bench.tuning.outcome.export import Exported, export
from hpo_bench.tuning.outcome.page import write_report
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.tables import trials_frame
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial
from surrogates.spelling import did_you_mean


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """A tuning study, to be looked at; `hpo_bench.tune` goes on with it.

    Trials are read anew each time, so that a study can be watched while another process tunes it.

        study = hpo_bench.load_study("demo")
        study.to_frame().plot("vl_weight", "score", kind="scatter")
        study.export("merged")

    Attributes:
        store: Its trials, and the answers to each example.
        config: What it was begun with.
        pair: What is merged; None to look it up where the study was begun.
    """

    store: TrialStore
    config: StudyConfig
    pair: Pair | None = None

    @classmethod
    def open(cls, name: str | Path, studies: str | Path = STUDIES, *, pair: Pair | str | Path | None = None) -> "Study":
        """Open a study by its name, or by the path of its folder; it is read, and nothing is made in it.

        Args:
            name: The name, or the path.
            studies: The folder in which studies lie.
            pair: Its pair, or name or path of it, where that has moved.

        Raises:
            UsageError: If there is no such study (the message names the nearest) or no such pair.
            TuningError: If it cannot be read, or has no trial yet.
        """
        name, studies = str(name), Path(studies)
        places = (studies / name, Path(name)) if name.strip() else ()
        folder = next((place for place in places if (place / FILE).is_file()), None)
        if folder is None:
            known = sorted(place.parent.name for place in studies.glob(f"*/{FILE}"))
            hint = did_you_mean(name, known)
            raise UsageError(f"there is no study {name!r} in {studies}; {hint}there are: {', '.join(known) or 'none'}")
        invocation = Invocation.read(folder)
        if pair is not None:
            pair = as_pair(pair, Path(invocation.pairs))
        store = TrialStore(folder, invocation.study or folder.resolve().name, url=invocation.storage(), existing=True)
        if store.config is None:
            raise TuningError(f"study {name!r} has no trial yet; tune it first")
        return cls(store, store.config, pair)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.store.name

    @property
    def folder(self) -> Path:
        """Where answers, logs and the result are."""
        return self.store.folder

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials in the order in which they were proposed, running and failed ones included.

        Raises:
            TuningError: If they cannot be read.
        """
        return self.store.trials()

    @property
    def result(self) -> TuningResult | None:
        """What came of it, scored by cross-fitting or on test examples; None before its budget is spent.

        Raises:
            TuningError: If the file that holds it is damaged.
        """
        return TuningResult.read(self.folder)

    def to_frame(self) -> pd.DataFrame:
        """Tabulate the trials.

        Returns:
            One row a trial, its number as the index: state, method, the hyperparameters (NaN where the method has none
            of the name), score (from 0 to 1, on validation examples) and its standard error, seconds, dollars, and what
            went wrong. Where an ability must be kept, also the score on its category and the margin left.

        Raises:
            TuningError: If the trials cannot be read.
        """
        return trials_frame(self.trials, keep=self.config.keep is not None)

    def export(
        self,
        out: str | Path | None = None,
        *,
        trial: int | None = None,
        device: str = "cpu",
        trust_remote_code: bool = False,
    ) -> Exported:
        """Write the recommended merge as a Hugging Face folder with a model card, load it again and compare answers.

        Args:
            out: The folder, which must not exist yet or be empty; by default `export` in the study's own.
            trial: Number of another trial to export.
            device: Where it is merged and checked.
            trust_remote_code: Whether code that comes with the VLM may run.

        Returns:
            How many of the recorded answers the exported model gives again, and whether rounding explains the others.

        Raises:
            TuningError: If the study has no result yet, the trial did not complete, or the pair's files have changed.
            UsageError: If the pair cannot be found or the folder is taken.
            MergeError: If the merge cannot be made or written.
        """
        folder = self.folder / "export" if out is None else Path(out)
        return export(
            self.store, folder, pair=self.pair, trial=trial, device=device, trust_remote_code=trust_remote_code
        )

    def write_report(self) -> Path:
        """Write `report.html` into the study's folder: scores, the way there, near-optimal settings, before and after.

        Raises:
            TuningError: If the study has no result yet, or its answers cannot be read.
        """
        return write_report(self.store)

    def __repr__(self) -> str:
        trials = self.trials
        best = max((trial.score for trial in trials if trial.score is not None and trial.feasible), default=None)
        told = "" if best is None else f", highest score {best:.3f}"
        return f"<Study {self.name!r} of {self.config.pair}: {counted(len(trials), 'trial')}{told}>"
