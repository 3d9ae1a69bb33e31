"""What restricting the sum costs, by hand. Numbers are SYNTHETIC."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic

from hpo_bench.analyses import paper, restrictions, section
from landscapes.landscape import Landscape
from landscapes.outcomes import Outcomes


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Landscape:
    return synthetic.landscape(tmp_path_factory.mktemp("grids"), "rugged-b/dare", kind="rugged", seed=3)


def test_relative_regret_by_hand_on_the_test_split(landscape: Landscape) -> None:
    found = {cost.restriction: cost for cost in restrictions.costs([landscape])}
    grid = landscape.on("test").grid
    total = np.round(grid.X[:, 0] + grid.X[:, 1], 6)
    for restriction, sums in (("sum_to_one", [1.0]), ("relaxed_sum", [0.8, 1.0, 1.2])):
        best = grid.scores[np.isin(total, sums)].max()
        assert found[restriction].percent == pytest.approx(100 * (grid.scores.max() - best) / grid.scores.max())
    assert found["relaxed_sum"].percent <= found["sum_to_one"].percent


def test_beside_it_is_what_validation_picks_with_the_error_of_the_paired_difference(landscape: Landscape) -> None:
    cost = restrictions.costs([landscape])[0]
    test = landscape.on("test")
    assert landscape.folder is not None
    answers = Outcomes.read(landscape.folder / "outcomes.parquet", test.space, split="test").correct
    allowed = np.flatnonzero(np.isclose(test.grid.X[:, :2].sum(1), 1))
    kept = allowed[np.argmax(landscape.grid.scores[allowed])]
    lost = answers[landscape.grid.best] - answers[kept]
    scale = 100 / test.grid.scores[landscape.grid.best]
    assert cost.picked == pytest.approx(scale * lost.mean())
    assert cost.error == pytest.approx(scale * lost.std(ddof=1) / np.sqrt(len(lost)))
    assert cost.visible == (cost.picked > 2 * cost.error)


def test_where_all_settings_are_worth_the_same_no_cost_is_seen() -> None:
    luck = np.random.default_rng(0)
    allowed = np.arange(25) < 5
    seen = above = 0
    for _ in range(200):
        tuned, correct = luck.random(25), luck.integers(0, 2, (25, 400)).astype(float)
        cost, error = restrictions.picked(tuned, correct, allowed)
        seen += cost > 2 * error
        above += correct.mean(axis=1)[~allowed].max() > correct.mean(axis=1)[allowed].max()
    assert above > 120  # the luckiest of many is above the luckiest of few
    assert seen < 12


def test_the_studys_table_is_whole() -> None:
    table = paper.restriction_costs()
    assert len(table) == 60
    assert set(table["restriction"]) == set(restrictions.WITHIN)
    worst = table.sort_values("relative_regret_percent").iloc[-1]
    assert (worst["scenario"], worst["method"], worst["relative_regret_percent"]) == ("WV-I2", "TA", 25)


def test_tables_have_a_row_for_each(landscape: Landscape) -> None:
    costs = restrictions.costs([landscape])
    assert [row.head for row in restrictions.table(costs).rows] == ["rugged-b/dare†"]
    beside = restrictions.side_by_side(costs)
    assert [row.head for row in beside.rows] == ["DARE, sum = 1", "DARE, sum within 0.2 of 1"]
    # Ten scenarios, of which three lose nothing with DARE at a sum of 1.
    assert beside.rows[0].cells[1] == "3.5, 19.0, 3 of 10"


def test_what_was_not_recorded_on_test_is_not_said_to_be_invisible() -> None:
    unknown, seen = (
        restrictions.Cost("a/ta", "ta", "sum_to_one", 3.0, picked, error, weak=False)
        for picked, error in ((float("nan"), float("nan")), (3.0, 1.0))
    )
    assert [restrictions.seen(of) for of in ([unknown], [seen, unknown], [seen])] == ["–", "1 of 1", "1 of 1"]
    assert restrictions.side_by_side([unknown]).rows[0].cells[-1] == "–"
    assert "sum = 1: not known whether visible, worst 3.0% (a/ta)" in section._restriction_sentence([unknown])
    assert "sum = 1: visible on 1 of 1, worst" in section._restriction_sentence([seen, unknown])
    weak = replace(seen, weak=True)
    assert "sum = 1: visible on 1 of 1, worst" in section._restriction_sentence([weak, unknown])
    assert "visible on 2 of 2 (1 of 1 without weak ones)" in section._restriction_sentence([weak, seen])


def test_landscapes_without_both_coefficients_are_passed_over(tmp_path: Path) -> None:
    axes = tuple(p for p in synthetic.card("smooth-a/dare").parameters if p.name != "vl_weight")
    assert restrictions.costs([Landscape.read(synthetic.record(tmp_path, "smooth-a/dare", parameters=axes))]) == []
