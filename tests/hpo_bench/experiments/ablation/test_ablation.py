import json
from io import StringIO

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.cli import cli
from hpo_bench.display.progress import Progress
from hpo_bench.errors import UsageError
from hpo_bench.experiments.ablation import variants
from hpo_bench.experiments.ablation.page import AblationRow, compare
from hpo_bench.experiments.ablation.run import Arm, Outcome, conduct, run
from hpo_bench.experiments.ablation.variants import ARMS, DEFAULT, chosen
from hpo_bench.experiments.cost.suggestion import measure, table
from hpo_bench.statistics import Interval
from hpo_bench.workers import Local
from landscapes.functions import Function
from optimizers.errors import ProtocolError
from optimizers.gp.acquisition import LogExpectedImprovement
from optimizers.gp.fit import LogPosterior, hyperparameters
from optimizers.gp.kernels import Priors
from optimizers.gp.posterior import Posterior
from optimizers.random_search import RandomSearch
from optimizers.sobol import Sobol


def hill(X):
    return np.exp(-8.0 * np.sum((X - 0.3) ** 2, axis=1))


def ridge(X):
    return np.cos(5.0 * X[:, 0]) - X[:, 1]


@pytest.fixture(scope="module")
def functions():
    return tuple(Function.certified(suite="test-2d", name=f.__name__, dim=2, f=f) for f in (hill, ridge))


def outcome(arm: Arm, functions, seeds: int, share: float, place) -> Outcome:
    quiet = Progress(Console(quiet=True))
    folder = ResultsFolder(place / "runs")
    return run(arm, functions, seeds=seeds, share=share, folder=folder, workers=Local(1), progress=quiet)


@pytest.fixture(scope="module")
def data():
    X = torch.rand(3, 12, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    y = torch.sin(5 * X[..., 0]) + X[..., 1] ** 2
    y = (y - y.mean(1, keepdim=True)) / y.std(1, keepdim=True)
    return X, y, torch.zeros_like(y)


PRIORS = (variants.ThreeHalves.priors, variants.Smooth.priors, variants.Hvarfner.priors_in(2))


@pytest.mark.parametrize("priors", PRIORS, ids=["matern-3/2", "rbf", "botorch"])
def test_gradients_of_other_kernels_and_priors_are_those_of_their_values(data, priors) -> None:
    posterior = LogPosterior.of(*data, priors)
    parameters = torch.full((3, 4), -1.0, dtype=torch.double)
    _, gradient = posterior(parameters)
    for index in range(4):
        step = torch.zeros(4, dtype=torch.double)
        step[index] = 1e-5
        slope = (posterior(parameters + step)[0] - posterior(parameters - step)[0]) / 2e-5
        assert torch.allclose(gradient[:, index], slope, rtol=1e-4, atol=1e-5)


def test_an_ascent_ends_higher_where_the_slope_is_none(data) -> None:
    posterior = Posterior.fit(*data, hyperparameters(torch.full((3, 4), -1.0).double(), Priors())).rows(slice(0, 1))
    acquisition = LogExpectedImprovement(posterior, data[1][:1].max(1).values)
    begin = torch.tensor([0.4, 0.6]).double()
    end = variants.climb(acquisition, begin)
    around = (end + 0.01 * torch.tensor([[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]])).clamp(0, 1)[None].double()
    values = acquisition(around)[0]
    assert values[0] > acquisition(begin[None, None]).item() + 0.1
    assert values.argmax() == 0


def test_ratios_are_regret_over_exact_random(functions, tmp_path) -> None:
    """Random against Random's expectation, over many runs, is 1; Sobol points are better."""
    ratios = outcome(Arm("random", RandomSearch, ""), functions, 60, 0.0, tmp_path).ratios
    assert list(ratios) == ["hill", "ridge"]
    assert all(0.75 < ratio < 1.25 for ratio in ratios.values())
    better = outcome(Arm("sobol", Sobol, ""), functions, 20, 0.0, tmp_path).ratios
    assert sum(better.values()) < sum(ratios.values())


def test_noise_and_the_centre_reach_the_optimiser(functions, tmp_path) -> None:
    class Keeps(RandomSearch):
        """Remembers its runs."""

        runs: list[RandomSearch] = []  # noqa: RUF012

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.runs.append(self)

    outcome(Arm("keeps", Keeps, "", start="center"), functions, 1, 0.2, tmp_path)
    first = next(one for one in Keeps.runs if one.asked)  # the others told the plan their settings
    X, scores = first.history
    assert X[0].tolist() == [0.5, 0.5]
    assert np.allclose(first.standard_errors, 0.2 * functions[0].spread)
    errors = (scores - functions[0].score(X)) / (0.2 * functions[0].spread)
    assert 0.6 < errors.std() < 1.5


def test_intervals_are_paired() -> None:
    reference = np.linspace(0.1, 2.0, 20)
    difference, factor = compare(list(reference - 0.05), list(reference))
    assert (difference.value, difference.low, difference.high) == pytest.approx((-0.05, -0.05, -0.05))
    assert factor.value < factor.high < 1.0
    nothing, one = compare(list(reference), list(reference))
    assert nothing == Interval(0.0, 0.0, 0.0)
    assert one == Interval(1.0, 1.0, 1.0)


def test_a_study_has_a_row_for_each_and_is_the_same_again_without_a_run(functions, tmp_path) -> None:
    arms = [Arm("random", RandomSearch, ""), Arm("sobol", Sobol, "points")]

    def conducted(progress: Progress) -> list[AblationRow]:
        return conduct(
            arms, {"test-2d": functions}, shares=(0.0, 0.1), seeds=2, folder=ResultsFolder(tmp_path),
            workers=Local(1), progress=progress,
        )  # fmt: skip

    rows = conducted(Progress(Console(quiet=True)))
    said = Console(file=StringIO())
    again = conducted(Progress(said))
    assert said.file.getvalue() == ""
    assert [(row.noise, row.arm) for row in rows] == [(0.0, "random"), (0.0, "sobol"), (0.1, "random"), (0.1, "sobol")]
    assert [row.mean for row in rows] == [row.mean for row in again]
    assert rows[0].difference == Interval(0.0, 0.0, 0.0)
    assert rows[0].verdict == ""


@pytest.mark.parametrize("arm", [arm for arm in ARMS.values() if arm.kind.__module__ == variants.__name__], ids=str)
def test_every_variant_goes_another_way_than_the_default_and_repeats_itself(arm) -> None:
    """With noise and past the last tenth's beginning; the two that differ elsewhere are looked at there."""
    runs = []
    for kind in (ARMS[DEFAULT].kind, arm.kind, arm.kind):
        optimizer = kind(2, seed=1, budget=10)
        while optimizer.asked < optimizer.budget:
            x = optimizer.ask()
            score = float(ridge(x[None])[0]) + 0.5 * np.sin(1e3 * x[0])
            optimizer.tell(x, score, standard_error=0.4)
        runs.append(optimizer.history[0])
    assert np.array_equal(runs[1], runs[2])
    assert np.array_equal(runs[0], runs[1]) == (arm.kind is variants.Luckiest)


@pytest.mark.parametrize("arm", [arm for arm in ARMS.values() if arm.kind.__module__ == variants.__name__], ids=str)
def test_a_variant_says_that_it_takes_one_point_at_a_time_or_proposes_beside_pending_ones(arm) -> None:
    """BoTorch's model has one kernel, and its acquisition function beside pending points is no variant's own."""
    own = "_acquisition" in vars(arm.kind) or arm.kind.priors.kernel is not Priors().kernel
    assert arm.kind.parallel is (not own and arm.kind is not variants.Hvarfner)
    optimizer = arm.kind(2, seed=1, budget=10)
    for _ in range(8):
        x = optimizer.ask()
        optimizer.tell(x, float(ridge(x[None])[0]))
    optimizer.ask()
    if optimizer.parallel:
        assert not np.array_equal(optimizer.ask(), optimizer.pending[0])
    else:
        with pytest.raises(ProtocolError, match="needs the score"):
            optimizer.ask()


def test_random_under_noise_is_as_good_as_what_it_is_compared_with(functions, tmp_path) -> None:
    """200 searches by highest score: their mean is within some standard errors of the simulated one."""
    (ratio,) = outcome(Arm("random", RandomSearch, "all"), functions[:1], 200, 0.5, tmp_path).ratios.values()
    assert 0.85 < ratio < 1.15


def test_the_luckiest_is_recommended_only_by_the_arm_that_says_so() -> None:
    found = []
    for kind in (ARMS[DEFAULT].kind, variants.Luckiest):
        optimizer = kind(2, seed=1, budget=20)
        for _ in range(20):
            x = optimizer.ask()
            # One lucky draw, far off.
            optimizer.tell(x, 1.1 if optimizer.asked == 3 else float(hill(x[None])[0]), standard_error=0.3)
        found.append(optimizer.recommend().tolist())
        lucky = optimizer.history[0][2].tolist()
    assert found[1] == lucky
    assert found[0] != lucky


def test_times_are_taken_beside_botorchs_loop(functions) -> None:
    timings = measure(functions[:1], budget=11, group=3)
    assert [(timing.runs, timing.together) for timing in timings] == [(3, 3), (1, 1), (1, 1)]
    assert timings[2].milliseconds > timings[1].milliseconds > timings[0].milliseconds > 0.0
    assert len(table({"test-2d": timings}).rows) == 3


def test_the_command_shows_what_it_says_as_json(tmp_path) -> None:
    words = ["ablation", "-s", "merge-like-2d", "--functions", "2", "--seeds", "1", "-a", "initial-8", "--noise", "0",
             "-j", "1", "--results", str(tmp_path / "runs")]  # fmt: skip
    shown, said = (CliRunner().invoke(cli, [*words, *more]) for more in ([], ["--json"]))
    assert (shown.exit_code, said.exit_code) == (0, 0), shown.output
    rows = json.loads(said.stdout)["rows"]
    assert [row["arm"] for row in rows] == [DEFAULT, "initial-8"]
    assert f"{rows[1]['mean']:.3f}" in shown.output


def test_an_unknown_arm() -> None:
    with pytest.raises(UsageError, match="matern-3/2"):
        chosen(("matern-1/2",))
