"""TA, DARE and TIES against computations of their own, in double precision numpy."""

import numpy as np
import pytest
import torch

from hpo_bench.merging.methods import masks
from hpo_bench.merging.methods.dare import Dare
from hpo_bench.merging.methods.recipe import Mode
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.merging.methods.ties import Ties
from hpo_bench.merging.methods.vectors import TaskVectors

SHAPES = {"matrix": (40, 50), "vector": (60,)}


@pytest.fixture
def vectors() -> TaskVectors:
    generator = torch.Generator().manual_seed(3)
    scales = {"matrix": 1.0, "vector": 3.0}  # unlike, so that trimming apart and trimming together differ

    def draw(scaled: bool) -> dict[str, torch.Tensor]:
        return {
            name: torch.randn(shape, generator=generator) * (scales[name] if scaled else 1)
            for name, shape in SHAPES.items()
        }

    return TaskVectors(draw(scaled=False), draw(scaled=True), draw(scaled=True))


def numbers(weights: object) -> np.ndarray:
    assert isinstance(weights, torch.Tensor)
    return weights.double().numpy()


def trimmed(change: np.ndarray, density: float) -> np.ndarray:
    kept = np.argsort(-np.abs(change), axis=None)[: int(density * change.size)]
    result = np.zeros(change.size)
    result[kept] = change.reshape(-1)[kept]
    return result.reshape(change.shape)


def test_task_arithmetic_is_the_formula(vectors: TaskVectors) -> None:
    merged = TaskArithmetic(0.3, 1.1).merge(vectors)
    for name in SHAPES:
        expected = numbers(vectors.base[name]) + 0.3 * numbers(vectors.vlm[name]) + 1.1 * numbers(vectors.expert[name])
        np.testing.assert_allclose(numbers(merged[name]), expected, atol=1e-5)


def test_ties_as_mergekit_trims_each_tensor_and_lets_weights_vote(vectors: TaskVectors) -> None:
    merged = Ties(0.4, 0.9, 0.3).merge(vectors)
    for name in SHAPES:
        one, two = 0.4 * trimmed(numbers(vectors.vlm[name]), 0.3), 0.9 * trimmed(numbers(vectors.expert[name]), 0.3)
        sign = np.where(one + two >= 0, 1, -1)
        expected = numbers(vectors.base[name]) + np.where(one * sign > 0, one, 0) + np.where(two * sign > 0, two, 0)
        np.testing.assert_allclose(numbers(merged[name]), expected, atol=1e-5)


@pytest.mark.parametrize("weights", [(0.7, 0.7), (0.4, 0.9)])
def test_ties_as_published_trims_whole_task_vectors_and_averages(
    vectors: TaskVectors, weights: tuple[float, float]
) -> None:
    merged = Ties(*weights, 0.3, mode="paper").merge(vectors)
    base, one, two = (
        np.concatenate([numbers(part[name]).reshape(-1) for name in SHAPES])
        for part in (vectors.base, vectors.vlm, vectors.expert)
    )
    tasks = np.stack([trimmed(one, 0.3), trimmed(two, 0.3)])
    sign = np.where(tasks.sum(0) >= 0, 1, -1)
    agree = tasks * sign > 0
    mean = (np.array(weights)[:, None] * tasks * agree).sum(0) / np.maximum(agree.sum(0), 1)
    found = np.concatenate([numbers(merged[name]).reshape(-1) for name in SHAPES])
    np.testing.assert_allclose(found, base + mean, atol=1e-5)


def test_the_modes_of_ties_differ(vectors: TaskVectors) -> None:
    merged = [Ties(0.4, 0.9, 0.3, mode=mode).merge(vectors)["vector"] for mode in ("mergekit", "paper")]
    assert not torch.equal(*merged)


@pytest.mark.parametrize("mode", ["mergekit", "paper"])
def test_dare_keeps_what_its_counter_says_and_rescales(vectors: TaskVectors, mode: Mode) -> None:
    merged = Dare(0.5, 0.8, 0.4, seed=7, mode=mode).merge(vectors)
    for name, shape in SHAPES.items():
        change = 0
        for task, weight, mask in zip(
            (vectors.vlm[name], vectors.expert[name]),
            (0.5, 0.8),
            masks.masks(torch.Size(shape), seed=7, name=name, density=0.4),
            strict=True,
        ):
            kept = numbers(task) * mask.numpy()
            factor = np.abs(numbers(task)).sum() / np.abs(kept).sum() if mode == "mergekit" else 1 / 0.4
            change = change + weight * factor * kept
        np.testing.assert_allclose(numbers(merged[name]), numbers(vectors.base[name]) + change, atol=1e-5)


def test_dare_as_published_keeps_the_expectation(vectors: TaskVectors) -> None:
    draws = [Dare(1.0, 0.0, 0.5, seed=seed, mode="paper").merge(vectors)["vector"] for seed in range(400)]
    deviation = torch.stack(draws).mean(0) - vectors.base["vector"] - vectors.vlm["vector"]
    # One draw's standard deviation is the entry itself, so 400 draws' mean has a twentieth of it.
    assert float((deviation / vectors.vlm["vector"] * 20).abs().max()) < 4


def test_a_density_of_one_is_task_arithmetic(vectors: TaskVectors) -> None:
    plain = TaskArithmetic(0.5, 0.8).merge(vectors)
    for mode in ("mergekit", "paper"):
        torch.testing.assert_close(Dare(0.5, 0.8, 1.0, mode=mode).merge(vectors), plain)
