"""Where the time of tuning a real-sized pair goes on a device, part by part, and how far a re-merge is from a copy.

SYNTHETIC: weights are random, in the shapes of Qwen2.5-VL-7B (or tiny), so that answers say nothing and always have the
longest length.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from hpo_bench.display.table import Row
from hpo_bench.display.words import first_line, gib
from hpo_bench.errors import HpoBenchError
from hpo_bench.evaluation.decoding.greedy import decode
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.serving.evaluator import VllmEvaluator
from hpo_bench.experiments.cost import merge
from hpo_bench.experiments.cost.subjects import Subject
from hpo_bench.experiments.cost.vlm import write_pair
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.planning.forecast import peak_memory

TRIALS, QUESTIONS, TOKENS = 5, 16, 16
METHODS = ("ta", "dare", "ties")


def columns(shape: str, device: str) -> tuple[str, str, str]:
    """Heads of the table that `check` gives rows of."""
    return f"synthetic Qwen2.5-VL, {shape}, {_named(device)}", "seconds", ""


def check(
    shape: str,
    device: str,
    *,
    seconds: float,
    least: int = merge.LEAST,
    questions: int = QUESTIONS,
    tokens: int = TOKENS,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[Row]:
    """Measure loading, self-test, trials with generation, re-merges beside a copy of the same bytes, and vLLM.

    Args:
        shape: Of the models; see `vlm.SHAPES`.
        device: "cpu", "cuda", "cuda:1", ...
        seconds: A contender of the re-merges stops after so many.
        least: Repeats of those at least.
        questions: Asked in every trial.
        tokens: Generated for each.
        told: Called with what is being done.

    Yields:
        A row a part, as soon as it is measured, with seconds, and what stands beside them.

    Raises:
        MergeError: If memory or disk do not suffice.
    """
    disable_progress_bar()
    cuda = torch.device(device).type == "cuda"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        with _timed(rows, "three models drawn and written", cuda, told):
            pair = write_pair(Path(folder), shape, device=device, questions=questions, tokens=tokens)
        _forget(cuda)
        with _timed(rows, "loaded, one after the other", cuda, told):
            loaded = LoadedPair.load(pair, device=device)
        yield from rows
        rows.clear()
        evaluator, engine = open_evaluator(pair, loaded), Resident(loaded)
        with _timed(rows, "self-test of the re-merge", cuda, told):
            engine.self_test()
        yield from rows
        merging, asking = [], []
        for trial, setting in enumerate(_settings()):
            told(f"trial {trial + 1} of {TRIALS}")
            begin = _now(cuda)
            engine.merge(setting)
            merging.append(-begin + (begin := _now(cuda)))
            _answer(loaded.vlm, evaluator, tokens)
            asking.append(_now(cuda) - begin)
        asked = f"{questions} questions of one picture, {tokens} tokens each"
        yield _row("a trial: re-merge", merging, f"the first {merging[0]:.3g}")
        yield _row("a trial: answers", asking, f"{asked}: {_speed(questions * tokens, asking)}")
        yield Row("peak memory", (gib(peak_memory(device)), f"weights {gib(_bytes(loaded))}"))
        yield from _merges(Subject(f"synthetic Qwen2.5-VL, {shape}", loaded, None), cuda, seconds, least, told)
        _forget(cuda)
        try:
            yield from _served(pair, loaded, engine, tokens, cuda, told)
        except HpoBenchError as error:  # none here, or no memory for it: the rest stands
            yield Row("vLLM", ("", first_line(error)))


def _answer(model: Any, evaluator: Any, tokens: int) -> None:
    """Answers of `local`, pictures looked at once; to the last token, where those of random weights go astray."""
    asks: Generation = evaluator._scorer
    examples = evaluator.examples("validation")
    with torch.inference_mode():
        seen = asks._looked.prompts(model, examples, asks.batch_size)
        if seen is None:
            raise TypeError("what this decoder is handed cannot be kept")
        for start in range(0, len(seen), asks.batch_size):
            decode(model, seen[start : start + asks.batch_size], most=tokens, ends=(), padding=0, over=())


def _merges(subject: Subject, cuda: bool, seconds: float, least: int, told: Callable[[str], None]) -> Iterator[Row]:
    contenders = [merge.COPY, merge.COMPILED if cuda else merge.RESIDENT]
    timings = list(merge.measure(subject, METHODS, contenders, seconds=seconds, least=least, on_gpu=cuda, told=told))
    copies = {one.method: one.median for one in timings if one.contender == merge.COPY}
    for one in timings:
        if one.contender != merge.COPY:
            first = f"; once {one.first:.3g}" if one.first is not None else ""
            beside = f"× copy {one.median / copies[one.method]:.2f}{first}"
            yield _row(f"re-merge, {one.method}", one.seconds, beside)
    yield _row("memory copy of the same bytes", [*copies.values()], "two models read, two written")


def _served(
    pair: Pair, loaded: LoadedPair, engine: Resident, tokens: int, cuda: bool, told: Callable[[str], None]
) -> Iterator[Row]:
    """The same merges and questions by vLLM, which is handed the weights in place."""
    told("vLLM is opened")
    begin = time.perf_counter()
    evaluator = open_evaluator(replace(pair, evaluation={"kind": "vllm"}), loaded)
    if not isinstance(evaluator, VllmEvaluator):
        raise TypeError("the evaluation is of another kind")
    served = evaluator.served
    try:
        yield Row("vLLM opened", (f"{time.perf_counter() - begin:.3g}", ", ".join(served.backend.values())))
        prompts = evaluator.generation.prompts_of(evaluator.examples("validation"))
        sampling = {"max_tokens": tokens, "min_tokens": tokens, "ignore_eos": True}
        handing, asking, said = [], [], 0
        for trial, setting in enumerate(_settings()):
            told(f"vLLM, trial {trial + 1} of {TRIALS}")
            engine.merge(setting)
            begin = _now(cuda)
            served.follow(loaded.vlm)
            handing.append(-begin + (begin := time.perf_counter()))
            said = sum(len(one["tokens"]) for one in served.ask(prompts, sampling))
            asking.append(time.perf_counter() - begin)
        yield _row("vLLM: handing a merge over, with its proof", handing, f"the first {handing[0]:.3g}")
        yield _row("vLLM: answers", asking, f"the same questions, {said} tokens: {_speed(said, asking)}")
    finally:
        served.end()


def _settings() -> list[MergeSetting]:
    return [MergeSetting("ta", 0.4 + 0.1 * trial, 0.9 - 0.1 * trial) for trial in range(TRIALS)]


def _speed(tokens: int, seconds: list[float]) -> str:
    return f"{tokens / statistics.median(seconds):.0f} tokens a second"


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


def _named(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
