"""Recorded answers replayed example by example: what recommendations are worth on examples that nobody tuned on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
import synthetic_truth
from click.testing import CliRunner

from hpo_bench import api
from hpo_bench.benchmark import answer, pipeline
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.replay.pool import recorded
from hpo_bench.benchmark.replay.problem import ReplayedLandscape
from hpo_bench.benchmark.searches import taken
from hpo_bench.cli.run import command
from hpo_bench.errors import UsageError
from landscapes import catalogue
from landscapes.errors import InvalidGridError
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape
from landscapes.vlm_answers import FILE, write_vlm_answers


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("replay")
    folder = synthetic.record(place, "smooth-a/ta")
    synthetic_truth.hold_out(folder)
    synthetic.ask_vlm(folder)
    return place


@pytest.fixture(scope="module")
def landscape(root: Path) -> Landscape:
    return Landscape.read(root / "smooth-a" / "ta")


def plan(own: Path, *names: str, told: list[str]) -> Plan:
    return pipeline.plan(
        names, identities=["random"], seeds=1, budget=4, surrogate=None, landscapes_dir=own, goal="test",
        warned=told.append,
    )  # fmt: skip


def test_a_run_never_sees_the_examples_that_count(landscape: Landscape) -> None:
    replay = ReplayedLandscape(landscape, 100)
    assert replay.examples == 100
    pool, seen = replay._pool, set()
    for seed in range(40):
        seen |= set(replay._drawn(np.random.default_rng([seed, 2])).tolist())
    assert len(seen) == 160
    assert not seen & set(replay._unseen.tolist())
    place = 7
    x = replay.space.from_unit(pool.X[[place]])
    assert replay.score(x)[0] == pytest.approx(pool.answers[place, replay._unseen].mean())
    told, error = replay.noisily(3)(x[0])
    own = pool.answers[place, replay._drawn(np.random.default_rng([3, 2]))]
    assert told == pytest.approx(own.mean())
    assert error == pytest.approx(own.std() / 10, rel=0.1)


def test_errors_are_those_of_paired_differences_and_runs_repeat(landscape: Landscape) -> None:
    replay = ReplayedLandscape(landscape)
    assert replay.examples == 80, "as many as were tuned on"
    points = replay.space.from_unit(np.array([[0.5, 0.5], [0.55, 0.5], [0.5, 0.5]]))
    first, second = ([evaluate(x) for x in points] for evaluate in (replay.noisily(0), replay.noisily(0)))
    assert first == second
    assert first[0] != replay.noisily(1)(points[0])
    assert first[2][0] == first[0][0]
    assert first[1][1] < first[0][1] / 2
    assert replay.content_hash != ReplayedLandscape(landscape, 40).content_hash != landscape.content_hash


def test_nothing_is_better_than_the_optimum_and_random_is_what_it_does(landscape: Landscape) -> None:
    replay = ReplayedLandscape(landscape, 40)
    regret = replay.regret(replay.score(replay.space.from_unit(np.random.default_rng(0).random((500, 2)))))
    assert regret.min() >= 0.0
    assert replay.regret([replay.optimum.score, replay.minimum.score]).tolist() == [0.0, 1.0]
    simulated = taken(*replay.tried((2000, 8), rng=np.random.default_rng(0))).mean(axis=0)
    real = np.array([_random_search(replay, seed, 8) for seed in range(400)]).mean(axis=0)
    assert simulated == pytest.approx(real, abs=0.035)
    assert simulated[-1] < simulated[0]


def _random_search(replay: ReplayedLandscape, seed: int, n: int) -> np.ndarray:
    points = replay.space.from_unit(np.random.default_rng([seed, 99]).random((n, 2)))
    evaluate = replay.noisily(seed)
    told = np.array([evaluate(x)[0] for x in points])
    best = [int(told[: t + 1].argmax()) for t in range(n)]
    return replay.regret(replay.score(points[best]))


def test_a_benchmark_says_what_recommendations_are_worth(root: Path, tmp_path: Path) -> None:
    run = ["--goal", "test", "--landscapes-dir", str(root), "-o", "gp-bo", "-o", "random", "--seeds", "3", "--budget",
           "12", "--examples-each", "60", "-j", "1", "--results", str(tmp_path / "results")]  # fmt: skip
    done = CliRunner().invoke(command, run, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "What is recommended, on unseen examples of 1 landscape" in done.output
    assert ": on unseen examples of this one pair, at " in done.output
    assert "95% intervals over the seeds of one pair; " in done.output
    assert "Every setting answers 60 examples" in done.output
    content = json.loads((tmp_path / "results" / "summary.json").read_text())
    found = content["unseen"]
    runs = pd.read_parquet(tmp_path / "results" / "runs.parquet")
    own = runs[(runs["optimizer"] == "gp-bo") & (runs["t"] == 12)]
    replay = ReplayedLandscape(Landscape.read(root / "smooth-a" / "ta"), 60)
    assert found["at"]["end"]["gp-bo"]["value"] == pytest.approx(
        100 * (replay.optimum.score - own["best_so_far"].mean())
    )
    assert found["optimism"]["end"]["gp-bo"]["value"] == pytest.approx(
        100 * (own["reported"] - own["best_so_far"]).mean(), abs=1e-9
    )
    assert found["beats"]["end"]["gp-bo"] == pytest.approx((own["best_so_far"] > replay.base).mean())
    found["optimism"]["end"]["gp-bo"] = {"value": -3.8, "low": -5.0, "high": 0.2}
    assert "is 3.80 [-0.20, 5.00] points too low." in answer.sentences(content)["What its score promises"]
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "Half of the examples, the same for all runs" in page


def test_what_cannot_be_replayed_is_refused(tmp_path: Path, landscape: Landscape) -> None:
    bare = Landscape.read(synthetic.record(tmp_path, "smooth-b/ta"))
    with pytest.raises(InvalidGridError, match="has no answers, example by example"):
        ReplayedLandscape(bare)
    with pytest.raises(UsageError, match="leave out --noisy"):
        api.run_benchmark(["random"], goal="test", noisy=True)
    with pytest.raises(UsageError, match="needs --goal test"):
        api.run_benchmark(["random"], examples_each=40)
    with pytest.raises(UsageError, match="--examples-each takes 2 or more: a single answer has no standard error"):
        api.run_benchmark(["random"], goal="test", examples_each=1)


def test_the_vlm_and_the_settings_must_have_answered_the_same_examples(tmp_path: Path, root: Path) -> None:
    folder = shutil.copytree(root / "smooth-a" / "ta", tmp_path / "smooth-a" / "ta")
    write_vlm_answers(folder / FILE, pd.read_parquet(folder / FILE).iloc[1:-1])
    with pytest.raises(InvalidGridError, match=r"vlm\.parquet: the VLM as it is answered other test examples"):
        recorded("smooth-a/ta", folder)


def test_grid_and_held_out_settings_must_have_answered_the_same_examples(tmp_path: Path, root: Path) -> None:
    folder = shutil.copytree(root / "smooth-a" / "ta", tmp_path / "smooth-a" / "ta")
    synthetic.record(tmp_path, "smooth-a/ta", n_examples={**synthetic.EXAMPLES, "test": {"skill": 99}})
    with pytest.raises(InvalidGridError, match=r"held_out/outcomes\.parquet: other test examples than the grid's"):
        recorded("smooth-a/ta", folder)


def test_what_has_no_test_split_is_no_replay(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta", n_examples={"validation": {"skill": 40}})
    synthetic.ask_vlm(folder)
    assert recorded("smooth-a/ta", folder) is None


def test_every_landscape_that_ships_can_be_replayed() -> None:
    for name in catalogue.names():
        pool = recorded(name, catalogue.find(name))
        assert pool is not None, name
        assert pool.answers.shape == (len(pool.X), len(pool.base)), name


@pytest.mark.parametrize(("times", "shift"), [(100, 0), (1, -1)])
def test_answers_that_do_not_score_from_0_to_1_are_no_points(
    tmp_path: Path, root: Path, times: float, shift: float
) -> None:
    own = shutil.copytree(root, tmp_path / "own")
    folder = synthetic.record(own, "other-scale/ta")
    synthetic.ask_vlm(folder)
    for file in (folder / "outcomes.parquet", folder / FILE):
        answers = pd.read_parquet(file)
        answers.assign(correct=times * answers["correct"].astype(float) + shift).to_parquet(file)
    told: list[str] = []
    assert [one.name for one in plan(own, told=told).landscapes] == ["smooth-a/ta"]
    assert told == ["left out, as answers do not all score from 0 to 1: other-scale/ta"]
    with pytest.raises(InvalidGridError, match=r"other-scale/ta scores from 0 to 1, .* divide scores by the highest"):
        plan(own, "other-scale/ta", told=told)


def test_what_cannot_be_replayed_is_left_out_unasked_and_refused_by_name(tmp_path: Path, root: Path) -> None:
    shutil.copytree(root, tmp_path / "own")
    synthetic.record(tmp_path / "own", "smooth-b/ties")

    told: list[str] = []
    assert [one.name for one in plan(tmp_path / "own", told=told).landscapes] == ["smooth-a/ta"]
    assert told == ["left out, as answers of the VLM as it is are not recorded: smooth-b/ties"]
    with pytest.raises(InvalidGridError, match="smooth-b/ties has no answers"):
        plan(tmp_path / "own", "smooth-b/ties", told=told)


@pytest.mark.parametrize(
    ("test", "flat", "message"),
    [
        (3, False, "few-c/ta has 3 test examples, of which a half is unseen, and .* takes 4 or more"),
        (40, True, "all recorded settings of few-c/ta score alike on the 20 unseen examples"),
    ],
)
def test_answers_that_tell_no_setting_from_another_are_no_replay(
    tmp_path: Path, root: Path, test: int, flat: bool, message: str
) -> None:
    own = shutil.copytree(root, tmp_path / "own")
    folder = synthetic.record(own, "few-c/ta", n_examples={**synthetic.EXAMPLES, "test": {"skill": test}})
    synthetic.ask_vlm(folder)
    if flat:
        answers = pd.read_parquet(folder / "outcomes.parquet")
        answers.assign(correct=answers["correct"] | (answers["split"] == "test")).to_parquet(
            folder / "outcomes.parquet"
        )
    told: list[str] = []
    assert [one.name for one in plan(own, told=told).landscapes] == ["smooth-a/ta"]
    assert told == [
        "left out, as test examples are too few, or unseen ones are answered alike at every setting: few-c/ta"
    ]
    with pytest.raises(InvalidGridError, match=message):
        plan(own, "few-c/ta", told=told)


def test_random_rounds_whole_numbers_before_it_takes_the_nearest_setting(tmp_path: Path) -> None:
    """From 1 and 4 on a log scale, 2 and 3 are nearest as they are, and what rounds to them is, too. SYNTHETIC."""
    answers = [(n, f"q{i}", i % 10 < n + i % 3, "val" if i < 20 else "test") for n in (1, 2, 4, 8) for i in range(60)]
    answers += [("", f"q{i}", False, "val" if i < 20 else "test") for i in range(60)]
    path = tmp_path / "answers.csv"
    pd.DataFrame(answers, columns=["n", "id", "correct", "part"]).to_csv(path, index=False)
    reading = Reading(
        parameters={"n": None}, kinds={"n": frozenset({"log", "int"})}, metric="correct", example="id", split="part"
    )
    replay = ReplayedLandscape(
        import_table(path, reading, name="mine/layers", root=tmp_path / "own", command="hpo-bench landscapes add")
    )
    u = np.random.default_rng(0).random((4000, 1))
    expected = replay.score(replay.space.from_unit(u))  # as a run is scored
    assert replay._scores_in_cube(u).tolist() == expected.tolist()
    regret, _ = replay.tried((1000, 4), rng=np.random.default_rng(0))
    assert regret.shape == (1000, 4)
    assert regret.ravel().tolist() == replay.regret(expected).tolist()
