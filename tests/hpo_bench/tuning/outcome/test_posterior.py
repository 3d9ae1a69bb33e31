"""Recommendations and near-optimal settingss."""

from dataclasses import replace

import numpy as np
import pytest
from tuning_toys import answers, config

from hpo_bench.errors import TuningError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.outcome.posterior import beliefs, near_optimal, recommend
from hpo_bench.tuning.trial import Trial


def trials(n: int, *, luck: dict[int, float] | None = None, error: float = 0.02) -> list[Trial]:
    """SYNTHETIC trials spread over the box, scored by a smooth bowl around (0.5, 0.8)."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(n):
        vl, expert = (float(value) for value in rng.random(2) * 1.4)
        setting = MergeSetting("ta", vl, expert)
        score = 0.8 - 0.3 * (vl - 0.5) ** 2 - 0.3 * (expert - 0.8) ** 2 + (luck or {}).get(number, 0.0)
        made.append(
            Trial(
                number=number, setting=setting, state="complete", asked_after=number, told_as=number, worker="w",
                score=score, standard_error=error,
            )
        )  # fmt: skip
    return made


def distance(setting: MergeSetting) -> float:
    return float(np.hypot(setting.vl_weight - 0.5, setting.exp_weight - 0.8))


def test_the_luckiest_draw_is_not_recommended() -> None:
    plain = trials(50, error=0.05)
    mediocre = min(plain, key=lambda trial: abs(distance(trial.setting) - 0.55)).number
    # Two standard errors of luck, 0.6 from where the score is highest.
    lucky = trials(50, luck={mediocre: 0.12}, error=0.05)
    assert max(lucky, key=lambda trial: trial.score or 0.0).number == mediocre
    chosen = recommend(beliefs(config(), lucky))
    assert chosen.trial.number != mediocre
    assert distance(chosen.setting) < 0.4


def test_no_score_above_one_is_expected() -> None:
    # SYNTHETIC: a slope that ends at a perfect score, which the model goes on with.
    made = [replace(one, score=min(1.0, 0.2 + 0.8 * one.setting.exp_weight), standard_error=0.05) for one in trials(25)]
    held = beliefs(config(), made)
    assert held[0].means.max() > 1.0
    assert recommend(held).mean == 1.0


def test_failures_and_few_trials_do_no_harm() -> None:
    two = trials(2)
    failed = Trial(
        number=2, setting=two[0].setting, state="failed", asked_after=2, told_as=2, worker="w", kind="raised"
    )
    held = beliefs(config(), [*two, failed])
    assert recommend(held).trial.score == max(trial.score or 0.0 for trial in two)
    assert near_optimal(config(), held[0]) is None
    with pytest.raises(TuningError, match="nothing to recommend"):
        recommend(beliefs(config(), [failed]))


def test_zone_holds_what_is_within_a_standard_error_of_the_best() -> None:
    study = config()
    held = beliefs(study, trials(40))[0]
    found = near_optimal(study, held)
    assert found is not None
    # The bowl falls by one standard error, 0.02, at a distance of 0.258: 0.209 of the box of 1.96.
    assert found.extent.share == pytest.approx(np.pi * 0.258**2 / 1.96, rel=0.25)
    low, high = found.extent.ranges["vl_weight"]
    assert low == pytest.approx(0.5 - 0.258, abs=0.1)
    assert high == pytest.approx(0.5 + 0.258, abs=0.1)
    assert found.inside[-1]


def test_methods_are_modelled_apart() -> None:
    study = config(methods=("ta", "ties"))
    mixed = trials(10)
    held = beliefs(study, mixed)
    assert [belief.method for belief in held] == ["ta"]
    assert answers(mixed[0].setting).score <= 1.0
