"""What tuning costs: against the full grid, and against merges on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.serving.process import PYTHON
from hpo_bench.experiments.cost import serving
from hpo_bench.experiments.cost.grid import GridComparison, GridPlan, overall, recorded
from hpo_bench.experiments.cost.grid_page import by_method, by_pair, write_page
from hpo_bench.experiments.cost.trial import ANEW, READ_BACK, RESIDENT, routes_of
from hpo_bench.experiments.cost.turns import CLOCKS, PARTS, Seconds, TrialTiming, in_turns
from hpo_bench.merging.pair import Pair


def made_up(pair: str, difference: float, reached: float = 9.0) -> GridComparison:
    """SYNTHETIC."""
    return GridComparison(
        pair=pair, benchmark="none", method="ta", seeds=1, base=0.3, grid_merges=25, grid_test=0.5, grid_seconds=50.0,
        merges=40.0, reached=reached, test=0.5 + difference, seconds=100.0, difference=difference,
        difference_error=0.005, spread=float("nan"), drift=0.0,
    )  # fmt: skip


FOUND = [made_up("a", 0.02), made_up("b", 0.0, reached=np.inf), made_up("c", -0.02)]


def test_differences_over_pairs_have_students_interval() -> None:
    found = overall(FOUND)
    assert found.value == pytest.approx(0.0)
    assert found.high == pytest.approx(stats.t.ppf(0.975, 2) * 0.02 / np.sqrt(3))
    assert np.isnan(overall(FOUND[:1]).high)


def test_tables_count_in_points_and_who_is_better(tmp_path: Path) -> None:
    first, second, _ = by_pair(FOUND).rows
    assert first.cells[-1] == "+2.0 [+1.0, +3.0]"
    assert "never" in second.cells
    (row,) = by_method(FOUND).rows
    assert row.cells[0] == "3"
    assert row.cells[4] == "2.00", "seconds, tuned over grid"
    assert row.cells[-2:] == ("1", "1")
    plan = GridPlan(
        pairs=(),
        methods=("ta",),
        seeds=1,
        studies=tmp_path,
        built=tmp_path,
        command=("hpo-bench",),
    )
    page = write_page(FOUND, plan, tmp_path).read_text(encoding="utf-8")
    assert "+2.0 [+1.0, +3.0]" in page
    assert (tmp_path / "cost.png").stat().st_size > 1000
    assert len((tmp_path / "cost.csv").read_text().splitlines()) == 4


def test_pairs_without_a_recorded_grid_are_passed_over(small_pair: Pair) -> None:
    named, larger = replace(small_pair, name="ja-llama"), replace(small_pair, name="ja-llama-10m")
    assert recorded((larger, named), ("ta", "dare")) == [named]
    with pytest.raises(UsageError, match="recorded grids"):
        recorded((larger,), ("ta",))


def test_all_routes_in_this_process_answer_alike(small_pair: Pair, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    routes = {
        name: route for name, route in routes_of(small_pair, scratch).items() if name in (RESIDENT, READ_BACK, ANEW)
    }
    resident, back, anew = in_turns(routes, ["ta"], trials=1, scratch=scratch)
    assert all(one.median(part, clock) > 0 for one in (resident, back, anew) for part in PARTS for clock in CLOCKS)
    assert (resident.unlike, back.unlike) == (0, 0)
    assert anew.answers == resident.answers > 0, "rounded to the VLM's type on disk, so not all alike"
    assert sorted(path.name for path in scratch.iterdir()) == ["parts"], "merges are not left behind"


def test_evaluators_take_turns_and_answer_alike(small_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    some = {route: serving.ROUTES[route] for route in (serving.VLLM, serving.LOCAL, serving.GENERATE)}
    monkeypatch.setattr(serving, "ROUTES", some)
    monkeypatch.setenv(PYTHON, "/nowhere/python")
    left_out: list[str] = []
    found = serving.measure(small_pair, trials=1, left_out=left_out.append)
    assert [one.partition(" is left out")[0] for one in left_out] == [serving.VLLM]
    assert [(one.route, len(one.seconds), one.unlike) for one in found] == [
        (serving.LOCAL, 1, 0), (serving.GENERATE, 1, 0)
    ]  # fmt: skip
    assert serving.table(found).rows[0].cells[-1] == f"0 of {found[0].answers}"


def test_medians_are_over_trials() -> None:
    each = [Seconds({"wall": 1.0, "processor": m}, {"wall": 2.0, "processor": e}) for m, e in ((1, 5), (2, 1), (3, 2))]
    timing = TrialTiming("ta", RESIDENT, tuple(each), unlike=0, answers=3)
    assert timing.median("merge", "processor") == 2
    assert timing.median("trial", "processor") == 5
    assert timing.median("trial", "wall") == 3.0
