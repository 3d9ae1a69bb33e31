"""Analyses that follow stored runs: where optima lie, validation against test, difficulty. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from hpo_bench.analyses import difficulty, optima, transfer
from hpo_bench.analyses.section import analyse, analysed, section, with_runs
from landscapes import catalogue
from landscapes.landscape import Landscape

BUDGET, SEEDS = 12, 3


@pytest.fixture(scope="module")
def landscapes(tmp_path_factory: pytest.TempPathFactory) -> list[Landscape]:
    root = tmp_path_factory.mktemp("grids")
    synthetic.record(root, "smooth-a/ta")
    synthetic.record(root, "smooth-b/dare", seed=2, domain="maths")
    return catalogue.load_all(root=root)


@pytest.fixture(scope="module")
def runs(landscapes: list[Landscape]) -> pd.DataFrame:
    """Random settings under every optimiser's name, in the columns of `benchmark.runs`."""
    frames = []
    for landscape in landscapes:
        for place, optimizer in enumerate(("gp-bo", "cma-es", "pattern-search", "powell", "random")):
            for seed in range(SEEDS):
                rng = np.random.default_rng([place, seed])
                X = landscape.space.from_unit(rng.random((BUDGET, landscape.space.dim)))
                scores = landscape.score(X)
                frame = pd.DataFrame(X, columns=list(landscape.space.names)).assign(
                    landscape=landscape.name, optimizer=optimizer, seed=seed, t=range(1, BUDGET + 1), score=scores,
                    regret=landscape.regret(np.maximum.accumulate(scores)),
                )  # fmt: skip
                frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def followed(landscapes: list[Landscape], runs: pd.DataFrame) -> transfer.Transfer:
    return {one.name: found for one in landscapes if (found := transfer.follow(one, runs)) is not None}


def test_incumbents_are_followed_to_test(landscapes: list[Landscape], runs: pd.DataFrame) -> None:
    found = followed(landscapes, runs)
    landscape = landscapes[0]
    test = landscape.on("test")
    mine = runs[(runs["landscape"] == landscape.name) & (runs["optimizer"] == "powell") & (runs["seed"] == 1)]
    X, scores = mine[list(landscape.space.names)].to_numpy(), mine["score"].to_numpy()
    for t in (1, 4, BUDGET):
        best = int(np.argmax(scores[:t]))
        there = test.regret(test.score(X[[best]]))[0]
        assert found[landscape.name].test["powell"][1, t - 1] == pytest.approx(there)
        assert found[landscape.name].validation["powell"][1, t - 1] == pytest.approx(mine["regret"].iloc[t - 1])
    # Validation and test are of one formula here, so they must agree.
    assert min(one.agreement for one in found.values()) > 0.9


def test_incumbents_under_noise_are_those_that_looked_best_and_count_without_it(
    landscapes: list[Landscape], runs: pd.DataFrame
) -> None:
    seen = runs["score"] + 0.5 * np.random.default_rng(0).standard_normal(len(runs))
    found = followed(landscapes, runs.assign(score=seen))
    for landscape in landscapes:
        for optimizer, validation in found[landscape.name].validation.items():
            mine = (runs["landscape"] == landscape.name) & (runs["optimizer"] == optimizer)
            for seed in range(SEEDS):
                own = runs[mine & (runs["seed"] == seed)]
                best = own.loc[seen[own.index].idxmax(), "score"]
                assert validation[seed, -1] == pytest.approx(landscape.regret(best), abs=1e-9)
            assert validation.min() >= 0.0


def test_losses_are_points_of_the_test_split_where_scores_are_shares(
    landscapes: list[Landscape], runs: pd.DataFrame
) -> None:
    found = followed(landscapes, runs)
    lost = transfer.losses(found, landscapes, ["4", "end"], reference="random")
    assert (lost["landscapes"], lost["unit"]) == (2, "points")
    by_hand = [
        100
        * (one.on("test").optimum.score - one.on("test").minimum.score)
        * found[one.name].test["powell"][:, 3].mean()
        for one in landscapes
    ]
    figures = lost["at"]["4"]["powell"]
    assert figures["value"] == pytest.approx(np.mean(by_hand))
    assert (figures["low"], figures["high"]) == (None, None)  # of two pairs


def test_failed_evaluations_are_never_incumbents() -> None:
    scores = np.array([[np.nan, 0.3, np.nan, 0.2, 0.5]])
    assert transfer._incumbent(scores).tolist() == [[0, 1, 1, 1, 4]]


def test_tables_of_transfer_and_difficulty(landscapes: list[Landscape], runs: pd.DataFrame) -> None:
    table = transfer.table(followed(landscapes, runs), {"gp-bo": "GP-BO"})
    assert {row.head for row in table.rows} == {"GP-BO", "cma-es", "pattern-search", "powell", "random"}
    expected = {one.name: one.random_regret(BUDGET) for one in landscapes}
    hard = difficulty.table(landscapes, runs, expected)
    assert [row.head for row in hard.rows] == ["language", "maths", "TA", "DARE"]
    language = hard.rows[0].cells
    assert language[0] == "1"
    random = landscapes[0].random_regret(BUDGET)[-1]
    assert language[1] == f"{100 * random:.1f}%"
    last = runs[(runs["t"] == BUDGET) & (runs["landscape"] == "smooth-a/ta")].groupby("optimizer")["regret"].mean()
    assert language[2] == f"{last[['pattern-search', 'powell']].mean() / random:.2f}"
    early = difficulty.table(landscapes, runs, expected, at=4).rows[0].cells
    assert early[1] == f"{100 * landscapes[0].random_regret(4)[-1]:.1f}%"


def test_the_last_three_quarters_begin_after_the_first() -> None:
    validation = np.array([[0.5, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1]])
    test = np.array([[0.5, 0.1, 0.3, 0.3, 0.3, 0.3, 0.2, 0.2]])
    found = {"a/ta": transfer.Followed({"random": validation}, {"random": test}, 0.9, 0.2)}
    assert transfer.table(found, {}).rows[0].cells[-1] == "1 of 1", "worse than after two of eight evaluations"


def test_a_difference_says_of_how_few_pairs_it_is_and_nothing_has_no_sign() -> None:
    local, wide = np.array([0.12, 0.22]), np.array([0.1, 0.2])
    assert difficulty._difference(local, wide, ["a", "a"]) == "+2.0% (1 pair)"
    assert difficulty._difference(local, wide, ["a", "b"]) == "+2.0% (2 pairs)"
    nearly = difficulty._difference(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.3003]), list("abc"))
    assert nearly.startswith("+0.0% [")
    assert "-0.0" not in nearly


def test_without_coefficients_nothing_is_drawn_of_them(tmp_path: Path) -> None:
    axes = tuple(p for p in synthetic.card("smooth-a/dare").parameters if p.name != "vl_weight")
    plain = Landscape.read(synthetic.record(tmp_path, "smooth-a/dare", parameters=axes))
    assert analyse([plain]).figures == ()


def test_where_the_optimum_lies(landscapes: list[Landscape]) -> None:
    found = [optima.find(landscape) for landscape in landscapes]
    test = landscapes[0].on("test")
    assert found[0].x == pytest.approx(test.optimum.x)
    assert found[0].total == pytest.approx(test.optimum.x.sum())
    assert 0 < found[0].zone < 0.5
    assert optima.by_method(found).rows[1].head == "DARE"
    assert "on the box" in optima.table(found).columns[3]


def test_edges_are_named(tmp_path: Path) -> None:
    about = synthetic.card("smooth-a/ta")
    answers = synthetic.outcomes(about)
    answers["correct"] = (
        answers["vl_weight"] + 0.1 * answers["exp_weight"]
        > 0.9 * answers.groupby("id")["vl_weight"].transform("mean") + answers["id"].str[-2:].astype(int) / 100
    )
    from landscapes.grid import write_grid

    write_grid(tmp_path / "grid.parquet", synthetic.rows(about, answers), about.space)
    about.write(tmp_path / "card.yaml")
    assert "vl_weight" in optima.find(Landscape.read(tmp_path)).on_edge


def test_the_section_has_it_all(landscapes: list[Landscape], runs: pd.DataFrame) -> None:
    grids = analyse(landscapes)
    whole = analyse(landscapes, runs)
    assert len(grids.figures) == 2
    assert [drawn.name for drawn in whole.figures] == ["study_restrictions", "study_optima", "study_transfer"]
    assert len(whole.tables) == len(grids.tables) + 3
    assert any("Rank correlation of validation and test" in sentence for sentence in whole.sentences)


def test_how_hard_it_is_under_noise_is_measured_by_random_under_noise(
    landscapes: list[Landscape], runs: pd.DataFrame
) -> None:
    noisy = runs.assign(reported=runs["score"])
    title = "How hard landscapes are, at the end of the budget (section 4.2.2)"
    unknown = analyse(landscapes, noisy)
    assert title not in unknown.tables
    assert any("these runs had noise" in sentence for sentence in unknown.sentences)
    given = {one.name: np.full(BUDGET, 0.25) for one in landscapes}
    found = section(landscapes, [analysed(one) for one in with_runs(landscapes, noisy)], noisy, random=given)
    assert found.tables[title].rows[0].cells[1] == "25.0%"
