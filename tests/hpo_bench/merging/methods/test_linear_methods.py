"""Methods that need no data, each against an independent computation in double precision."""

import numpy as np
import pytest
import scipy.linalg
import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods import wudi
from hpo_bench.merging.methods.metagpt import MetaGPT
from hpo_bench.merging.methods.norm_aware import NAN
from hpo_bench.merging.methods.tsv import TsvMerge, polar_factor
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.methods.wudi import Wudi

LAYER = "model.layers.0.self_attn.q_proj.weight"
NORM = "model.norm.weight"
TABLE = "model.embed_tokens.weight"


def draw(*shape: int, seed: int, size: float = 0.1) -> torch.Tensor:
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def vectors() -> TaskVectors:
    shapes = {LAYER: (6, 9), NORM: (9,), TABLE: (11, 9)}
    models = [{name: draw(*shape, seed=10 * m + i) for i, (name, shape) in enumerate(shapes.items())} for m in range(3)]
    return TaskVectors(*models)


@pytest.fixture(scope="module")
def real(loaded: LoadedPair) -> TaskVectors:
    return TaskVectors.of(loaded)


def changed(vectors: TaskVectors, merged: dict[str, torch.Tensor], name: str = LAYER) -> np.ndarray:
    return (merged[name] - vectors.base[name]).double().numpy()


def flat(weights: dict[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([tensor.double().numpy().ravel() for tensor in weights.values()])


def test_metagpt_weighs_by_squared_norms_of_the_whole_vector(real: TaskVectors) -> None:
    vlm, expert = flat(dict(real.vlm)), flat(dict(real.expert))
    total = vlm @ vlm + expert @ expert
    assert MetaGPT().coefficients(real) == pytest.approx((vlm @ vlm / total, expert @ expert / total), rel=1e-6)


def test_nan_weighs_by_inverse_norms(real: TaskVectors, loaded: LoadedPair) -> None:
    tuned, expert = (np.linalg.norm(flat(model)) for model in (loaded.tuned, loaded.expert))
    total = 1 / tuned + 1 / expert
    assert NAN().coefficients(real) == pytest.approx((1 / tuned / total, 1 / expert / total), rel=1e-6)
    vlm, expert = np.linalg.norm(flat(dict(real.vlm))), np.linalg.norm(flat(dict(real.expert)))
    total = 1 / vlm + 1 / expert
    assert NAN("task-vectors").coefficients(real) == pytest.approx((1 / vlm / total, 1 / expert / total), rel=1e-6)


@pytest.mark.parametrize("method", [MetaGPT(), NAN(), NAN("task-vectors")])
def test_their_merges_are_task_arithmetic(real: TaskVectors, method: MetaGPT | NAN) -> None:
    vl, exp = method.coefficients(real)
    merged = method.merge(real)
    assert merged.keys() == real.base.keys()
    for name, tensor in merged.items():
        expected = real.base[name].double() + vl * real.vlm[name].double() + exp * real.expert[name].double()
        torch.testing.assert_close(tensor.double(), expected, atol=1e-6, rtol=0)


def test_zero_task_vectors_have_no_coefficients(vectors: TaskVectors) -> None:
    zero = {name: torch.zeros_like(tensor) for name, tensor in vectors.base.items()}
    with pytest.raises(MergeError, match="the base itself"):
        MetaGPT().coefficients(TaskVectors(vectors.base, zero, zero))
    with pytest.raises(MergeError, match="expert's task-vectors is zero"):
        NAN("task-vectors").coefficients(TaskVectors(vectors.base, vectors.vlm, zero))


@pytest.mark.parametrize("shape", [(20, 9), (6, 9)], ids=["tall", "wide"])
def test_wudi_without_cutoff_is_least_squares(shape: tuple[int, int]) -> None:
    one, two = (draw(*shape, seed=seed).double().numpy() for seed in (1, 2))
    # The loss is the sum of |tau_i tau^T - tau_i tau_i^T|^2 / |tau_i|^2: brute force by stacking both, scaled.
    left = np.vstack([one, two * np.linalg.norm(one) / np.linalg.norm(two)])
    right = np.vstack([one @ one.T, two @ two.T * np.linalg.norm(one) / np.linalg.norm(two)])
    expected = np.linalg.lstsq(left, right, rcond=None)[0].T
    tasks = [torch.tensor(one), torch.tensor(two)]
    np.testing.assert_allclose(wudi.closed_form(tasks, cutoff=0).numpy(), expected, atol=1e-8)


def test_wudi_minimum_has_no_gradient_and_beats_its_neighbours() -> None:
    tasks = [draw(20, 9, seed=seed).double() for seed in (1, 2)]
    best = wudi.closed_form(tasks, cutoff=0).requires_grad_()
    least = wudi.loss(best, tasks)
    (gradient,) = torch.autograd.grad(least, best)
    assert gradient.abs().max() < 1e-10
    for seed in range(5):
        assert wudi.loss(best + draw(20, 9, seed=seed, size=1e-3), tasks) > least


def test_wudi_where_tasks_do_not_interfere_is_their_sum() -> None:
    one, two = draw(5, 8, seed=1), draw(5, 8, seed=2)
    one[:, 4:], two[:, :4] = 0, 0
    torch.testing.assert_close(wudi.closed_form([one, two], cutoff=1 / 300), one + two, atol=1e-6, rtol=0)


def test_adam_arrives_at_the_closed_form_when_task_vectors_are_small() -> None:
    tasks = [draw(30, 6, seed=seed, size=1e-4) for seed in (1, 2)]
    least = wudi.closed_form(tasks, cutoff=0)
    start = sum(tasks[1:], tasks[0])
    arrived = Wudi(solver="adam")._layer("layer", *tasks)
    assert torch.linalg.norm(arrived - least) < 0.05 * torch.linalg.norm(start - least)
    large = [1e3 * task for task in tasks]
    far = Wudi(solver="adam")._layer("layer", *large)
    assert torch.linalg.norm(far - 1e3 * least) > 0.9 * 1e3 * torch.linalg.norm(start - least)


def test_wudi_keeps_the_sum_along_directions_below_the_cutoff(real: TaskVectors) -> None:
    # Wider than it is high: both tasks can be fitted exactly, with weights far larger than theirs.
    name = "model.layers.0.mlp.down_proj.weight"
    tasks = [real.vlm[name], real.expert[name]]
    size = max(float(task.norm()) for task in tasks)
    exact, cut = (Wudi(solver=solver)._layer(name, *tasks) for solver in ("closed-form", "cut-off"))
    assert torch.equal(exact, wudi.closed_form(tasks, cutoff=0))
    assert float(exact.norm()) > 10 * size
    assert float(cut.norm()) < 3 * size
    # Along the directions below the cutoff it is the sum, along the others the minimum.
    grams = [task.double().T @ task.double() / task.double().square().sum() for task in tasks]
    values, directions = np.linalg.eigh(sum(grams[1:], grams[0]).numpy())
    below = torch.tensor(directions[:, values <= values[-1] / 300])
    above = torch.tensor(directions[:, values > values[-1] / 300])
    assert 0 < below.shape[1] < len(values)
    for side, expected in ((below, sum(tasks[1:], tasks[0])), (above, exact)):
        torch.testing.assert_close(cut.double() @ side, expected.double() @ side, atol=1e-4, rtol=1e-4)


def reference_tsv(tasks: list[np.ndarray]) -> np.ndarray:
    """The published arithmetic with singular value decompositions throughout."""
    rank = min(tasks[0].shape) // len(tasks)
    parts = [scipy.linalg.svd(task, full_matrices=False) for task in tasks]
    left = np.hstack([u[:, :rank] for u, _, _ in parts])
    right = np.hstack([vt[:rank].T for _, _, vt in parts])
    values = np.concatenate([s[:rank] for _, s, _ in parts])
    (pu, _, qu), (pv, _, qv) = (scipy.linalg.svd(m, full_matrices=False) for m in (left, right))
    return pu @ qu @ np.diag(values) @ (pv @ qv).T


def test_tsv_is_the_published_arithmetic(vectors: TaskVectors, real: TaskVectors) -> None:
    for each, name in ((vectors, LAYER), (real, LAYER), (real, "model.layers.3.mlp.down_proj.weight")):
        tasks = [task[name].double().numpy() for task in (each.vlm, each.expert)]
        ours = TsvMerge()._layer(name, each.vlm[name], each.expert[name]).double().numpy()
        np.testing.assert_allclose(ours, reference_tsv(tasks), atol=1e-5 * np.abs(tasks).max() * len(tasks[0]))


@pytest.mark.parametrize("shape", [(40, 12), (12, 12)])
def test_polar_factor_by_gram_matrix_is_that_of_the_svd(shape: tuple[int, int]) -> None:
    matrix = draw(*shape, seed=3, size=1.0)
    expected, _ = scipy.linalg.polar(matrix.double().numpy())
    np.testing.assert_allclose(polar_factor(matrix).numpy(), expected, atol=2e-6)


def test_tsv_of_one_task_twice_or_alone_is_its_best_approximation_of_half_rank() -> None:
    task = draw(8, 6, seed=4)
    u, s, vt = np.linalg.svd(task.double().numpy(), full_matrices=False)
    best = u[:, :3] * s[:3] @ vt[:3]
    for other in (task, torch.zeros_like(task)):
        np.testing.assert_allclose(TsvMerge()._layer("layer", task, other).numpy(), best, atol=1e-6)
    assert not TsvMerge()._layer("layer", torch.zeros(4, 3), torch.zeros(4, 3)).any()


@pytest.mark.parametrize("method", [Wudi(), Wudi("closed-form"), Wudi("adam"), TsvMerge()])
def test_all_but_linear_layers_is_averaged(vectors: TaskVectors, method: Wudi | TsvMerge) -> None:
    merged = method.merge(vectors)
    for name in (NORM, TABLE):
        expected = (vectors.vlm[name] + vectors.expert[name]).double().numpy() / 2
        np.testing.assert_allclose(changed(vectors, merged, name), expected, atol=1e-6)
    assert np.abs(changed(vectors, merged) - (vectors.vlm[LAYER] + vectors.expert[LAYER]).numpy() / 2).max() > 1e-3


def test_layers_are_matrices_but_not_the_embedding(real: TaskVectors) -> None:
    assert "lm_head.weight" in real.linear
    assert LAYER in real.linear
    assert not {NORM, TABLE} & set(real.linear)


def test_an_expert_of_another_base_is_refused(vectors: TaskVectors) -> None:
    with pytest.raises(MergeError, match=r"expert's task vector: model.norm.weight has shape \(5,\)"):
        TaskVectors(vectors.base, vectors.vlm, {**vectors.expert, NORM: torch.zeros(5)})
    fewer = {name: tensor for name, tensor in vectors.vlm.items() if name != NORM}
    with pytest.raises(MergeError, match=r"vlm's task vector lacks model.norm.weight"):
        TaskVectors(vectors.base, fewer, vectors.expert)
    with pytest.raises(MergeError, match="superfluous extra"):
        TaskVectors(vectors.base, {**vectors.vlm, "extra": torch.zeros(1)}, vectors.expert)
