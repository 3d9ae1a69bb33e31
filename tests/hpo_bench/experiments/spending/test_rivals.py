"""Rivals that fill in missing answers, and that end a search of whole trials."""

import numpy as np
import pandas as pd
import pytest
from toys_of_spending import pool

from hpo_bench.experiments.spending import claims, real
from hpo_bench.experiments.spending.claims import verdict
from hpo_bench.experiments.spending.knowledge_gradient import KnowledgeGradient
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.rivals import LowRankUcbE, Terminator
from hpo_bench.experiments.spending.tables import coverage_words, over_pairs, points, real_table, real_words
from hpo_bench.statistics.intervals import of_mean


def test_a_bandit_spends_its_budget_on_the_better_settings() -> None:
    draws = [Draw.of(pool(), seed) for seed in range(2)]
    plan = LowRankUcbE(members=8)
    steps = list(plan.run(draws, 900))
    assert [step.evaluations for step in steps] == [900, 900]
    assert steps == list(plan.run(draws, 900)), "the same every time"
    for step, draw in zip(steps, draws, strict=True):
        assert draw.truth[step.place] > np.median(draw.truth)
        assert 0 < step.examples <= 400
    few = next(plan.run(draws[:1], 40))
    assert few.evaluations == 40


def test_a_terminator_ends_at_the_budget_at_the_latest() -> None:
    draw = Draw.of(pool(), 0)
    short = next(Terminator(examples=40).run([draw], 200))
    assert (short.settings, short.evaluations) == (5, 200)
    longer = next(Terminator(examples=40).run([draw], 40 * 26))
    assert 20 <= longer.settings <= 26
    assert longer.reported == pytest.approx(draw.seen[longer.place, :40].mean())


def test_the_real_loop_in_words() -> None:
    rows = pd.DataFrame(
        [
            (pair, "ta", draw, way, settings, 6400, 3200, 0.5 + more / 100, 0.3, 0.9, more, 0.3 * (way != real.PLAN))
            for pair in ("a", "b") for draw in (0, 1)
            for way, settings, more in ((real.PLAN, 8, 0.0), (real.STUDY, 40, -1.0), (real.STUDY_MEAN, 40, -0.5))
        ],
        columns=list(real.COLUMNS),
    )  # fmt: skip
    assert f"{real.STUDY}, -1.00 ± 0.15 points over 2 pairs" in real_words(rows)
    table = real_table(rows).to_markdown()
    assert "-1.00 ± 0.21" in table
    assert "+20.0" in table


def test_low_cells_are_set_against_chance() -> None:
    rows = pd.DataFrame(
        {"source": "recorded answers", "way": "all examples, cross-fitted", "examples": size, "settings": 8,
         "miss": np.where(np.arange(80) < missed, 3.0, 0.5), "error": 1.0}
        for size, missed in ((160, 4), (400, 8))
    )  # fmt: skip
    rows = pd.concat([pd.DataFrame(dict(row)) for _, row in rows.iterrows()], ignore_index=True)
    said = coverage_words(rows)
    assert "Of all 160 intervals" in said
    assert "92.5% hold" in said
    assert "72 of 80, is what 9% of such tables" in said
    assert coverage_words(rows.assign(source="simulation")) == ""


def test_a_knowledge_gradient_keeps_to_the_budget_and_is_the_same_every_time() -> None:
    draw = Draw.of(pool(), 0)
    plan = KnowledgeGradient(share=0.25, least=0.5, fantasies=4, restarts=2, raw=8, steps=5)
    (step,) = plan.run([draw], 800)
    assert 400 < step.evaluations <= 800
    assert draw.truth[step.place] > np.median(draw.truth)
    assert list(plan.run([draw], 800)) == [step]


def _compared(study: float, whole: float, fifth: float) -> pd.DataFrame:
    """Ten pairs that differ a little."""
    return pd.DataFrame(
        {"source": "dense", "dim": 2, "by": "fit", "share": share, "pair": f"p{i}", "pool": f"p{i}/ta",
         "domain": "maths", "loss": loss + 0.02 * (i % 3), "settings": 8, "examples": 100}
        for share, loss in ((0, study), (1, whole), (5, fifth)) for i in range(10)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "verdicts"),
    [((2.0, 0.8, 1.5), ["holds", "holds", "holds"]), ((2.0, 1.5, 2.5), ["holds", "does not hold", "does not hold"])],
)
def test_a_claim_is_judged_by_its_interval(losses: tuple[float, float, float], verdicts: list[str]) -> None:
    found = list(claims._losses(_compared(*losses)))
    assert [row[-1] for row in found] == verdicts
    assert verdict(of_mean([-1.0, 0.0, 1.5]), -np.inf, 0.0) == "open"
    assert verdict(of_mean([94.0, 95.0, 96.0]), 93.0, 97.0) == "open", "the interval is wider than the range"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert points(-0.004) == "0.00"
    assert points(-0.006) == "-0.01"
    assert points(float("nan")) == "–"
    assert over_pairs(pd.Series([-0.004, -0.004])) == "0.00 [0.00, 0.00]"
