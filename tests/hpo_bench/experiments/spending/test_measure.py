from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys_of_spending import pool

from hpo_bench.errors import ResultsError
from hpo_bench.experiments.spending import experience, honesty, measure, overhead, page, replays, tables
from hpo_bench.experiments.spending.fit import check, choice, fit, miss
from hpo_bench.experiments.spending.honesty import honest, world
from hpo_bench.experiments.spending.page import SpendingRows, write_page
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.tuning.planning.spending import LossModel


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pools, a third that is kept back, and few plans of few trials."""
    monkeypatch.setattr(measure, "dense", lambda: [pool(), pool(name="two/ta", seed=1)])
    monkeypatch.setattr(measure, "shipped", list)
    monkeypatch.setattr(measure, "kept_back", lambda: [pool(name="three/ta", seed=2)])
    monkeypatch.setattr(replays, "EXAMPLES", {"dense": (40, 160), "landscapes": ()})
    monkeypatch.setattr(replays, "OPTIMIZERS", ("gp-bo", "random"))
    monkeypatch.setattr(replays, "BUDGETS", (400,))
    monkeypatch.setattr(tables, "BUDGETS", (400,))
    monkeypatch.setattr(page, "COMPARED", 400)
    monkeypatch.setattr(replays, "SLOW_BUDGETS", ())
    monkeypatch.setattr(measure, "MOST_SEEN", 400)
    monkeypatch.setitem(replays.MOST, 2, 10)
    monkeypatch.setattr(measure, "STOPPED", (("dense", 2, 100, 1),))
    monkeypatch.setattr(measure, "BEGUN", (("dense", 2, 100, 1),))
    monkeypatch.setattr(measure, "HONEST", {"dense": (100,), "kept-back": (100,), "worlds": (60,)})
    monkeypatch.setattr(honesty, "TRIALS", (8,))
    monkeypatch.setattr(replays, "TRIALS", (5, 8))
    monkeypatch.setattr(replays, "GRIDS", {2: {"25-point grid": 5}, 3: {}})
    monkeypatch.setattr(overhead, "PLANS", ((2, 6),))
    monkeypatch.setattr(overhead, "EXAMPLES", (100,))


@pytest.mark.usefixtures("small")
def test_what_is_there_is_not_replayed_again_and_a_page_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _all(tmp_path)
    cost = found.compared.groupby(["source", "share"])["evaluations"].max()
    assert cost["dense", 0] == cost["kept-back", 0] == 1600
    assert (cost[:, 1] <= 1600).all()
    assert (cost[:, 5] <= 320).all()
    assert set(found.compared[found.compared["source"] == "kept-back"]["pair"]) == {"three"}
    assert {"gp-bo", "random", "25-point grid", "Hyperband"} <= set(found.plans["plan"])
    assert (found.plans["evaluations"] > 0).all()
    assert (found.honest["error"] > 0).all()
    assert set(found.honest["source"]) == {"recorded answers", "answers kept back", "simulation"}
    assert found.ended["settings"].between(5, 10).all()
    assert (found.timed["ask"] > 0).all()
    text = write_page(found, folder=tmp_path).read_text(encoding="utf-8")
    assert "**planned**" in text
    assert "| half the study's loss at its cost | landscapes kept back, 2-D |" in text
    assert "At 400 evaluations these are shown to lose more than the plan: " in text
    assert "- Fine grids, 2-D. The study's protocol" in text
    assert "the plan fitted to other pairs, at that cost" in text
    assert "the plan as `tune` makes it, at that cost" in text
    assert "| nan" not in text
    assert "-0.00" not in text
    monkeypatch.setattr(measure, "dense", lambda: pytest.fail("replayed again"))
    again = _all(tmp_path)
    pd.testing.assert_frame_equal(found.plans, again.plans)
    pd.testing.assert_frame_equal(found.compared, again.compared)


@pytest.mark.usefixtures("small")
def test_landscapes_kept_back_that_change_under_their_names_are_replayed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measure.Measurement(tmp_path, draws=1).untouched()
    monkeypatch.setattr(measure, "kept_back", lambda: [pool(name="three/ta", seed=3)])
    assert not first["loss"].equals(measure.Measurement(tmp_path, draws=1).untouched()["loss"])


def _all(folder: Path) -> SpendingRows:
    made = measure.Measurement(folder, draws=1)
    rows = made.run()
    compared = pd.concat([made.planned(rows), made.untouched()], ignore_index=True)
    return SpendingRows(rows, compared, made.honest(), made.stopped(), made.begun(), made.really(), made.timed())


@pytest.mark.usefixtures("small")
def test_a_damaged_measurement_is_named(tmp_path: Path) -> None:
    job = measure.Measurement(tmp_path, draws=1).jobs[0]
    (tmp_path / job.file).parent.mkdir()
    pd.DataFrame({"loss": [1.0]}).to_parquet(tmp_path / job.file)
    with pytest.raises(ResultsError, match="is no measurement"):
        measure.Measurement(tmp_path, draws=1).run()


def _table(model: LossModel) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"pair": pair, "domain": pair[0], "settings": t, "size": m, "loss": model.loss(t, m) * rng.lognormal(0, 0.05)}
        for pair in ("a1", "a2", "b1", "b2") for t in (5, 8, 16, 40) for m in (80, 320, 800)
    )  # fmt: skip


def test_the_model_is_found_again() -> None:
    model = LossModel(0.4, 3.0, 0.7)
    found = fit(_table(model))
    assert found.search == pytest.approx(0.4, rel=0.1)
    assert found.pace == pytest.approx(3.0, rel=0.2)
    assert found.luck == pytest.approx(0.7, rel=0.1)
    assert choice(model, _table(model), 6400) == (16, 320)
    assert choice(LossModel(0.1, 2.0, 0.7), _table(model), 6400) == (8, 800)
    assert miss(found, _table(model)) < 0.1 < miss(LossModel(0.4, 3.0, 1.4), _table(model))
    checked = check(_table(model), by="pair", budgets=(1600, 6400))
    assert checked.error < 0.1
    assert all(checked.chosen[b] >= checked.hindsight[b] for b in (1600, 6400))


def test_truth_of_a_world_is_what_many_examples_say() -> None:
    one, truth = world(0, 5000)
    np.testing.assert_allclose(one.worth, truth, atol=0.03)  # four standard errors of 10,000 examples, and a little


def test_of_the_only_pair_nothing_can_be_learnt_without_it() -> None:
    plans = set(experience.begun([pool()], 100, draws=1)["plan"])
    assert plans == {experience.OWN}


def test_honest_scores_are_of_the_recommended_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honesty, "TRIALS", (8, 10))
    draws = [Draw.of(pool(), seed) for seed in range(2)]
    found = list(honest(draws, 200))
    assert {(one.way, one.settings) for one in found} == {
        (w, t) for w in (honesty.CROSS_FITTED, honesty.SPLIT_OFF) for t in (8, 10)
    }
    for one in found:
        assert abs(one.score - draws[one.draw].truth[one.place]) < 4 * one.error + 0.05
