"""The files in which a recording ends, written and read back."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hpo_bench.errors import RecordingError
from hpo_bench.evaluation.examples import SPLITS, Example, Split
from hpo_bench.recording.designs import Design
from hpo_bench.recording.journal import RecordedScores
from landscapes import card, grid, outcomes, vlm_answers
from landscapes.errors import InvalidGridError
from landscapes.recording import SPLIT
from landscapes.tables import MASK_SEED


def write(
    described: card.Card, examples: Mapping[Split, Sequence[Example]], target: Path, entries: Sequence[RecordedScores]
) -> None:
    """Write grid, outcomes and, last, the card, whose presence says that all is whole.

    Args:
        described: The card.
        examples: Of each split, in the order of the entries' scores.
        target: The recording's folder. What a shorter recording left there is replaced.
        entries: One a setting and mask seed.
    """
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
    (target / card.FILE).unlink(missing_ok=True)
    grid.write_grid(target / grid.FILE, pd.DataFrame(rows), described.space)
    outcomes.write_outcomes(target / outcomes.FILE, pd.DataFrame(answers), described.space)
    described.write(target / card.FILE)


def write_vlm(examples: Mapping[Split, Sequence[Example]], target: Path, entry: RecordedScores) -> None:
    """Write what the VLM as it is answered.

    Args:
        examples: Of each split, in the order of the entry's scores.
        target: The recording's folder.
        entry: The scores.
    """
    rows = [
        {"split": split, "id": e.id, "category": e.category, "correct": s}
        for split, some in examples.items()
        for e, s in zip(some, entry.scores[split], strict=True)
    ]
    vlm_answers.write_vlm_answers(target / vlm_answers.FILE, pd.DataFrame(rows))


def has_vlm(target: Path, asked: Mapping[Split, Sequence[str]]) -> bool:
    """Whether the VLM's own answers are there, to just these examples of each split; a broken file holds none."""
    try:
        found = [(vlm_answers.VlmAnswers.read(target, split=split), ids) for split, ids in asked.items()]
    except InvalidGridError:
        return False
    return all(own is not None and own.ids.tolist() == sorted(ids) for own, ids in found)


def asked(existing: card.Card) -> dict[Split, list[str]]:
    """Ids of the examples of each split that a recording's settings answered.

    Raises:
        InvalidGridError: If its files cannot be used.
    """
    path = existing.path.parent / outcomes.FILE
    return {
        split: outcomes.Outcomes.read(path, existing.space, split=split).ids.tolist()
        for split in SPLITS
        if split in existing.n_examples
    }


def count(existing: card.Card) -> int:
    """How many settings, and mask seeds of them, a recording has."""
    return len(_grid(existing))


def read_back(existing: card.Card, plan: Design, examples: Mapping[Split, Sequence[Example]]) -> list[RecordedScores]:
    """The entries of a held-out recording of fewer settings than a design has.

    Args:
        existing: Its card.
        plan: The design, whose first settings it has.
        examples: Of the test split, in the order that the entries' scores are to have.

    Raises:
        RecordingError: If it has other settings or examples.
        InvalidGridError: If its files cannot be used.
    """
    folder, there = existing.path.parent, _grid(existing)
    answers = outcomes.Outcomes.matching(folder / outcomes.FILE, there, existing.space)
    row = {tuple(x): i for i, x in enumerate(there.X.tolist())}
    column = {name: j for j, name in enumerate(answers.ids)}
    try:
        at = [row[tuple(point.setting.values)] for point in plan.points[: len(there)]]
        asked = [column[one.id] for one in examples[SPLIT]]
    except KeyError as error:
        raise RecordingError(
            f"{folder} holds other settings or examples than the design; delete it to record anew"
        ) from error
    return [
        RecordedScores(
            parameters=point.setting.parameters,
            merge_seconds=float(there.merge_seconds[i]),
            eval_seconds={SPLIT: float(there.eval_seconds[i])},
            scores={SPLIT: answers.correct[i, asked].tolist()},
        )
        for i, point in zip(at, plan.points, strict=False)
    ]


def _grid(existing: card.Card) -> grid.RecordedGrid:
    return grid.RecordedGrid.read(existing.path.parent / grid.FILE, existing.space, split=SPLIT)
