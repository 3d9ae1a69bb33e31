import numpy as np
import pytest
from scipy.stats import friedmanchisquare
from toys_of_spending import pool

from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.racing import FRace, Halving, HbBops, Hyperband, UcbE
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN, WholeTrials

RACERS = [Halving(), Hyperband(), FRace(), UcbE(), HbBops()]


def test_every_setting_answers_the_same_examples() -> None:
    draws = [Draw.of(pool(), seed) for seed in range(3)]
    steps = list(WholeTrials("gp-bo", (4, 8)).run(draws, 100))
    assert {(step.rule, step.settings) for step in steps} == {(HIGHEST, 4), (HIGHEST, 8), (MEAN, 4), (MEAN, 8)}
    for step in steps:
        assert step.evaluations == 100 * step.settings
        assert step.reported == pytest.approx(draws[step.draw].seen[step.place, :100].mean())
    assert steps == list(WholeTrials("gp-bo", (4, 8)).run(draws, 100))


def test_grid_scores_its_points_and_picks_the_highest() -> None:
    draw = Draw.of(pool(noisy=False), 0)
    (step,) = WholeTrials("grid", (49,), {"levels": 7}).run([draw], 400)
    assert step.place == 24


def test_draws_a_few_examples_short_take_all_they_have() -> None:
    draw = Draw.of(pool(examples=798), 0)
    (step,) = WholeTrials("random", (5,)).run([draw], 400)
    assert (step.examples, step.evaluations) == (399, 5 * 399)


@pytest.mark.parametrize("plan", RACERS, ids=lambda plan: type(plan).__name__)
def test_racers_keep_to_the_budget_and_find_something_good(plan) -> None:
    draws, budget = [Draw.of(pool(), seed) for seed in range(2)], 800
    steps = list(plan.run(draws, budget))
    assert steps == list(plan.run(draws, budget))
    assert all(budget / 2 < step.evaluations <= budget for step in steps)
    for step in steps:
        seen = draws[step.draw].seen[step.place]
        shared = seen[: step.examples].mean()
        # With UCB-E every setting draws examples of its own.
        error = 4 * float(seen.std()) / step.examples**0.5 if isinstance(plan, UcbE) else 1e-6
        assert step.reported == pytest.approx(shared, abs=error)
    found = np.mean([draws[step.draw].truth[step.place] for step in steps])
    assert found > pool().worth.mean()


def test_a_race_drops_by_friedmans_test() -> None:
    rng = np.random.default_rng(0)
    alike = rng.integers(0, 10, (4, 12)).astype(np.float32)
    while friedmanchisquare(*alike).pvalue < 0.2:
        alike = rng.integers(0, 10, (4, 12)).astype(np.float32)
    assert FRace()._kept(alike).all()
    worse = alike.copy()
    worse[2] -= 20
    assert friedmanchisquare(*worse).pvalue < 0.05
    assert FRace()._kept(worse).tolist() == [True, True, False, True]
