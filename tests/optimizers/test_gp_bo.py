import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.sampling import SobolQMCNormalSampler
from torch.utils import cpp_extension

from optimizers import ProtocolError
from optimizers.gp.kernels import MATERN52
from optimizers.gp.knowledge import Knowledge
from optimizers.gp.posterior import Hyperparameters, Posterior
from optimizers.gp_bo import GpBo
from optimizers.random_search import RandomSearch
from optimizers.sobol import sobol_points


def branin(x):
    a, b = 15.0 * x[0] - 5.0, 15.0 * x[1]
    return -float(
        (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10
    )


def drive(optimizer, objective, evaluations=None):
    points = []
    for _ in range(evaluations or optimizer.budget):
        points.append(optimizer.ask())
        optimizer.tell(points[-1], objective(points[-1]))
    return np.array(points)


@pytest.mark.parametrize("seed", [0, 1])
def test_branins_optimum_is_found(seed: int) -> None:
    """Its three maxima are -0.397887, its minimum -308 (Dixon & Szego, 1978)."""
    optimizer = GpBo(2, seed=seed, budget=30)
    drive(optimizer, branin)
    assert optimizer.history[1].max() > -0.3979 - 0.05


def test_known_points_stand_for_the_initial_design_and_are_learnt_from() -> None:
    """Synthetic: a hill whose slopes are known, so that the first point of all may go to its top."""
    top = np.array([0.62, 0.31])
    optimizer = GpBo(2, seed=0, budget=6)
    for x in np.random.default_rng(0).random((25, 2)):
        optimizer.tell(x, -float(np.sum((x - top) ** 2)), known=True)
    x = optimizer.ask()
    assert np.abs(x - top).max() < 0.02


def test_runs_with_unlike_numbers_of_known_points_go_together_as_they_go_alone() -> None:
    def runs():
        group = [GpBo(2, seed=k, budget=8) for k in range(3)]
        for k, optimizer in enumerate(group):
            for x in np.random.default_rng(k).random((2 * k, 2)):
                optimizer.tell(x, branin(x), known=True)
        return group

    group = runs()
    for _ in range(8):
        for optimizer, x in zip(group, GpBo.ask_many(group), strict=True):
            optimizer.tell(x, branin(x))
    for alone, together in zip(runs(), group, strict=True):
        drive(alone, branin)
        assert np.array_equal(alone.history[0], together.history[0])


def test_a_run_hands_out_what_it_believes_as_botorchs_model() -> None:
    optimizer = GpBo(2, seed=0, budget=14)
    with pytest.raises(ProtocolError, match="nothing"):
        _ = optimizer.model
    drive(optimizer, lambda x: np.nan if x[0] < 0.1 else branin(x), 14)
    X, scores = optimizer.history
    told = np.isfinite(scores)
    posterior = optimizer.model.posterior(torch.from_numpy(X[told]))
    assert posterior.mean[:, 0].numpy() == pytest.approx(scores[told], abs=0.02 * np.ptp(scores[told]))
    assert optimizer.model.posterior(torch.rand(5, 2).double()).variance.max() > 2 * posterior.variance.max()
    assert not any(parameter.requires_grad for parameter in optimizer.model.parameters())


def test_three_dimensions_beat_random_by_far() -> None:
    centre = np.array([0.3, 0.8, 0.45])

    def objective(x):
        return -float(np.sum((x - centre) ** 2))

    found = [cls(3, seed=1, budget=25) for cls in (GpBo, RandomSearch)]
    for optimizer in found:
        drive(optimizer, objective)
    regret, random_regret = (-optimizer.history[1].max() for optimizer in found)
    assert regret < 0.02 * random_regret


def test_lockstep_of_140_is_alone_bit_for_bit() -> None:
    """More than one batch of fits, whose last is not full; the tolerance that is promised is `GROUP_TOLERANCE`."""
    objectives = [lambda x, k=k: branin(x) * (1 + k) + k * float(x[0]) for k in range(140)]
    group = [GpBo(2, seed=k, budget=7) for k in range(140)]
    for _ in range(7):
        for optimizer, objective, x in zip(group, objectives, GpBo.ask_many(group), strict=True):
            optimizer.tell(x, objective(x))
    for index in (0, 127, 128, 139):
        alone = drive(GpBo(2, seed=index, budget=7), objectives[index])
        assert np.array_equal(alone, group[index].history[0])


def test_known_noise_is_smoothed_and_the_luckiest_draw_is_not_recommended() -> None:
    """Synthetic: a hill of height 1 under noise of 0.3, of which one draw far off was very lucky."""
    optimizer = GpBo(2, seed=0, budget=30)
    luck = np.random.default_rng(3)
    for t in range(30):
        x = optimizer.ask()
        score = np.exp(-6.0 * np.sum((x - 0.4) ** 2)) + 0.3 * luck.standard_normal()
        optimizer.tell(x, 1.6 if t == 3 else float(score), standard_error=0.3)
    X, scores = optimizer.history
    assert not np.array_equal(optimizer.recommend(), X[scores.argmax()])
    assert np.linalg.norm(optimizer.recommend() - 0.4) < 0.2


@pytest.mark.parametrize("exact", [0.0, 0.05])
def test_roughness_beyond_the_told_errors_belongs_to_the_point(exact: float) -> None:
    """Synthetic: scores that jump from point to point, and are said to be almost exact, the best one quite."""
    optimizer = GpBo(2, seed=0, budget=30)
    rng = np.random.default_rng(0)
    for t in range(30):
        score, error = (4.0, exact) if t == 3 else (rng.standard_normal(), 0.05)
        optimizer.tell(optimizer.ask(), score, standard_error=error)
    X, _ = optimizer.history
    assert np.array_equal(optimizer.recommend(), X[3])


def test_one_score_of_hopeless_precision_spoils_nothing() -> None:
    optimizer = GpBo(2, seed=1, budget=20)
    for t in range(20):
        x = optimizer.ask()
        optimizer.tell(x, -float(np.sum((x - 0.4) ** 2)), standard_error=0.01 if t else 1e155)
    assert np.linalg.norm(optimizer.recommend() - 0.4) < 0.1


def test_where_no_score_says_anything_points_go_on_beside_pending_ones() -> None:
    optimizer = GpBo(2, seed=1, budget=7)
    waiting = [optimizer.ask() for _ in range(3)]
    while optimizer.asked < optimizer.budget:
        optimizer.tell(waiting.pop(0), float(optimizer.asked), standard_error=1e155)
        waiting.append(optimizer.ask())
    assert len(np.unique([*optimizer.history[0], *waiting], axis=0)) == 7


def test_worth_of_a_score_whose_error_is_unknown_is_the_posterior_mean() -> None:
    rng = np.random.default_rng(1)
    X, y = torch.from_numpy(rng.random((1, 8, 2))), torch.from_numpy(rng.standard_normal((1, 8)))
    known = torch.tensor([[0.5] * 4 + [0.0] * 4], dtype=torch.double)
    told = torch.tensor([[True] * 4 + [False] * 3 + [True]])
    ones = torch.ones(1, dtype=torch.double)
    posterior = Posterior.fit(X, y, known, Hyperparameters(MATERN52, 0.3 * ones.expand(1, 2), ones, 0.2 * ones))
    worth, (mean, _) = posterior.worth(told), posterior.predict(X)
    assert torch.equal(worth[:, 4:7], mean[:, 4:7])
    # Of what the score deviates from the mean, the part that roughness explains: .2 of .2 + .5, and all where exact.
    assert torch.allclose(worth[:, :4] - mean[:, :4], (y - mean)[:, :4] * 0.2 / 0.7)
    assert torch.allclose(worth[:, 7], y[:, 7])


def test_standard_errors_are_standardised_with_the_scores() -> None:
    optimizer = GpBo(2, seed=0, budget=4)
    for score, error in ((1.0, 0.5), (3.0, None), (5.0, 0.0)):
        optimizer.tell(optimizer.ask(), score, standard_error=error)
    assert torch.allclose(Knowledge.of([optimizer]).noise, torch.tensor([[0.0625, 0.0, 0.0]], dtype=torch.double))


def test_an_error_of_zero_is_told_and_not_the_same_as_none() -> None:
    optimizer = GpBo(2, seed=3, budget=10)
    for error in (0.0, 0.0, None):
        x = optimizer.ask()
        optimizer.tell(x, branin(x), standard_error=error)
    known = Knowledge.of([optimizer])
    assert known.told.tolist() == [[True, True, False]]
    assert not known.noise.any()


def test_initial_points_are_balanced() -> None:
    X = drive(GpBo(2, seed=5, budget=4), branin)
    assert {tuple(x) for x in np.floor(2 * X)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_scale_and_offset_do_not_matter() -> None:
    plain = drive(GpBo(2, seed=3, budget=12), branin)
    scaled = drive(GpBo(2, seed=3, budget=12), lambda x: 2.0**10 * branin(x))
    shifted = drive(GpBo(2, seed=3, budget=12), lambda x: branin(x) + 0.7)
    assert np.array_equal(plain, scaled)
    assert np.abs(plain - shifted).max() < 1e-2


def test_beside_pending_points_it_maximises_what_botorch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """And points that are pending repel; nothing is compiled, as BoTorch does for hypervolumes."""
    monkeypatch.setattr(cpp_extension, "load", pytest.fail)
    optimizer = GpBo(2, seed=2, budget=40)
    drive(optimizer, branin, 12)
    waiting = np.array([optimizer.ask() for _ in range(4)])
    gaps = np.abs(waiting[:, None] - waiting[None]).max(2)[np.triu_indices(4, 1)]
    assert gaps.min() > 0.05
    told = torch.from_numpy(optimizer.history[0])
    rivals = torch.from_numpy(sobol_points(2, 1024, np.random.default_rng(0)))
    for place in (1, 3):
        value = qLogNoisyExpectedImprovement(
            optimizer.model, told, SobolQMCNormalSampler(torch.Size([1024]), seed=0),
            X_pending=torch.from_numpy(waiting[:place]),
        )  # fmt: skip
        with torch.no_grad():
            assert value(torch.from_numpy(waiting[place, None])) > value(rivals[:, None]).max() - 0.1


def test_runs_with_unlike_numbers_of_pending_points_go_together_as_they_go_alone() -> None:
    def runs() -> list[GpBo]:
        group = [GpBo(2, seed=k, budget=9) for k in range(3)]
        for waiting, optimizer in enumerate(group):
            drive(optimizer, lambda x: np.nan if x[0] < 0.3 else branin(x), 6 - waiting)
            for _ in range(waiting):
                optimizer.ask()
        return group

    together = GpBo.ask_many(runs())
    assert [x.tolist() for x in together] == [optimizer.ask().tolist() for optimizer in runs()]


def test_where_evaluations_fail_it_goes_away() -> None:
    """The optimum of the objective lies inside the part that fails; the best that can be had is on its edge."""

    def objective(x):
        return np.nan if x[0] > 0.6 else float(x[0] - (x[1] - 0.5) ** 2)

    optimizer = GpBo(2, seed=0, budget=30)
    drive(optimizer, objective)
    scores = optimizer.history[1]
    assert np.nanmax(scores) > 0.55
    assert np.isnan(scores).sum() < 23


def test_known_points_are_not_asked_for_again() -> None:
    X = drive(GpBo(1, seed=0, budget=40), lambda x: float(x[0]))
    gaps = np.diff(np.sort(X[:, 0]))
    assert gaps.min() >= 0.99e-4
    assert X.max() == 1.0


def test_knowledge_is_standardised_and_separates_what_failed() -> None:
    optimizer = GpBo(2, seed=0, budget=10)
    for score in (1.0, np.nan, 3.0, 5.0):
        optimizer.tell(optimizer.ask(), score)
    optimizer.ask()
    known = Knowledge.of([optimizer])
    assert torch.allclose(known.y, torch.tensor([[-1.0, 0.0, 1.0]], dtype=torch.double))
    assert known.failed.tolist() == [[optimizer.history[0][1].tolist()]]


def test_a_design_given_as_the_start_is_gone_on_with_where_it_ends() -> None:
    design = drive(GpBo(2, seed=5, budget=10), lambda _: np.nan)
    points = drive(GpBo(2, seed=5, budget=10, start=design[:4]), lambda _: np.nan)
    assert points.tolist() == design.tolist()


def test_without_known_points_the_design_is_the_sequence_and_nothing_else() -> None:
    """Bit for bit, as stored runs of this version hold it: whether points failed, wait or were a start."""
    sequence = sobol_points(2, 40, np.random.default_rng([5]))
    assert drive(GpBo(2, seed=5, budget=40), lambda _: np.nan).tolist() == sequence[:40].tolist()
    waiting = GpBo(2, seed=5, budget=40, initial=20)
    assert [waiting.ask().tolist() for _ in range(20)] == sequence[:20].tolist()
    start = [[0.5, 0.5], sequence[2]]
    behind = drive(GpBo(2, seed=5, budget=20, start=start), lambda _: np.nan)
    assert behind[2:].tolist() == [*sequence[:2].tolist(), *sequence[3:19].tolist()]


@pytest.mark.parametrize("known", [2, 3, 9])
def test_a_known_point_of_the_design_is_not_proposed_again(known: int) -> None:
    """Known in other units, whence the last digits are others; all but one failed."""
    design = drive(GpBo(2, seed=0, budget=known), lambda _: np.nan)
    optimizer = GpBo(2, seed=0, budget=6)
    for place, x in enumerate(design):
        optimizer.tell(x + 1e-15, 0.0 if place == 0 else np.nan, known=True)
    points = drive(optimizer, lambda _: np.nan)
    assert np.abs(points[:, None] - design).max(axis=2).min() > 1e-6
    assert len(np.unique(points, axis=0)) == 6


@pytest.mark.parametrize("scale", [1e-200, 1e-14, 1.0, 1e200])
def test_scores_of_any_scale_lead_to_the_same_points(scale: float) -> None:
    plain, scaled = (drive(GpBo(2, seed=0, budget=12), lambda x, s=s: s * float(-np.sum(x**2))) for s in (1.0, scale))
    assert np.allclose(plain, scaled, atol=1e-3)


def test_equal_scores_have_no_scale() -> None:
    optimizer = GpBo(2, seed=0, budget=10)
    for _ in range(4):
        optimizer.tell(optimizer.ask(), 0.1 + 0.2)
    assert Knowledge.of([optimizer]).y.abs().max() < 1e-12
