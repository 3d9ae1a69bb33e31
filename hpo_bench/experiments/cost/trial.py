"""What a trial takes with the pair kept in memory, against merges that mergekit writes to disk, in one run."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hpo_bench.display.table import Row, TextTable
from hpo_bench.evaluation.base import Evaluator, checked
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.experiments.cost.on_disk import content_of, processor_seconds, run_command, run_merge
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.graft import extract, write_grafted
from hpo_bench.tuning.space import MergeSpace

RESIDENT = "resident"
READ_BACK = "mergekit, weights read back"
ANEW = "mergekit, VLM loaded anew"
COMMAND = "mergekit-yaml, VLM loaded anew"
ROUTES = {
    RESIDENT: "base, VLM and expert stay in memory, and the live VLM is merged in place",
    READ_BACK: "mergekit's run_merge, in this process, writes the language backbone; its weights are read back into a "
    "live VLM that stays in memory, with what it made of the pictures",
    ANEW: "run_merge writes the backbone, it is grafted onto a copy of the VLM on disk, and that is loaded and asked",
    COMMAND: "the same, the backbone written by the command mergekit-yaml, which imports torch and mergekit each time",
}
Clock = Literal["wall", "processor"]
CLOCKS: tuple[Clock, ...] = ("wall", "processor")
Part = Literal["merge", "evaluation", "trial"]
PARTS: tuple[Part, ...] = ("merge", "evaluation", "trial")


@dataclass(frozen=True, slots=True)
class Seconds:
    """What one trial took by both clocks; the processor's seconds include those of processes it started.

    Attributes:
        merge: Until the merged model could be asked.
        evaluation: Until all validation examples were answered.
    """

    merge: dict[Clock, float]
    evaluation: dict[Clock, float]

    def trial(self, clock: Clock) -> float:
        """Both together."""
        return self.merge[clock] + self.evaluation[clock]


@dataclass(frozen=True, slots=True)
class TrialTiming:
    """Trials of one method by one route.

    Attributes:
        method: "ta", "dare" or "ties".
        route: A key of `ROUTES`.
        seconds: Trial by trial, without the first, which is not counted.
        unlike: How many validation answers, of all trials, differ from the resident merge's at the same setting. Task
            Arithmetic's weights are the same bits until a copy on disk rounds them to the type in which the VLM is
            stored; DARE's masks are others, and TIES differs in entries that tie.
        answers: How many answers there were.
    """

    method: str
    route: str
    seconds: tuple[Seconds, ...]
    unlike: int
    answers: int

    def median(self, part: Part, clock: Clock) -> float:
        """Median seconds of a part."""
        taken = [one.trial(clock) if part == "trial" else getattr(one, part)[clock] for one in self.seconds]
        return statistics.median(taken)


def measure(
    pair: Pair, methods: Sequence[str], *, trials: int, told: Callable[[str], None] = lambda _: None
) -> Iterator[TrialTiming]:
    """Time trials by all routes in turns, so that whatever else the machine does falls on all of them.

    Each turn is at a setting of its own, drawn from `tune`'s box with a fixed seed. The first turn is not counted.

    Args:
        pair: Whose merges, and whose questions.
        methods: "ta", "dare", "ties".
        trials: How many to count.
        told: Called with what is being timed.

    Raises:
        MergeError: If the pair cannot be loaded, or mergekit fails.
        EvaluationError: If the examples cannot be answered.
    """
    with tempfile.TemporaryDirectory() as scratch:
        routes = _Routes.open(pair, Path(scratch))
        for method in methods:
            space, rng = MergeSpace(method), np.random.default_rng(0)
            taken: dict[str, list[Seconds]] = {route: [] for route in ROUTES}
            unlike = dict.fromkeys(ROUTES, 0)
            answers = 0
            for turn in range(trials + 1):
                setting = space.setting(rng.random(space.dim))
                expected: NDArray[np.float64] | None = None
                for route in ROUTES:
                    told(f"{method}, {route}, {turn} of {trials}")
                    seconds, scores = routes.trial(route, setting)
                    expected = scores if expected is None else expected
                    if turn:
                        taken[route].append(seconds)
                        unlike[route] += int((scores != expected).sum())
                answers += len(expected) if turn and expected is not None else 0
            for route in ROUTES:
                yield TrialTiming(method, route, tuple(taken[route]), unlike[route], answers)


@dataclass(frozen=True, slots=True, eq=False)
class _Routes:
    """A pair in memory and on disk.

    Attributes:
        alignment: Of the pair.
        loaded: In memory, for the resident engine.
        engine: That.
        kept: For models that stay in memory: it keeps what they make of the pictures.
        fresh: For models that are loaded anew.
        parts: Folder of the three plain language models.
        scratch: Where merges are written.
    """

    alignment: Alignment
    loaded: LoadedPair
    engine: Resident
    kept: Evaluator
    fresh: Evaluator
    parts: Path
    scratch: Path

    @classmethod
    def open(cls, pair: Pair, scratch: Path) -> "_Routes":
        loaded, alignment = LoadedPair.load(pair), Alignment.of(pair)
        parts = extract(alignment, scratch / "parts")
        evaluators = open_evaluator(pair, loaded), open_evaluator(pair, loaded)
        return cls(alignment, loaded, Resident(loaded), *evaluators, parts, scratch)

    def trial(self, route: str, setting: MergeSetting) -> tuple[Seconds, NDArray[np.float64]]:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            start = _now()
            model, evaluator = self._merged(route, setting, Path(folder))
            merged = _now()
            examples = evaluator.examples("validation")
            scores = checked(evaluator.evaluate(model, examples), examples).scores
            answered = _now()
        return Seconds(_between(start, merged), _between(merged, answered)), scores

    def _merged(self, route: str, setting: MergeSetting, folder: Path) -> tuple[Any, Evaluator]:
        if route == RESIDENT:
            self.engine.merge(setting)
            return self.loaded.vlm, self.kept
        run = run_command if route == COMMAND else run_merge
        language = Checkpoint.open(run(content_of(setting, self.loaded, self.parts), folder))
        if route == READ_BACK:
            self.loaded.write_language({name: language.tensor(name) for name in self.alignment.merged})
            return self.loaded.vlm, self.kept
        write_grafted(self.alignment, language.tensor, folder / "vlm")
        return _load(folder / "vlm", self.loaded), self.fresh


def _load(folder: Path, like: LoadedPair) -> Any:
    vlm: Any = type(like.vlm).from_pretrained(
        folder, dtype=next(iter(like.vlm.parameters())).dtype, use_safetensors=True, local_files_only=True
    )
    return vlm.eval()


def _now() -> dict[Clock, float]:
    return {"wall": time.perf_counter(), "processor": processor_seconds()}


def _between(start: dict[Clock, float], end: dict[Clock, float]) -> dict[Clock, float]:
    return {clock: end[clock] - start[clock] for clock in CLOCKS}


def table(timings: Sequence[TrialTiming], clock: Clock) -> TextTable:
    """Medians by one of `CLOCKS`, of every route beside the resident engine's."""
    resident = {timing.method: timing for timing in timings if timing.route == RESIDENT}
    rows, before = [], None
    for timing in timings:
        merge, evaluation, whole = (timing.median(part, clock) for part in PARTS)
        own = resident[timing.method]
        cells = (
            timing.route, f"{merge:.3f}", f"{evaluation:.2f}", f"{whole:.2f}",
            f"{merge / own.median('merge', clock):.1f}", f"{whole / own.median('trial', clock):.1f}",
        )  # fmt: skip
        rows.append(Row(timing.method, cells, apart=timing.method != before))
        before = timing.method
    heads = ("method", "route", "merge, s", "evaluation, s", "trial, s", "merge × resident", "trial × resident")
    return TextTable(heads, tuple(rows), words=2)


def as_json(pair: str, timings: Sequence[TrialTiming]) -> str:
    """All timings, in seconds, as JSON text."""
    content = {
        "pair": pair,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "routes": ROUTES,
        "timings": [asdict(timing) for timing in timings],
    }
    return json.dumps(content, indent=1)
