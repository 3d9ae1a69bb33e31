from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from landscapes import catalogue
from landscapes.card import FILE as CARD
from landscapes.card import Card
from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape
from landscapes.vlm_answers import FILE, VlmAnswers, write_vlm_answers

ROWS = pd.DataFrame(
    {
        "split": ["test", "validation", "test"],
        "id": ["b", "c", "a"],
        "category": ["skill", "skill", "general"],
        "correct": [0.25, 1.0, 0.5],
    }
)


def test_what_was_written_is_read_again_sorted_by_split(tmp_path: Path) -> None:
    write_vlm_answers(tmp_path / FILE, ROWS)
    test = VlmAnswers.read(tmp_path, split="test")
    assert test is not None
    assert (test.ids.tolist(), test.correct.tolist()) == (["a", "b"], [0.5, 0.25])
    validation = VlmAnswers.read(tmp_path, split="validation")
    assert validation is not None
    assert validation.correct.tolist() == [1.0]


def test_nothing_is_known_of_a_vlm_that_was_not_asked(tmp_path: Path) -> None:
    assert VlmAnswers.read(tmp_path, split="test") is None
    write_vlm_answers(tmp_path / FILE, ROWS[ROWS["split"] == "test"])
    assert VlmAnswers.read(tmp_path, split="validation") is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.drop(columns="correct"), "has no column 'correct'"),
        (ROWS.assign(correct=[0.0, np.nan, 1.0]), r"row 2, column 'correct': nan is not a finite number"),
        (ROWS.assign(id=["b", "c", ""]), r"row 3, column 'id': '' is not a word"),
        (pd.concat([ROWS, ROWS]), r"rows 1 and 4: the same example \(split = test, id = b\)"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_what_is_there(
    tmp_path: Path, rows: pd.DataFrame, message: str
) -> None:
    write_vlm_answers(tmp_path / FILE, ROWS)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InvalidGridError, match=message):
        write_vlm_answers(tmp_path / FILE, rows)
    assert (tmp_path / FILE).read_bytes() == before
    rows.to_parquet(tmp_path / FILE)
    with pytest.raises(InvalidGridError, match=message):
        VlmAnswers.read(tmp_path, split="test")


def test_of_other_examples_there_is_no_score(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path)
    synthetic.ask_vlm(folder)
    assert 0 < Landscape.read(folder).vlm < 1
    write_vlm_answers(folder / FILE, pd.read_parquet(folder / FILE).iloc[1:])
    with pytest.raises(InvalidGridError, match="the VLM as it is answered other test examples"):
        _ = Landscape.read(folder).on("test").vlm


def test_other_answers_are_another_landscape(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path)
    hashes = {Landscape.read(folder).outcomes_hash}
    synthetic.ask_vlm(folder)
    hashes.add(Landscape.read(folder).outcomes_hash)
    synthetic.ask_vlm(folder, seed=1)
    hashes.add(Landscape.read(folder).outcomes_hash)
    assert len(hashes) == 3


def test_one_vlm_has_one_set_of_answers_in_all_landscapes_that_ship() -> None:
    said: dict[str, dict[str, pd.DataFrame]] = {}
    for name in catalogue.names():
        card = Card.read(catalogue.ROOT / name / CARD)
        answers = pd.read_parquet(catalogue.ROOT / name / FILE)
        splits = tuple(sorted(answers["split"].unique()))
        same = repr((card.checkpoints["vlm"], card.checkpoints["examples"], splits))
        said.setdefault(same, {})[name] = answers
    assert max(map(len, said.values())) > 1
    for answers in said.values():
        first, *others = (one.sort_values(["split", "id"], ignore_index=True) for one in answers.values())
        for other in others:
            pd.testing.assert_frame_equal(first, other, obj=" and ".join(answers))
