"""One face for Python: `import hpo_bench as hb`."""

import ast
import doctest
import functools
import inspect
import json
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic

import hpo_bench as hb
from hpo_bench import api, search
from hpo_bench.errors import ResultsError, UsageError
from landscapes import space
from landscapes.errors import InvalidSpaceError, UnknownLandscapeError
from optimizers.base import Optimizer
from optimizers.errors import OptimizerError
from optimizers.gp_bo import GpBo
from optimizers.random_search import RandomSearch

HEAVY = ("torch", "numpy", "pandas", "scipy", "matplotlib", "rich", "optuna", "transformers", "click", "hpo_bench.api")
SECONDS = 0.2


def in_a_fresh_interpreter(code: str) -> dict:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_it_is_imported_at_once_and_imports_nothing_before_it_is_used() -> None:
    told = in_a_fresh_interpreter(
        f"""
import json, sys, time
begin = time.process_time()
import hpo_bench as hb
seconds = time.process_time() - begin
heavy = [name for name in {HEAVY!r} if name in sys.modules]
hb.HpoBenchError
used = [name for name in {HEAVY!r} if name in sys.modules]
hb.SearchSpace
print(json.dumps([seconds, heavy, used, "numpy" in sys.modules, "torch" in sys.modules]))
"""
    )
    seconds, heavy, used, numpy, torch = told
    assert seconds < SECONDS
    assert (heavy, used, numpy, torch) == ([], [], True, False)


def test_landscapes_and_cheap_searches_need_no_torch() -> None:
    told = in_a_fresh_interpreter(
        """
import json, sys
import hpo_bench as hb
hb.load_landscape("ja-llama/ta")
best = hb.maximize(lambda x: -x, {"x": (0, 1)}, trials=3, optimizer="grid")
print(json.dumps({name: name in sys.modules for name in ("torch", "matplotlib", "optuna", "transformers")}))
"""
    )
    assert told == dict.fromkeys(told, False)


def test_every_name_is_where_type_checkers_are_told_it_is() -> None:
    tree = ast.parse(inspect.getsource(hb))
    told = next(one for one in tree.body if isinstance(one, ast.If)).body
    imported = {name.name: one.module for one in told if isinstance(one, ast.ImportFrom) for name in one.names}
    assert imported == hb._HOMES
    assert sorted(hb.__all__) == sorted([*hb._HOMES, "__version__"])
    assert dir(hb) == sorted(hb.__all__)  # and nothing that the module itself imports
    for name in hb._HOMES:
        found = getattr(hb, name)
        assert found.__module__ == hb._HOMES[name], name
        assert len(inspect.getdoc(found) or "") > 30, name
    assert hb.__version__ == version("hpo-bench")
    with pytest.raises(AttributeError, match="no attribute 'tuen'") as mistyped:
        hb.tuen  # noqa: B018
    assert (mistyped.value.name, mistyped.value.obj) == ("tuen", hb)  # by which Python suggests `tune`


def test_what_is_offered_says_all_its_arguments_and_what_it_raises() -> None:
    for name in hb.__all__:
        found = getattr(hb, name)
        if inspect.isfunction(found):
            text = inspect.getdoc(found) or ""
            for argument in inspect.signature(found).parameters:
                assert f"{argument}: " in text, (name, argument)
            assert "Raises:" in text, name


@pytest.mark.parametrize("module", [api, search, space], ids=lambda module: module.__name__)
def test_examples_do_what_they_say(module: object) -> None:
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried
    assert not failed


# run_benchmark


class Halving(Optimizer):
    """Samples around the best so far."""

    name, label = "halving", "Halving"

    def _next(self) -> np.ndarray:
        X, scores = self.history
        rng = np.random.default_rng([self.seed, len(scores)])
        return X[np.argmax(scores)] + rng.normal(0, 0.2, self.dim) if len(scores) else rng.random(self.dim)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grids")
    synthetic.record(root, "smooth-a/ta")
    synthetic.record(root, "rugged-b/ta", kind="rugged", seed=3)
    return root


@pytest.fixture(scope="module")
def result(root: Path) -> hb.BenchmarkResult:
    return hb.run_benchmark([Halving, "random"], landscapes_dir=root, seeds=2, budget=12, progress=False)


def test_a_benchmark_of_a_class_and_a_name(result: hb.BenchmarkResult) -> None:
    assert (result.made, result.reused, result.page) == (8, 0, None)
    assert len(result.runs) == 2 * 2 * 2 * 12
    runs = result.to_frame()
    runs["score"] = 0.0
    assert result.runs["score"].abs().max() > 0
    headline = result.headline
    assert headline.index.names == ["optimizer", "at"]
    assert set(headline.index.get_level_values("optimizer")) == {"Halving", "Random"}
    end = headline.xs("end", level="at")
    told = result.summary["optimizers"]["random"]["at"]["end"]["ratio_of_means_all"]
    assert end.loc["Random", "ratio_of_means"] == told["value"]
    assert list(end.index) == [one["label"] for one in result.summary["optimizers"].values()]
    assert headline.dtypes.eq(float).all()
    assert "2 optimizers on 2 landscapes, 2 seeds" in repr(result)


def test_figures(result: hb.BenchmarkResult) -> None:
    assert len(result.plot().axes) == len(result.benchmark.checkpoints)
    with pytest.raises(UsageError, match="no figure is called 'curves'; there are: ror, regret_curves"):
        result.plot("curves")


@pytest.mark.usefixtures("quick_page")
def test_a_report_is_written_into_any_folder(result: hb.BenchmarkResult, tmp_path: Path) -> None:
    page = result.write_report(tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    assert "Halving" in page.read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "report" / "runs.parquet"), result.runs)
    kept = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert kept["optimizers"] == result.summary["optimizers"]
    assert set(kept["files"]) == {"index.html", "runs.parquet"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(ResultsError, match=r"holds thesis\.tex"):
        result.write_report(tmp_path / "other")


def test_runs_are_kept_where_asked_and_made_once(root: Path, tmp_path: Path) -> None:
    asked = {"landscapes": "smooth-a", "landscapes_dir": root, "seeds": 1, "budget": 11, "progress": False}
    first = hb.run_benchmark([Halving, RandomSearch], results=tmp_path / "results", **asked)
    again = hb.run_benchmark([Halving, "random"], results=tmp_path / "results", **asked)
    assert (first.made, again.made, again.reused) == (2, 0, 2)
    pd.testing.assert_frame_equal(first.runs, again.runs)
    with pytest.raises(UsageError, match="needs a results folder"):
        hb.run_benchmark("random", report=True, **asked)


@pytest.mark.parametrize("what", ["seeds", "budget", "examples_each"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "5"])
def test_what_is_counted_is_a_whole_number_from_1_up(root: Path, what: str, value: object) -> None:
    goal = "test" if what == "examples_each" else "score"
    asked = {"seeds": 1, "budget": 2, "landscapes_dir": root, "progress": False, "goal": goal}
    with pytest.raises(UsageError, match=f"{what} must be an integer of at least 1"):
        hb.run_benchmark("random", **{**asked, what: value})


def test_whole_numbers_of_numpy_are_counted(root: Path) -> None:
    asked = {"landscapes": "smooth-a", "landscapes_dir": root, "progress": False}
    result = hb.run_benchmark("random", seeds=np.int64(2), budget=np.int32(3), **asked)
    assert (len(result.runs), result.summary["seeds"]) == (6, 2)


def test_a_class_may_be_given_alone_and_a_goal_that_is_none_is_refused(root: Path) -> None:
    asked = {"landscapes": "smooth-a", "landscapes_dir": root, "seeds": 1, "budget": 2, "progress": False}
    assert set(hb.run_benchmark(RandomSearch, **asked).runs["optimizer"]) == {"random"}
    with pytest.raises(UsageError, match="no goal is called 'tests'; did you mean 'test'"):
        hb.run_benchmark("random", goal="tests", **asked)


def test_the_very_class_is_run_and_none_by_its_address(root: Path) -> None:
    """As two notebooks' cells make it: one name, no module to find it in, and another class each time."""

    def cell(step: float) -> type[Optimizer]:
        space = {"__name__": "__main__", "Optimizer": Optimizer, "np": np}
        exec(  # noqa: S102
            textwrap.dedent(f"""
            class Mine(Optimizer):
                name, label = "mine", "Mine"
                def _next(self):
                    return np.full(self.dim, {step} * (1 + self.asked))
            """),
            space,
        )
        return space["Mine"]

    asked = {"landscapes": "smooth-a", "landscapes_dir": root, "seeds": 1, "budget": 11, "progress": False}
    slow, fast = (hb.run_benchmark([cell(step)], **asked).runs["vl_weight"].to_numpy() for step in (0.01, 0.05))
    assert np.ptp(fast) == pytest.approx(5 * np.ptp(slow))


def test_a_class_is_known_by_the_name_it_is_offered_under(root: Path) -> None:
    asked = {"landscapes": "smooth-a", "landscapes_dir": root, "seeds": 1, "budget": 11, "progress": False}
    assert set(hb.run_benchmark([RandomSearch, Halving], **asked).runs["optimizer"]) == {
        "random",
        f"{__name__}:Halving",
    }
    with pytest.raises(OptimizerError, match=r"no subclass of optimizers\.Optimizer"):
        hb.run_benchmark([dict], **asked)  # type: ignore[list-item]


def test_optimizers_and_landscapes_may_be_any_iterable_of_what_they_are(root: Path) -> None:
    asked: Any = {"landscapes_dir": root, "seeds": 1, "budget": 2, "progress": False}
    named = hb.run_benchmark((name for name in ("random", "sobol")), landscapes=iter(["smooth-a/ta"]), **asked)
    assert set(named.runs["optimizer"]) == {"random", "sobol"}
    landscape = hb.load_landscape("smooth-a/ta", landscapes_dir=root)
    for given in (landscape, [landscape]):
        with pytest.raises(UsageError, match=r"landscapes (are given by name|must be one or a list)"):
            hb.run_benchmark("random", landscapes=given, **asked)
    with pytest.raises(UsageError, match="optimizers must be one or a list of them, not 3"):
        hb.run_benchmark(3, landscapes="smooth-a/ta", **asked)


@pytest.mark.parametrize("jobs", [-1, 1.5, "2", True])
def test_jobs_are_a_whole_number_from_0_up(root: Path, jobs: Any) -> None:
    with pytest.raises(UsageError, match="jobs must be an integer of at least 0"):
        hb.run_benchmark("random", landscapes_dir=root, jobs=jobs, progress=False)


def test_what_is_unknown_is_said(root: Path) -> None:
    with pytest.raises(OptimizerError, match="did you mean 'random'"):
        hb.run_benchmark(["randm"], landscapes_dir=root, progress=False)
    with pytest.raises(UnknownLandscapeError, match="smooth-a"):
        hb.run_benchmark(["random"], landscapes="smoth-a", landscapes_dir=root, progress=False)


# maximize


def hill(lr: float, layers: int) -> float:
    return -((np.log10(lr) + 3) ** 2) - abs(layers - 5)


SPACE = {"lr": (1e-5, 1e-1, "log"), "layers": (1, 8, "int")}


def test_it_finds_the_top_of_a_hill_in_named_log_and_whole_parameters() -> None:
    assert repr(hb.maximize(hill, SPACE, trials=1)).endswith(", after 1 trial>")
    best = hb.maximize(hill, SPACE, trials=25)
    assert best.parameters["layers"] == 5
    assert isinstance(best.parameters["layers"], int)
    assert abs(np.log10(best.parameters["lr"]) + 3) < 0.3
    assert best.score == hill(**best.parameters) == best.trials["score"].max()
    assert list(best.trials.columns) == ["lr", "layers", "score", "standard_error"]
    assert len(best.trials) == len(best.to_frame()) == 25
    assert pd.api.types.is_integer_dtype(best.trials["layers"])
    assert isinstance(best.optimizer, GpBo)
    assert "after 25 trials" in repr(best)


def test_the_same_seed_makes_the_same_trials() -> None:
    one, same, other = (hb.maximize(hill, SPACE, trials=6, optimizer="random", seed=seed).trials for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize("optimizer", ["gp-bo", "pattern-search", "random"])
def test_known_settings_cost_no_trial_and_are_learnt_from(optimizer: str) -> None:
    known = pd.DataFrame({"layers": [5, 2], "lr": [1.2e-3, 1e-5]})
    known["score"] = [hill(**row) for row in known.to_dict("records")]
    best = hb.maximize(hill, SPACE, trials=4, optimizer=optimizer, known=known)
    assert len(best.trials) == 4
    assert best.score >= known["score"].max()
    assert best.optimizer.known.tolist() == [True, True, False, False, False, False]
    assert best.optimizer.history[1][:2].tolist() == known["score"].tolist()
    # What one search found is what the next one knows.
    again = hb.maximize(hill, SPACE, trials=4, optimizer=optimizer, known=best.trials)
    assert again.score >= best.trials["score"].max()


def test_no_setting_that_is_known_is_tried_again_before_there_is_a_model() -> None:
    box = {"lr": (1e-5, 1e-1, "log"), "x": (3.0, 7.0)}
    first = hb.maximize(lambda lr, x: x - lr, box, trials=3)
    second = hb.maximize(lambda lr, x: x - lr, box, trials=5, known=first.trials)
    assert not set(second.trials["x"].round(9)) & set(first.trials["x"].round(9))


def test_known_settings_that_make_no_sense() -> None:
    for known, message in (
        ([{"lr": 0.01, "layers": 3}], "need a column 'score' beside lr, layers"),
        ([{"lr": 0.01, "score": 3}], "lack 'layers'"),
        ([{"lr": 7.0, "layers": 3, "score": 3}], "lr = 7, layers = 3 lies outside the box"),
    ):
        with pytest.raises((UsageError, InvalidSpaceError), match=message):
            hb.maximize(hill, SPACE, trials=4, optimizer="random", known=known)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"function": 3}, "function must be something to call"),
        ({"callback": 3}, "callback must be something to call"),
        ({"function": lambda lr: lr}, r"the space's names, x; it takes \(lr\): .*'lr'"),
        ({"callback": lambda setting: None}, "callback must take a setting and its score"),
        ({"known": "abc"}, "known settings are rows of x and score"),
        ({"known": pd.DataFrame([[0.1, 1, 2]], columns=["x", "score", "score"])}, "two columns 'score'; keep one"),
        ({"known": [{"x": 0.1, "score": "high"}]}, "scores and standard errors of known settings must be numbers"),
        ({"known": [{"x": 0.1, "score": 1, "standard_error": "low"}]}, "scores and standard errors"),
    ],
)
def test_what_makes_no_sense_is_refused_before_an_evaluation(changed: dict, message: str) -> None:
    calls: list[float] = []
    given = {
        "function": lambda x: calls.append(x),
        "space": {"x": (0, 1)},
        "trials": 2,
        "optimizer": "random",
        **changed,
    }
    with pytest.raises(UsageError, match=message):
        hb.maximize(**given)
    assert calls == []


@pytest.mark.parametrize("trials", [0, 2.5, True, None])
def test_trials_are_called_so_where_they_are_no_number(trials: Any) -> None:
    with pytest.raises(OptimizerError, match="trials must be an integer of at least 1"):
        hb.maximize(lambda x: x, {"x": (0, 1)}, trials=trials)


def test_failed_evaluations_cost_a_trial_and_are_no_score() -> None:
    best = hb.maximize(lambda x: np.nan if x > 0.5 else x, {"x": (0, 1)}, trials=12)
    assert best.trials["score"].isna().any()
    assert 0.4 < best.parameters["x"] <= 0.5
    with pytest.raises(OptimizerError, match="of 3 evaluations told none succeeded"):
        hb.maximize(lambda x: np.nan, {"x": (0, 1)}, trials=3, optimizer="random")


def test_a_function_may_be_cached_against_settings_that_come_again() -> None:
    calls: list[int] = []

    @functools.cache
    def score(n: int) -> float:
        calls.append(n)
        return -abs(n - 2)

    best = hb.maximize(score, {"n": (1, 4, "int")}, trials=8, optimizer="random")
    assert len(calls) == len(set(calls)) <= 4 < len(best.trials) == 8


def test_what_the_function_raises_is_raised() -> None:
    def broken(x: float) -> float:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        hb.maximize(broken, {"x": (0, 1)}, trials=3, optimizer="random")
    for answer in (None, "good", "0.5", 10**400, (1, 2, 3), (1, -2), (1, np.inf)):
        with pytest.raises(UsageError, match=r"the function gave .* back for .*'x'"):
            hb.maximize(lambda x, answer=answer: answer, {"x": (0, 1)}, trials=3, optimizer="random")
    with pytest.raises(InvalidSpaceError, match="behind the range of x"):
        hb.maximize(broken, {"x": (0, 1, "lg")}, trials=3)


@pytest.mark.parametrize("answer", [np.inf, -np.inf, (np.nan, np.nan), (np.inf, 0.1)])
def test_what_is_no_finite_score_is_a_failed_evaluation_and_ends_nothing(answer: float) -> None:
    best = hb.maximize(lambda x: answer if x > 0.5 else x, {"x": (0, 1)}, trials=4, optimizer="random")
    failed = best.trials["x"] > 0.5
    assert failed.any()
    assert best.trials["score"].isna().tolist() == failed.tolist()


def test_a_standard_error_that_is_unknown_is_none() -> None:
    best = hb.maximize(lambda x: (x, np.nan), {"x": (0, 1)}, trials=2, optimizer="random")
    assert best.trials["score"].tolist() == best.trials["x"].tolist()
    assert best.trials["standard_error"].isna().all()


@pytest.mark.parametrize("later", [1.0, np.nan])
def test_the_score_of_a_setting_that_is_known_twice_is_the_one_it_is_recommended_for(later: float) -> None:
    known = [{"x": 0.5, "score": 3.0}, {"x": 0.5, "score": later}]
    assert hb.maximize(lambda x: x, {"x": (0, 1)}, trials=2, optimizer="random", known=known).score == 3.0


@pytest.mark.parametrize("name", ["score", "standard_error"])
def test_no_hyperparameter_takes_the_place_of_what_was_told(name: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be called {name}, which is a column"):
        hb.maximize(lambda **setting: setting[name], {name: (0, 1)}, trials=2, optimizer="random")


def test_standard_errors_are_told_and_every_trial_is_called_back() -> None:
    seen: list[tuple[dict[str, float], float]] = []
    best = hb.maximize(
        lambda x: (x, 0.1), {"x": (0, 1)}, trials=5, optimizer=RandomSearch, callback=lambda *told: seen.append(told)
    )
    assert set(best.trials["standard_error"]) == set(best.optimizer.standard_errors) == {0.1}
    assert [setting["x"] for setting, _ in seen] == best.trials["x"].tolist()
    assert [score for _, score in seen] == best.trials["score"].tolist()


# pairs and landscapes


def test_a_pair_is_loaded_checked_and_merged(small_pair: hb.Pair, tmp_path: Path) -> None:
    pair = hb.load_pair(small_pair.folder)
    assert pair == hb.load_pair(str(small_pair.folder))
    assert pair.name == hb.load_pair("ja-llama").name
    assert hb.check_pair(pair, progress=False).fit
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="exists already"):
        hb.merge(pair, "ta", vl_weight=0.5, exp_weight=0.5, out=tmp_path / "full")
    with pytest.raises(UsageError, match="takes no density"):
        hb.merge(pair, "ta", vl_weight=0.5, exp_weight=0.5, density=0.3, out=tmp_path / "other")
    with pytest.raises(UsageError, match="leave out dtype and device"):
        hb.merge(pair, "ta", vl_weight=0.5, exp_weight=0.5, stream=True, device="cpu", out=tmp_path / "other")
    with pytest.raises(UsageError, match="no dtype is called"):
        hb.check_pair(pair, dtype="float23", progress=False)
    for name, value in {"mask_seed": -1, "samples": 2.5}.items():
        with pytest.raises(UsageError, match=f"{name} must be an integer of at least"):
            hb.merge(pair, "ta", vl_weight=0.5, exp_weight=0.5, out=tmp_path / "other", **{name: value})
    setting = {"vl_weight": 1, "exp_weight": 1}
    for take in (hb.check_pair, hb.plan, hb.tune, hb.before_after, functools.partial(hb.merge, out=tmp_path / "other")):
        with pytest.raises(UsageError, match=r"no pair is called '.*nowhere'"):
            take(tmp_path / "nowhere", **(setting if take not in (hb.check_pair, hb.plan, hb.tune) else {}))
    assert hb.merge(
        small_pair.folder, "ta", vl_weight=np.int64(1), exp_weight=np.float32(0.5), out=tmp_path / "merged"
    ).is_dir()
    for junk in (None, 3, [pair]):
        with pytest.raises(UsageError, match="a pair is given as its name, its path, or what load_pair returns"):
            hb.check_pair(junk, progress=False)  # type: ignore[arg-type]


def test_a_landscape_is_drawn_by_name_or_as_it_is(root: Path) -> None:
    landscape = hb.load_landscape("smooth-a/ta", landscapes_dir=root)
    assert hb.plot_landscape(landscape).axes
    assert hb.plot_landscape("ja-llama/ta").axes
    assert isinstance(landscape, hb.Landscape)
    with pytest.raises(UnknownLandscapeError, match="no landscape is called 3"):
        hb.plot_landscape(3)  # type: ignore[arg-type]


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no study 'demo'"):
        hb.load_study("demo", studies=tmp_path)
