"""How long a re-merge takes, beside mergekit and beside a memory copy of the same bytes, measured in one run."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import MergeError
from hpo_bench.experiments.cost.on_disk import content_of, run_command, run_merge
from hpo_bench.experiments.cost.subjects import Subject
from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods import registry
from hpo_bench.merging.setting import MergeSetting

COPY = "memory copy"
RESIDENT = "resident"
COMPILED = "resident, compiled"
IN_PROCESS = "mergekit, in process"
RUN_MERGE = "mergekit, run_merge"
COMMAND = "mergekit-yaml"
LEAST = 3
"""Repeats at least."""


@dataclass(frozen=True, slots=True)
class MergeTiming:
    """Seconds of one contender at one method on one subject.

    Attributes:
        subject: What was merged.
        parameters: How many.
        method: "ta", "dare" or "ties".
        contender: `COPY`, `RESIDENT` or another of these.
        seconds: Repeat by repeat.
        first: Of the repeat that is not counted, with what is done once (thresholds, norms, compilation); None of
            contenders that keep nothing in memory.
    """

    subject: str
    parameters: int
    method: str
    contender: str
    seconds: tuple[float, ...]
    first: float | None

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile; of fewer than four repeats, least and most."""
        if len(self.seconds) < 4:
            return min(self.seconds), max(self.seconds)
        first, _, third = statistics.quantiles(self.seconds, n=4)
        return first, third


def measure(
    subject: Subject,
    methods: Sequence[str],
    contenders: Sequence[str],
    *,
    seconds: float,
    least: int = LEAST,
    most: int = 25,
    on_gpu: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[MergeTiming]:
    """Time contenders in turns, so that whatever else the machine does falls on all of them.

    Every repeat is at another setting, as an optimiser would ask for it. Each contender has one repeat that is not
    counted, but for mergekit on disk and by command, which keep nothing in memory between merges.

    Args:
        subject: What is merged.
        methods: "ta", "dare", "ties".
        contenders: Some of `COPY`, `RESIDENT` and the like.
        seconds: A contender stops after the repeat in which its sum reaches this.
        least: Repeats at least.
        most: Repeats at most.
        on_gpu: Whether the models are on a GPU, whose own events tell the time there.
        told: Called with what is being timed.

    Raises:
        MergeError: If mergekit fails, or Task Arithmetic is not bit for bit mergekit's.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Path(folder)
        if {RUN_MERGE, COMMAND} & {*contenders}:
            told(f"{subject.label}: writing checkpoints")
            _write_checkpoints(subject, checkpoints)
        for method in methods:
            runs = {name: _contender(name, subject, checkpoints) for name in contenders}
            taken: dict[str, list[float]] = {name: [] for name in contenders}
            first: dict[str, float] = {}
            for name in contenders:
                if name not in (RUN_MERGE, COMMAND):
                    told(f"{subject.label}: {method}, {name}, warming up")
                    first[name] = _time(runs[name], _setting(method, most), on_gpu)
            if not registry.get(method).mergekit_note and {RESIDENT, IN_PROCESS} <= {*contenders}:
                _check_equal(subject, runs[RESIDENT])
            for turn in range(most):
                setting = _setting(method, turn)
                for name in contenders:
                    if turn < least or sum(taken[name]) < seconds:
                        told(f"{subject.label}: {method}, {name}, {turn + 1}")
                        taken[name].append(_time(runs[name], setting, on_gpu))
            for name in contenders:
                yield MergeTiming(subject.label, subject.parameters, method, name, tuple(taken[name]), first.get(name))


def _setting(method: str, turn: int) -> MergeSetting:
    drawn = {"vl_weight": 0.3 + 0.02 * turn, "exp_weight": 0.9 - 0.02 * turn, "density": 0.2 + 0.6 * (turn * 0.618 % 1)}
    return MergeSetting(method, **{one.name: drawn[one.name] for one in registry.get(method).hyperparameters})


def _time(run: Callable[[MergeSetting], object], setting: MergeSetting, on_gpu: bool) -> float:
    if on_gpu:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run(setting)
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1000
    start = time.perf_counter()
    run(setting)
    return time.perf_counter() - start


def _contender(name: str, subject: Subject, checkpoints: Path) -> Callable[[MergeSetting], object]:
    loaded = subject.loaded
    if name == COPY:
        return _copy(loaded)
    if name in (RESIDENT, COMPILED):
        return Resident(loaded, compiled=name == COMPILED).merge
    if name == IN_PROCESS:
        return lambda setting: mergekit.merge(loaded, setting, mask_seed=0)
    run = run_merge if name == RUN_MERGE else run_command

    def on_disk(setting: MergeSetting) -> None:
        with tempfile.TemporaryDirectory(dir=checkpoints) as scratch:
            run(content_of(setting, loaded, checkpoints), Path(scratch))

    return on_disk


def _copy(loaded: LoadedPair) -> Callable[[MergeSetting], None]:
    """Moves what a merge moves, and does nothing else: reads two models' worth and writes two."""
    live = loaded.read_language()
    moves = [(live[name].detach(), weights[name]) for weights in (loaded.base, loaded.expert) for name in live]

    def copy(_setting: MergeSetting) -> None:
        for target, source in moves:
            target.copy_(source)

    return copy


def _check_equal(subject: Subject, resident: Callable[[MergeSetting], object]) -> None:
    setting = _setting("ta", 0)
    expected = mergekit.merge(subject.loaded, setting, mask_seed=0)
    resident(setting)
    for name, tensor in subject.loaded.read_language().items():
        if not torch.equal(tensor, expected[name]):
            raise MergeError(f"{subject.label}: {name} is not what mergekit makes of it; its speed means nothing")


def _write_checkpoints(subject: Subject, folder: Path) -> None:
    from safetensors.torch import save_file

    loaded = subject.loaded
    for role, weights in (("base", loaded.base), ("vlm", loaded.tuned), ("expert", loaded.expert)):
        (folder / role).mkdir()
        subject.config.save_pretrained(folder / role)
        tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
        save_file(tensors, folder / role / "model.safetensors", metadata={"format": "pt"})


def table(timings: Sequence[MergeTiming]) -> TextTable:
    """Medians, and how often the memory copy's and the resident engine's they are."""
    by_key = {(timing.subject, timing.method, timing.contender): timing.median for timing in timings}
    rows, before = [], None
    for timing in timings:
        group = (timing.subject, timing.method)
        resident = by_key.get((*group, RESIDENT)) or by_key[(*group, COMPILED)]
        low, high = (1e3 * quartile for quartile in timing.quartiles)
        cells = (
            timing.method,
            timing.contender,
            f"{1e3 * timing.median:.4g} ({low:.4g} to {high:.4g})",
            f"{timing.median / by_key[(*group, COPY)]:.2f}",
            f"{timing.median / resident:.2f}",
        )
        rows.append(Row(f"{timing.subject} ({timing.parameters / 1e6:.3g}M)", cells, apart=group != before))
        before = group
    heads = ("weights", "method", "contender", "median (quartiles), ms", "× memory copy", "× resident")
    return TextTable(heads, tuple(rows), words=3)


def as_json(timings: Sequence[MergeTiming]) -> str:
    """All timings, in seconds, as JSON text."""
    rows = [{**asdict(timing), "median": timing.median, "quartiles": timing.quartiles} for timing in timings]
    return json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "timings": rows}, indent=1)
