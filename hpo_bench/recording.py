"""Recording a landscape: every setting merged for real, evaluated for real, example by example."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from hpo_bench import designs
from hpo_bench.designs import Design, Point
from hpo_bench.errors import RecordingError, UsageError
from hpo_bench.evaluation.base import Evaluator
from hpo_bench.evaluation.examples import SPLIT_RULE, Example, Split
from hpo_bench.evaluation.registry import open_evaluator, section
from hpo_bench.journal import Entry, Journal
from hpo_bench.merging import mergekit_engine
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.merging.resident import Resident
from hpo_bench.merging.setting import MergeSetting
from landscapes import card, grid, outcomes
from landscapes.columns import MASK_SEED

JOURNAL = ".recording.jsonl"
LOCK = ".recording.lock"
# Bit for bit what mergekit gives, but for TIES: of equal magnitudes at the threshold mergekit keeps whichever its sort
# puts first, and this engine keeps all.
ENGINE = {"ta": "resident", "dare": "resident, with mergekit's masks", "ties": "resident"}
EXACT_MATCH = "exact match of the whole answer, by teacher-forced greedy decoding"

Progress = Callable[[int, int, Entry], None]
"""Called after each setting with how many are done, how many there are, and what was recorded last."""


def record(
    pair: Pair,
    method: str,
    folder: Path,
    *,
    design: str = designs.STUDY,
    mask_seed: int = 0,
    progress: Progress = lambda *_: None,
) -> Path:
    """Merge and evaluate a pair at every setting of a design.

    Each setting is journalled when it is done; started again, a recording that was interrupted continues where it was
    and ends in the same files, but for the seconds.

    Args:
        pair: What to merge.
        method: "ta", "dare" or "ties".
        folder: Where `<pair>/<method>/` with grid, outcomes and card goes, or for a held-out design a folder in it.
        design: A name of `designs.DESIGNS`.
        mask_seed: Seed of DARE's masks.
        progress: Told of every setting.

    Returns:
        The recording's folder.

    Raises:
        UsageError: If method or design is unknown, they do not go together, or the examples cannot be read.
        MergeError: If the models cannot be loaded or do not fit together.
        EvaluationError: If a merged model cannot be scored.
        RecordingError: If what was recorded so far came from other weights or options, or another process is at it, or
            the design needs the study's grid and that is not recorded.
    """
    plan = _plan(design, method, folder / pair.name / method, mask_seed)
    target = folder / pair.name / method / plan.folder
    provenance = _provenance(pair, plan, mask_seed)
    if (target / card.FILE).exists():
        _check_same(card.Card.read(target / card.FILE), provenance)
        return target
    with _alone(target):
        journal = Journal(target / JOURNAL, header=provenance)
        loaded = LoadedPair.load(pair)
        evaluator = open_evaluator(pair, loaded)
        examples: dict[Split, Sequence[Example]] = {split: evaluator.examples(split) for split in plan.splits}
        for entry in _entries(loaded, evaluator, examples, plan, plan.points[len(journal.entries) :]):
            journal.append(entry)
            progress(len(journal.entries), len(plan.points), entry)
        _publish(_card(pair, plan, mask_seed, provenance, examples), examples, target, journal.entries)
        journal.remove()
    return target


def _plan(design: str, method: str, landscape: Path, mask_seed: int) -> Design:
    if design == designs.STUDY:
        return designs.study(method, mask_seed=mask_seed)
    if design == "held-out":
        return designs.held_out(method, mask_seed=mask_seed)
    if design == "dense":
        return designs.dense(method)
    if design == "masks":
        return designs.masks(method, _ranked(method, landscape) if method == "dare" else (), mask_seed=mask_seed)
    raise UsageError(f"no design is called {design!r}; there are: {', '.join(designs.DESIGNS)}")


def _ranked(method: str, landscape: Path) -> list[MergeSetting]:
    """The recorded settings, highest validation score first."""
    if not (landscape / card.FILE).exists():
        raise RecordingError(
            f"the masks design needs the best recorded setting, and {landscape} holds no landscape yet"
        )
    space = card.Card.read(landscape / card.FILE).space
    recorded = grid.RecordedGrid.read(landscape / grid.FILE, space)
    order = np.argsort(-recorded.scores, kind="stable")
    return [MergeSetting(method, *point) for point in recorded.X[order].tolist()]


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    target.mkdir(parents=True, exist_ok=True)
    lock = target / LOCK
    try:
        with FileLock(lock, timeout=0):
            yield
            lock.unlink()
    except Timeout as error:
        raise RecordingError(f"{target} is being recorded by another process; wait for it, or stop it") from error


def _check_same(existing: card.Card, provenance: dict[str, Any]) -> None:
    folder = existing.path.parent
    if missing := [name for name in (grid.FILE, outcomes.FILE) if not (folder / name).is_file()]:
        raise RecordingError(f"{folder} lacks {' and '.join(missing)}; delete that folder to record it anew")
    for key in ("checkpoints", "merge_options"):
        if getattr(existing, key) != provenance[key]:
            raise RecordingError(f"{folder} was recorded with other {key}; delete that folder to record it anew")


def _entries(
    loaded: LoadedPair,
    evaluator: Evaluator,
    examples: Mapping[Split, Sequence[Example]],
    plan: Design,
    todo: Sequence[Point],
) -> Iterator[Entry]:
    engine = None
    for point in todo:
        if engine is None or engine.mask_seed != point.mask_seed:
            masks = "mergekit" if plan.method == "dare" else "counter"
            engine = Resident(loaded, mode="mergekit", masks=masks, mask_seed=point.mask_seed)
        begin = time.perf_counter()
        engine.merge(point.setting)
        merge_seconds = time.perf_counter() - begin
        measured = {split: evaluator.evaluate(loaded.vlm, some) for split, some in examples.items()}
        yield Entry(
            parameters=point.setting.parameters,
            merge_seconds=merge_seconds,
            eval_seconds={split: outcome.seconds for split, outcome in measured.items()},
            scores={split: outcome.scores.tolist() for split, outcome in measured.items()},
            mask_seed=point.mask_seed if plan.many_masks else None,
        )


def _publish(
    described: card.Card, examples: Mapping[Split, Sequence[Example]], target: Path, entries: Sequence[Entry]
) -> None:
    """Write grid, outcomes and, last, the card, whose presence says that all is whole."""
    rows, answers = [], []
    for entry in entries:
        where = {**entry.parameters, **({} if entry.mask_seed is None else {MASK_SEED: entry.mask_seed})}
        for split, some in examples.items():
            scores = np.array(entry.scores[split])
            rows.append(
                {
                    **where,
                    "split": split,
                    "score": scores.mean(),
                    "standard_error": scores.std(ddof=1) / np.sqrt(len(scores)),
                    "n_examples": len(scores),
                    "merge_seconds": entry.merge_seconds,
                    "eval_seconds": entry.eval_seconds[split],
                }
            )
            answers.extend(
                {**where, "split": split, "id": e.id, "category": e.category, "correct": s}
                for e, s in zip(some, scores, strict=True)
            )
    grid.write_grid(target / grid.FILE, pd.DataFrame(rows), described.space)
    outcomes.write_outcomes(target / outcomes.FILE, pd.DataFrame(answers), described.space)
    described.write(target / card.FILE)


def _provenance(pair: Pair, plan: Design, mask_seed: int) -> dict[str, Any]:
    """What must be equal for two halves of a recording to belong together."""
    seed = {"mask_seed": mask_seed} if plan.method == "dare" else {}
    options = {"engine": ENGINE[plan.method], **mergekit_engine.OPTIONS[plan.method], "dtype": "float32", **seed}
    return {
        "pair": pair.name,
        "method": plan.method,
        "checkpoints": pair.file_hashes(),
        "merge_options": options,
        "versions": {name: version(name) for name in ("mergekit", "transformers", "torch", "hpo-bench")},
        **({} if plan.name == designs.STUDY else {"design": plan.name}),
    }


def _card(
    pair: Pair,
    plan: Design,
    mask_seed: int,
    provenance: Mapping[str, Any],
    examples: Mapping[Split, Sequence[Example]],
) -> card.Card:
    design = "" if plan.name == designs.STUDY else f" --design {plan.name}"
    seed = f" --mask-seed {mask_seed}" if plan.method == "dare" and mask_seed else ""
    categories = sorted({example.category for some in examples.values() for example in some})
    return card.Card(
        name=f"{pair.name}/{plan.method}",
        pair=pair.name,
        domain=pair.domain,
        benchmark=pair.benchmark,
        method=plan.method,
        parameters=plan.parameters,
        base=f"{pair.name}/{pair.base.name}",
        checkpoints=provenance["checkpoints"],
        versions=provenance["versions"],
        merge_options=provenance["merge_options"],
        design=plan.name,
        metric=_metric(pair),
        units="fraction correct",
        split_rule=SPLIT_RULE,
        n_examples={
            split: {category: sum(e.category == category for e in some) for category in categories}
            for split, some in examples.items()
        },
        licence="CC-BY-4.0",
        date=date.today().isoformat(),
        command=f"hpo-bench record {pair.name} --method {plan.method}{design}{seed}",
        notes=pair.notes,
    )


def _metric(pair: Pair) -> str:
    """What a score is the mean of, as the pair's evaluation section has it."""
    asked = section(pair)
    return ", ".join(f"{key} {value}" for key, value in asked.items()) if asked else EXACT_MATCH
