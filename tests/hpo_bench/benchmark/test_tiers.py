"""Rankings on tiers of landscapes are compared. Numbers are SYNTHETIC."""

import numpy as np
import pytest
import synthetic

import hpo_bench as hb
from hpo_bench.benchmark import tiers


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> hb.BenchmarkResult:
    root = tmp_path_factory.mktemp("grids")
    for place, tier in enumerate(("nano", "nano", "elsewhere", "pretrained")):
        synthetic.record(root, f"smooth-{'abcd'[place]}/ta", seed=place, tier=tier)
    return hb.run_benchmark(["random", "sobol", "powell"], landscapes_dir=root, seeds=2, budget=12, progress=False)


def test_every_two_tiers_are_compared(result: hb.BenchmarkResult) -> None:
    found = result.summary["tiers"]
    assert found["landscapes"] == {"nano": 2, "pretrained": 1, "elsewhere": 1}
    assert found["pairs"] == {"nano": 2, "pretrained": 1, "elsewhere": 1}
    assert [one["tiers"] for one in found["agreement"]] == [
        ["nano", "pretrained"], ["nano", "elsewhere"], ["pretrained", "elsewhere"],
    ]  # fmt: skip
    for one in found["agreement"]:
        for at in one["at"].values():
            assert -1 <= at["tau"] <= 1
            assert at["low"] is at["high"] is None  # of two pairs nothing can be said
    of_nano = result.runs[result.runs["landscape"].isin(["smooth-a/ta", "smooth-b/ta"]) & (result.runs["t"] == 12)]
    mean = of_nano[of_nano["optimizer"] == "sobol"]["regret"].mean()
    assert found["mean_regret"]["end"]["nano"]["sobol"] == pytest.approx(mean)


def test_of_six_pairs_and_more_there_is_an_interval() -> None:
    rng = np.random.default_rng(0)
    regrets = {name: mean + 0.05 * rng.random((6, 4)) for name, mean in (("a", 0.1), ("b", 0.2), ("c", 0.12))}
    six, five = list("uvwxyz"), list("uvwxyy")
    found = tiers.compared(regrets, regrets, pairs=six, reference_pairs=six)
    assert found["low"] is not None
    assert found["high"] is not None
    assert -1 <= found["low"] <= found["high"] <= 1 == found["tau"]
    assert tiers.shown(found).startswith("1.00 [")
    assert tiers.shown(tiers.compared(regrets, regrets, pairs=six, reference_pairs=five)) == "1.00"


def test_they_are_told_in_tables_and_a_sentence(result: hb.BenchmarkResult) -> None:
    table = tiers.agreement(result.summary)
    assert table is not None
    assert table.rows[0].head == "nano and pretrained"
    by_tier = tiers.regrets(result.summary)
    assert by_tier is not None
    assert by_tier.columns[1:] == ("nano (2)", "pretrained (1)", "elsewhere (1)")
    assert tiers.sentence(result.summary).startswith("Agreement of tiers (Kendall’s tau of rankings at the end): nano")


def test_one_tier_has_nothing_to_agree_with(result: hb.BenchmarkResult) -> None:
    plan = result.plan
    alone = hb.run_benchmark(
        ["random", "sobol"], landscapes=["smooth-a", "smooth-b"], landscapes_dir=_root(plan), seeds=1, budget=4,
        progress=False,
    )  # fmt: skip
    assert alone.summary["tiers"]["landscapes"] == {"nano": 2}
    assert tiers.agreement(alone.summary) is None
    assert tiers.regrets(alone.summary) is None
    assert tiers.sentence(alone.summary) == ""


def _root(plan):
    return plan.landscapes[0].folder.parents[1]
