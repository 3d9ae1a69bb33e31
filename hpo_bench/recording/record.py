"""Recording a landscape: every setting merged for real, evaluated for real, example by example."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from hpo_bench.errors import RecordingError, UsageError
from hpo_bench.evaluation.examples import Example, Split, check_sides
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.evaluation.registry import open_evaluator, read_benchmark
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.recording import designs, draft_card, measuring, published
from hpo_bench.recording.designs import HELD_OUT, Design
from hpo_bench.recording.journal import Journal, RecordedScores, journalled
from landscapes import card, grid, outcomes
from landscapes.suites.boxes import SUFFIX
from surrogates.spelling import offer

JOURNAL = ".recording.jsonl"
LOCK = ".recording.lock"

Progress = Callable[[int, int, RecordedScores], None]
"""Called after each setting with how many are done, how many there are, and what was recorded last; with none done, of
what the VLM as it is answered, which has no parameters."""


def record(
    pair: Pair,
    method: str,
    folder: Path,
    *,
    box: str = designs.STUDY,
    design: str = designs.GRID,
    settings: int | None = None,
    mask_seed: int = 0,
    progress: Progress = lambda *_: None,
    warned: Callable[[str], None] = lambda _: None,
) -> Path:
    """Merge and evaluate a pair at every setting of a design.

    All that can be refused is refused before a model is loaded. With a grid the VLM is asked as it is, before anything
    is merged, and of a finished grid that lacks it that alone is asked. Each setting is journalled when it is done;
    started again, a recording that was interrupted continues where it was and ends in the same files, but for the
    seconds.

    Args:
        pair: What to merge.
        method: Name of a merge method with hyperparameters.
        folder: Where `<pair>/<method>/` with grid, outcomes and card goes, or `<pair>/<method>-wide/` for the wide box;
            of a held-out design a folder in that. Nothing is written outside of it.
        box: A name of `designs.BOXES`.
        design: A name of `designs.DESIGNS`.
        settings: How many, of the held-out design; 200 by default. More may follow: those that are recorded are kept.
        mask_seed: Seed of DARE's masks.
        progress: Told of every setting.
        warned: Told where answers of different merges are suspiciously alike.

    Returns:
        The recording's folder.

    Raises:
        UsageError: If method, box or design is unknown, they do not go together, the pair's description will not do
            for a landscape's card, the folder cannot be written to, or the examples cannot be used.
        MergeError: If the models cannot be loaded or do not fit together.
        EvaluationError: If a merged model cannot be scored.
        RecordingError: If what was recorded so far came from other weights or options, or another process is at it, or
            the design needs a grid that is not recorded.
    """
    draft_card.check_name(pair)
    landscape = _landscape(folder / pair.name / registry.get(method).name, box)
    plan = _plan(box, design, method, landscape, settings, mask_seed)
    target = landscape / plan.folder
    draft = draft_card.draft(pair, plan, mask_seed, box=box, name=landscape.relative_to(folder).as_posix())
    _check_folder(folder, target)
    benchmark = read_benchmark(pair)
    if benchmark is not None:
        check_sides(benchmark, plan.splits, str(pair.examples))
    provenance = _provenance(pair, plan, draft)
    existing = card.Card.read(target / card.FILE) if (target / card.FILE).exists() else None
    if existing is not None:
        _check_same(existing, draft, provenance)
        recorded = published.count(existing)
        if not plan.may_grow or recorded >= len(plan.points):
            if journalled(target / JOURNAL) <= recorded:  # else more were begun, and are kept
                _forget(target)
            if not plan.fitted or published.has_vlm(target, published.asked(existing)):
                return target
    with _alone(target):
        journal = Journal(target / JOURNAL, header=provenance)
        if plan.may_grow and len(journal.entries) > len(plan.points):  # more were begun, and are paid for
            plan = _plan(box, design, method, landscape, len(journal.entries), mask_seed)
            draft = replace(draft, command=draft_card.command(pair, plan, mask_seed, box=box))
        for entry, point in zip(journal.entries, plan.points, strict=False):  # the others are still to be made
            if entry.parameters != point.setting.parameters:
                raise RecordingError(
                    f"{target / JOURNAL} holds other settings than the design; delete it to record anew"
                )
        loaded = LoadedPair.load(pair)
        evaluator = open_evaluator(pair, loaded)
        examples: dict[Split, Sequence[Example]] = {split: evaluator.examples(split) for split in plan.splits}
        if benchmark is None:
            check_sides([one for some in examples.values() for one in some], plan.splits, f"{pair.name}: evaluation")
        counts = {split: dict(sorted(Counter(e.category for e in some).items())) for split, some in examples.items()}
        described = replace(draft, checkpoints=provenance["checkpoints"], n_examples=counts)
        ids: dict[Split, list[str]] = {split: sorted(one.id for one in some) for split, some in examples.items()}
        sizes = {split: len(some) for split, some in ids.items()}
        if any({split: len(some) for split, some in entry.scores.items()} != sizes for entry in journal.entries):
            raise RecordingError(f"{target / JOURNAL} holds answers to other examples; delete it to record anew")
        if plan.fitted:
            if existing is not None and published.asked(existing) != ids:
                raise RecordingError(f"{target} holds answers to other examples; delete that folder to record it anew")
            # Before there is an entry, nothing says of which weights the file is.
            if not (journal.entries or existing) or not published.has_vlm(target, ids):
                entry = measuring.of_vlm(loaded, evaluator, examples)
                published.write_vlm(examples, target, entry)
                progress(0, len(plan.points), entry)
            if existing is not None:  # that alone was lacking
                return target
        if existing is not None:
            for entry in published.read_back(existing, plan, examples)[len(journal.entries) :]:
                journal.append(entry)
        for entry in measuring.of_merges(loaded, evaluator, examples, plan, done=len(journal.entries), warned=warned):
            journal.append(entry)
            progress(len(journal.entries), len(plan.points), entry)
        published.write(described, examples, target, journal.entries)
        _forget(target)
    return target


def _check_folder(folder: Path, target: Path) -> None:
    """Refuse a folder that cannot be written to, or a link in it that leads out."""
    if not target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{target} is a link that leads out of {folder}; remove it, or name another folder to record to"
        )
    there = next(path for path in (target, *target.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "may not be written to" if there.is_dir() else "is no folder"
        raise UsageError(f"{there} {what}; name another folder to record to")


def _landscape(usual: Path, box: str) -> Path:
    """The folder of a box's landscape: the wide one has its own, unless an earlier version recorded it in the usual."""
    if box not in designs.BOXES:
        raise UsageError(f"no box is called {box!r}; {offer(box, designs.BOXES)}")
    recorded = usual / card.FILE
    if box == designs.STUDY or (recorded.exists() and card.Card.read(recorded).design == designs.WIDE):
        return usual
    return usual.with_name(usual.name + SUFFIX)


def _plan(box: str, design: str, method: str, landscape: Path, settings: int | None, mask_seed: int) -> Design:
    if settings is not None and design != HELD_OUT:
        raise UsageError(f"--settings is for --design {HELD_OUT}; {design} has a number of its own, so leave it out")
    if design == designs.GRID:
        return designs.grid(method, box=box, mask_seed=mask_seed)
    if design == "dense":
        return designs.dense(method)
    there = card.Card.read(landscape / card.FILE) if (landscape / card.FILE).exists() else None
    if there is not None and there.design in designs.BOXES and there.design != box:
        raise UsageError(f"{landscape} was recorded in the {there.design} box; say --box {there.design}")
    if design == HELD_OUT:
        parameters = (there or designs.grid(method, box=box)).parameters
        many = designs.HELD_OUT_POINTS if settings is None else settings
        return designs.held_out(method, mask_seed=mask_seed, box=parameters, settings=many)
    if design == "masks":
        ranked = _ranked(method, landscape) if registry.get(method).draws_masks else ()
        return designs.masks(method, ranked, box=box, mask_seed=mask_seed)
    if design in designs.BOXES:
        raise UsageError(f"{design!r} is a box, of which a grid is the usual design; say --box {design}")
    raise UsageError(f"no design is called {design!r}; {offer(design, designs.DESIGNS)}")


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
    """Keep other recorders out; folders that were made for nothing are gone again."""
    made = [path for path in (target, *target.parents) if not path.exists()]
    target.mkdir(parents=True, exist_ok=True)
    lock = target / LOCK
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout as error:
        raise RecordingError(f"{target} is being recorded by another process; wait for it, or stop it") from error
    finally:
        with suppress(OSError):  # of the first one with something in it
            for path in made:
                path.rmdir()


def _forget(target: Path) -> None:
    """Remove what was needed to go on, which a kill at the very end leaves."""
    for name in (JOURNAL, LOCK):
        (target / name).unlink(missing_ok=True)


def _check_same(existing: card.Card, draft: card.Card, provenance: Mapping[str, Any]) -> None:
    folder = existing.path.parent
    if missing := [name for name in (grid.FILE, outcomes.FILE) if not (folder / name).is_file()]:
        raise RecordingError(f"{folder} lacks {' and '.join(missing)}; delete that folder to record it anew")
    wanted = replace(draft, checkpoints=provenance["checkpoints"])
    for key in ("design", "checkpoints", "merge_options", "metric"):
        if getattr(existing, key) != getattr(wanted, key):
            raise RecordingError(
                f"{folder} was recorded with other {key}, by `{existing.command}`; ask as it did, name another --out, "
                "or delete that folder to record it anew"
            )


def _provenance(pair: Pair, plan: Design, draft: card.Card) -> dict[str, Any]:
    """What must be equal for two halves of a recording to belong together."""
    asked = without_secrets(pair.evaluation)
    return {
        "pair": pair.name,
        "method": plan.method,
        "checkpoints": pair.file_hashes(),
        "merge_options": draft.merge_options,
        "versions": draft.versions,
        **({} if plan.name == designs.STUDY else {"design": plan.name}),
        **({"evaluation": asked} if asked else {}),
    }
