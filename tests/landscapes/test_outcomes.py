from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from landscapes import outcomes
from landscapes.errors import InvalidGridError
from landscapes.outcomes import Outcomes, write_outcomes

CARD = synthetic.card("rugged-b/ties")
ANSWERS = synthetic.outcomes(CARD, kind="rugged")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    write_outcomes(path, ANSWERS.sample(frac=1, random_state=0), CARD.space)
    back = Outcomes.read(path, CARD.space, split="test")
    assert back.correct.shape == (100, 320)
    answers = ANSWERS[ANSWERS["split"] == "test"].set_index(["id", *CARD.space.names]).sort_index()
    rng = np.random.default_rng(0)
    for i, j in zip(rng.integers(100, size=50), rng.integers(320, size=50), strict=True):
        row = answers.loc[(back.ids[j], *back.X[i])]
        assert bool(row["correct"]) == bool(back.correct[i, j])
        assert row["category"] == back.categories[j]


def test_a_whole_block_is_read_as_any_other_table_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "outcomes.parquet"
    seeds = pd.concat([ANSWERS.assign(mask_seed=seed) for seed in (3, 1)])
    for rows, is_block in (
        (ANSWERS, True),
        (ANSWERS.assign(correct=ANSWERS["correct"] * 0.25), True),
        (seeds, True),
        (ANSWERS.drop(index=ANSWERS.index[[7, 20_000]]), False),  # an example was not evaluated at one setting
    ):
        write_outcomes(path, rows, CARD.space)
        for split in ("validation", "test"):
            quick = Outcomes.read(path, CARD.space, split=split)
            frame = pd.read_parquet(path).query("split == @split")
            named = [name for name in ("mask_seed",) if name in frame]
            assert (outcomes._block(frame, CARD.space, named, path) is not None) == is_block
            with monkeypatch.context() as patch:
                patch.setattr(outcomes, "_block", lambda *_: None)
                plain = Outcomes.read(path, CARD.space, split=split)
            assert np.array_equal(quick.X, plain.X)
            assert (quick.ids.tolist(), quick.categories.tolist()) == (plain.ids.tolist(), plain.categories.tolist())
            assert np.array_equal(quick.correct, plain.correct, equal_nan=True)


def test_agrees_with_the_grid(tmp_path: Path) -> None:
    landscape = synthetic.landscape(tmp_path, "rugged-b/ties", kind="rugged")
    read = Outcomes.read(tmp_path / "rugged-b/ties/outcomes.parquet", landscape.space)
    assert np.array_equal(read.X, landscape.grid.X)
    assert read.correct.mean(axis=1) == pytest.approx(landscape.grid.scores)


def test_is_compact_even_when_answers_are_noise(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    card = synthetic.card("rugged-b/ties", n_examples={"validation": {"skill": 300}})
    answers = synthetic.outcomes(card)
    write_outcomes(path, answers, card.space)
    assert path.stat().st_size < 6_000
    # Four in five answers as the skill says and the fifth at random: what a real benchmark looks like at worst.
    rng = np.random.default_rng(0)
    flipped = answers["correct"] ^ (rng.random(len(answers)) < 0.1)
    write_outcomes(path, answers.assign(correct=flipped), card.space)
    assert path.stat().st_size < 13_000


def test_partial_credit_and_examples_that_were_not_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    rows = pd.DataFrame(
        {
            "vl_weight": [0.2, 0.2, 0.4], "exp_weight": 0.6, "density": 0.4, "split": "validation",
            "id": ["a", "b", "a"], "category": "skill", "correct": [0.25, 1.0, 0.5],
        }
    )  # fmt: skip
    write_outcomes(path, rows, CARD.space)
    back = Outcomes.read(path, CARD.space)
    assert np.array_equal(back.correct, [[0.25, 1.0], [0.5, np.nan]], equal_nan=True)


def test_bad_rows_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    for bad, message in (
        (ANSWERS.drop(columns="id"), "has no column 'id'"),
        (pd.concat([ANSWERS, ANSWERS.iloc[[3]]]), "rows 4 and 40001: the same example at the same setting"),
        (ANSWERS.assign(correct="yes"), "row 1, column 'correct': 'yes' is not a finite number"),
        (ANSWERS.assign(density=0.95), "row 1, column 'density': 0.95 is outside the card's box"),
        (ANSWERS.assign(category=None), "row 1, column 'category': None is not a word"),
    ):
        with pytest.raises(InvalidGridError, match=message):
            write_outcomes(path, bad, CARD.space)
    assert not path.exists()
    path.write_bytes(b"nonsense")
    with pytest.raises(InvalidGridError, match="not a readable parquet file"):
        Outcomes.read(path, CARD.space)
