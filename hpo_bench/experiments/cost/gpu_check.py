"""Where the time of tuning a real-sized pair goes on a device, part by part, and how far a re-merge is from a copy.

SYNTHETIC: weights are random, in the shapes of Qwen2.5-VL-7B (or tiny), so that answers say nothing and always have the
longest length.
"""

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import gib
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.experiments.cost import merge
from hpo_bench.experiments.cost.subjects import Subject
from hpo_bench.experiments.cost.vlm import write_pair
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting

TRIALS, QUESTIONS, TOKENS = 5, 16, 16
METHODS = ("ta", "dare", "ties")


def check(
    shape: str,
    device: str,
    *,
    seconds: float,
    least: int,
    questions: int = QUESTIONS,
    tokens: int = TOKENS,
    told: Callable[[str], None] = lambda _: None,
) -> TextTable:
    """Measure loading, self-test, trials with generation, and re-merges beside a copy of the same bytes.

    Args:
        shape: Of the models; see `vlm.SHAPES`.
        device: "cpu", "cuda", "cuda:1", ...
        seconds: A contender of the re-merges stops after so many.
        least: Repeats of those at least.
        questions: Asked in every trial.
        tokens: Generated for each.
        told: Called with what is being done.

    Returns:
        A row a part, with seconds, and what stands beside them.

    Raises:
        MergeError: If memory or disk do not suffice.
    """
    cuda = torch.device(device).type == "cuda"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        with _timed(rows, "three models drawn and written", cuda, told):
            pair = write_pair(Path(folder), shape, device=device, questions=questions, tokens=tokens)
        _forget(cuda)
        with _timed(rows, "loaded, one after the other", cuda, told):
            loaded = LoadedPair.load(pair, device=device)
        evaluator, engine = open_evaluator(pair, loaded), Resident(loaded)
        with _timed(rows, "self-test of the re-merge", cuda, told):
            engine.self_test()
        merging, asking = [], []
        for trial in range(TRIALS):
            told(f"trial {trial + 1} of {TRIALS}")
            begin = _now(cuda)
            engine.merge(MergeSetting("ta", 0.4 + 0.1 * trial, 0.9 - 0.1 * trial))
            merging.append(-begin + (begin := _now(cuda)))
            evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
            asking.append(_now(cuda) - begin)
        rows += [
            _row("a trial: re-merge", merging, f"the first {merging[0]:.3g}"),
            _row("a trial: answers", asking, f"{questions} questions of one picture, {tokens} tokens each"),
        ]
        peak = torch.cuda.max_memory_allocated(device) if cuda else _resident_set()
        rows.append(Row("peak memory", (gib(peak), f"weights {gib(_bytes(loaded))}")))
        subject = Subject(f"synthetic Qwen2.5-VL, {shape}", loaded, None)
        contenders = [merge.COPY, merge.COMPILED if cuda else merge.RESIDENT]
        clock: merge.Clock = "cuda" if cuda else "wall"
        timings = list(
            merge.measure(subject, METHODS, contenders, seconds=seconds, least=least, clock=clock, told=told)
        )
    copies = {one.method: one.median for one in timings if one.contender == merge.COPY}
    for one in timings:
        if one.contender != merge.COPY:
            first = f"; once {one.first:.3g}" if one.first is not None else ""
            rows.append(
                _row(f"re-merge, {one.method}", one.seconds, f"× copy {one.median / copies[one.method]:.2f}{first}")
            )
    rows.append(_row("memory copy of the same bytes", [*copies.values()], "two models read, two written"))
    return TextTable((f"synthetic Qwen2.5-VL, {shape}, {_named(device)}", "seconds", ""), tuple(rows), words=1)


@contextmanager
def _timed(rows: list[Row], what: str, cuda: bool, told: Callable[[str], None]) -> Iterator[None]:
    told(what)
    begin = _now(cuda)
    yield
    rows.append(Row(what, (f"{_now(cuda) - begin:.3g}", "")))


def _row(what: str, seconds: "list[float] | tuple[float, ...]", beside: str) -> Row:
    low, high = min(seconds), max(seconds)
    return Row(what, (f"{statistics.median(seconds):.3g} ({low:.3g} to {high:.3g})", beside))


def _now(cuda: bool) -> float:
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def _forget(cuda: bool) -> None:
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _bytes(loaded: LoadedPair) -> int:
    states = (loaded.base, loaded.tuned, loaded.expert, dict(loaded.vlm.named_parameters()))
    return sum(tensor.nbytes for state in states for tensor in state.values())


def _resident_set() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _named(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
