"""What a trial takes with the pair kept in memory, against merges that mergekit writes to disk, in one run."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hpo_bench.display.table import Row, TextTable
from hpo_bench.evaluation.base import Evaluator
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.experiments.cost.on_disk import content_of, run_command, run_merge
from hpo_bench.experiments.cost.turns import PARTS, Clock, Route, TrialTiming, in_turns
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.graft import extract, write_grafted

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


def measure(
    pair: Pair, methods: Sequence[str], *, trials: int, told: Callable[[str], None] = lambda _: None
) -> Iterator[TrialTiming]:
    """Time trials by all routes in turns.

    Of the answers that differ from the resident merge's: Task Arithmetic's weights are the same bits until a copy on
    disk rounds them to the type in which the VLM is stored; DARE's masks are others, and TIES differs in entries that
    tie.

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
        routes = routes_of(pair, Path(scratch))
        yield from in_turns(routes, methods, trials=trials, scratch=Path(scratch), told=told)


def routes_of(pair: Pair, scratch: Path) -> dict[str, Route]:
    """All of `ROUTES`, for a pair whose three plain language models are put into `scratch`."""
    loaded, alignment = LoadedPair.load(pair), Alignment.of(pair)
    parts, engine = extract(alignment, scratch / "parts"), Resident(loaded)
    # What stays in memory keeps what it makes of the pictures.
    kept, fresh = open_evaluator(pair, loaded), open_evaluator(pair, loaded)

    def resident(setting: MergeSetting, _: Path) -> tuple[Any, Evaluator]:
        engine.merge(setting)
        return loaded.vlm, kept

    def read_back(setting: MergeSetting, folder: Path) -> tuple[Any, Evaluator]:
        language = Checkpoint.open(run_merge(content_of(setting, loaded, parts), folder))
        loaded.write_language({name: language.tensor(name) for name in alignment.merged})
        return loaded.vlm, kept

    def anew(run: Callable[[dict[str, Any], Path], Path], setting: MergeSetting, folder: Path) -> tuple[Any, Evaluator]:
        language = Checkpoint.open(run(content_of(setting, loaded, parts), folder))
        write_grafted(alignment, language.tensor, folder / "vlm")
        return _load(folder / "vlm", loaded), fresh

    return {
        RESIDENT: resident,
        READ_BACK: read_back,
        ANEW: partial(anew, run_merge),
        COMMAND: partial(anew, run_command),
    }


def _load(folder: Path, like: LoadedPair) -> Any:
    vlm: Any = type(like.vlm).from_pretrained(
        folder, dtype=next(iter(like.vlm.parameters())).dtype, use_safetensors=True, local_files_only=True
    )
    return vlm.eval()


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
