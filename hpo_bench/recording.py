"""Recording a landscape: every setting merged for real, evaluated for real, example by example."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from hpo_bench.errors import RecordingError
from hpo_bench.evaluation.base import Scorer
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import SPLIT_RULE, SPLITS, Example, of_split, read_examples
from hpo_bench.journal import Entry, Journal
from hpo_bench.merging import mergekit_engine
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.merging.setting import MergeSetting, check_method
from landscapes import card, grid, outcomes
from landscapes.space import SearchSpace

# The study's grid has 5 x 5 coefficients and 4 densities; its values are lost, these are ours.
COEFFICIENTS = (0.2, 0.4, 0.6, 0.8, 1.0)
DENSITIES = (0.2, 0.4, 0.6, 0.8)
JOURNAL = ".recording.jsonl"
LOCK = ".recording.lock"

Progress = Callable[[int, int, Entry], None]
"""Called after each setting with how many are done, how many there are, and what was recorded last."""


def study_grid(method: str) -> tuple[MergeSetting, ...]:
    """The study's settings: 25 for Task Arithmetic, 100 for DARE and TIES.

    Raises:
        UsageError: If the method is unknown.
    """
    check_method(method)
    densities: Sequence[float | None] = (None,) if method == "ta" else DENSITIES
    return tuple(MergeSetting(method, *point) for point in product(COEFFICIENTS, COEFFICIENTS, densities))


def record(pair: Pair, method: str, folder: Path, *, mask_seed: int = 0, progress: Progress = lambda *_: None) -> Path:
    """Merge and evaluate a pair at every setting of the study's grid.

    Each setting is journalled when it is done; started again, a recording that was interrupted continues where it was
    and ends in the same files, but for the seconds.

    Args:
        pair: What to merge.
        method: "ta", "dare" or "ties".
        folder: Where `<pair>/<method>/` with grid, outcomes and card goes.
        mask_seed: Seed of DARE's masks.
        progress: Told of every setting.

    Returns:
        The landscape's folder.

    Raises:
        UsageError: If the method is unknown or the examples cannot be read.
        MergeError: If the models cannot be loaded or do not fit together.
        RecordingError: If what was recorded so far came from other weights or options, or another process is at it.
    """
    settings = study_grid(method)
    target = folder / pair.name / method
    provenance = _provenance(pair, method, mask_seed)
    if (target / card.FILE).exists():
        _check_same(card.Card.read(target / card.FILE), provenance)
        return target
    with _alone(target):
        journal = Journal(target / JOURNAL, header=provenance)
        if len(journal.entries) < len(settings):
            _measure(pair, settings, journal, mask_seed, progress)
        _publish(pair, method, mask_seed, target, journal)
        journal.remove()
    return target


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


def _measure(
    pair: Pair, settings: Sequence[MergeSetting], journal: Journal, mask_seed: int, progress: Progress
) -> None:
    examples = read_examples(pair.examples)
    loaded = LoadedPair.load(pair)
    scorer = ExactMatch(loaded.processor)
    todo = settings[len(journal.entries) :]
    for entry in _entries(loaded, scorer, examples, todo, mask_seed):
        journal.append(entry)
        progress(len(journal.entries), len(settings), entry)


def _entries(
    loaded: LoadedPair,
    scorer: Scorer,
    examples: Sequence[Example],
    settings: Sequence[MergeSetting],
    mask_seed: int,
) -> Iterator[Entry]:
    for setting in settings:
        begin = time.perf_counter()
        loaded.write_language(mergekit_engine.merge(loaded, setting, mask_seed=mask_seed))
        merge_seconds = time.perf_counter() - begin
        measured = {split: scorer.evaluate(loaded.vlm, of_split(examples, split)) for split in SPLITS}
        yield Entry(
            parameters=setting.parameters,
            merge_seconds=merge_seconds,
            eval_seconds={split: outcome.seconds for split, outcome in measured.items()},
            scores={split: outcome.scores.tolist() for split, outcome in measured.items()},
        )


def _publish(pair: Pair, method: str, mask_seed: int, target: Path, journal: Journal) -> None:
    """Write grid, outcomes and, last, the card, whose presence says that all is whole."""
    examples = read_examples(pair.examples)
    described = _card(pair, method, mask_seed, examples)
    space: SearchSpace = described.space
    by_split = {split: of_split(examples, split) for split in SPLITS}
    rows, answers = [], []
    for entry in journal.entries:
        for split in SPLITS:
            scores = np.array(entry.scores[split])
            rows.append(
                {
                    **entry.parameters,
                    "split": split,
                    "score": scores.mean(),
                    "standard_error": scores.std(ddof=1) / np.sqrt(len(scores)),
                    "n_examples": len(scores),
                    "merge_seconds": entry.merge_seconds,
                    "eval_seconds": entry.eval_seconds[split],
                }
            )
            answers.extend(
                {**entry.parameters, "split": split, "id": e.id, "category": e.category, "correct": s}
                for e, s in zip(by_split[split], scores, strict=True)
            )
    grid.write_grid(target / grid.FILE, pd.DataFrame(rows), space)
    outcomes.write_outcomes(target / outcomes.FILE, pd.DataFrame(answers), space)
    described.write(target / card.FILE)


def _provenance(pair: Pair, method: str, mask_seed: int) -> dict[str, Any]:
    """What must be equal for two halves of a recording to belong together."""
    return {
        "pair": pair.name,
        "method": method,
        "checkpoints": pair.file_hashes(),
        "merge_options": _merge_options(method, mask_seed),
        "versions": {name: version(name) for name in ("mergekit", "transformers", "torch", "hpo-bench")},
    }


def _merge_options(method: str, mask_seed: int) -> dict[str, Any]:
    seed = {"mask_seed": mask_seed} if method == "dare" else {}
    return {"engine": "mergekit", **mergekit_engine.OPTIONS[method], "dtype": "float32", **seed}


def _card(pair: Pair, method: str, mask_seed: int, examples: Sequence[Example]) -> card.Card:
    provenance = _provenance(pair, method, mask_seed)
    levels = {"vl_weight": COEFFICIENTS, "exp_weight": COEFFICIENTS, "density": DENSITIES}
    names = ("vl_weight", "exp_weight") if method == "ta" else tuple(levels)
    seed = f" --mask-seed {mask_seed}" if method == "dare" and mask_seed else ""
    return card.Card(
        name=f"{pair.name}/{method}",
        pair=pair.name,
        domain=pair.domain,
        benchmark=pair.benchmark,
        method=method,
        parameters=tuple(card.CardParameter(n, levels[n][0], levels[n][-1], levels=levels[n]) for n in names),
        base=f"{pair.name}/{pair.base.name}",
        checkpoints=provenance["checkpoints"],
        versions=provenance["versions"],
        merge_options=provenance["merge_options"],
        metric="exact match of the whole answer, by teacher-forced greedy decoding",
        units="fraction correct",
        split_rule=SPLIT_RULE,
        n_examples={
            split: {
                category: sum(e.category == category for e in of_split(examples, split))
                for category in sorted({e.category for e in examples})
            }
            for split in SPLITS
        },
        licence="CC-BY-4.0",
        date=date.today().isoformat(),
        command=f"hpo-bench record {pair.name} --method {method}{seed}",
        notes=pair.notes,
    )
