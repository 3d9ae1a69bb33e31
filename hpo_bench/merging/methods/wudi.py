"""WUDI-Merging: the merged task vector that disturbs each task least on the inputs that its task vector spans."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.vectors import TaskVectors, merge_linear

Solver = Literal["closed-form", "cut-off", "adam"]


@dataclass(frozen=True, slots=True)
class Wudi(MergeMethod):
    r"""Minimises, in each linear layer, sum_i |(tau - tau_i) tau_i^T|^2 / |tau_i|^2 over the merged task vector tau.

    Runxi Cheng et al.: Whoever Started the Interference Should End It: Guiding Data-Free Model Merging via Task
    Vectors, ICML 2025. A task vector's rows approximately span the inputs that it was trained on, so that the loss
    bounds how much a layer's outputs change for each task, without data.

    The loss is quadratic: with G_i = tau_i^T tau_i / |tau_i|^2 it is least at tau = (sum tau_i G_i) (sum G_i)^-1. The
    paper takes 300 Adam steps of 1e-5 from sum tau_i instead, which move no weight by more than about 0.003 and so
    arrive only when task vectors are small. The default is neither: on all ten nano pairs merges at the very minimum
    answer less than the VLM alone, since where both tasks span few of a layer's inputs, directions of tiny eigenvalues
    fit both tasks exactly with weights many times their size; cut off there, the closed form scores about as the steps
    do (`docs/methods/methods.md`), at a fraction of their cost.

    Everything but linear layers, about which the paper is silent, is averaged.

    Attributes:
        solver: "closed-form" for the minimum, of several that of least norm; "cut-off" for the same along directions
            whose eigenvalues of sum G_i are above `cutoff` of the largest, and sum tau_i, the paper's start, along the
            others; "adam" for the paper's steps.
        cutoff: Of "cut-off". By default 1 / steps, where as many steps of gradient descent, at the longest stable
            length, stop short.
        steps: How many Adam steps.
        learning_rate: Of these.
    """

    name: ClassVar[str] = "wudi"
    label: ClassVar[str] = "WUDI"
    reference: ClassVar[str] = "Cheng et al., 2025"
    by_tensor: ClassVar[bool] = True

    solver: Solver = "cut-off"
    cutoff: float = 1 / 300
    steps: int = 300
    learning_rate: float = 1e-5

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus the merged task vector of each linear layer, and averages elsewhere."""
        return merge_linear(vectors, self._layer)

    def _layer(self, _name: str, vlm: Tensor, expert: Tensor) -> Tensor:
        tasks = [task for task in (vlm, expert) if task.any()]
        if len(tasks) < 2:  # nothing interferes with a task that is alone
            return vlm + expert
        if self.solver == "adam":
            return self._adam(tasks)
        return closed_form(tasks, cutoff=self.cutoff if self.solver == "cut-off" else 0)

    def _adam(self, tasks: list[Tensor]) -> Tensor:
        merged = sum(tasks[1:], tasks[0]).clone().requires_grad_()
        optimizer = torch.optim.Adam([merged], lr=self.learning_rate)
        with torch.enable_grad():
            for _ in range(self.steps):
                optimizer.zero_grad()
                loss(merged, tasks).backward()
                optimizer.step()
        return merged.detach()


def loss(merged: Tensor, tasks: list[Tensor]) -> Tensor:
    """What WUDI minimises, for one layer: matrices of shape (outputs, inputs)."""
    return torch.stack([((merged - task) @ task.T).square().sum() / task.square().sum() for task in tasks]).sum()


def closed_form(tasks: list[Tensor], *, cutoff: float) -> Tensor:
    """The minimum of `loss` over the directions above the cutoff; sum of tasks on the others. In double precision.

    Args:
        tasks: Task vectors of one layer, each of shape (outputs, inputs) and not zero.
        cutoff: See `Wudi`; 0 for the minimum itself, of least norm.
    """
    exact = [task.double() for task in tasks]
    grams = [task.T @ task / task.square().sum() for task in exact]
    right = torch.stack([task @ gram for task, gram in zip(exact, grams, strict=True)]).sum(0)
    values, directions = torch.linalg.eigh(torch.stack(grams).sum(0))
    # Below rounding, every task vector is zero along the direction, and so is their sum.
    known = values > values[-1] * max(cutoff, len(values) * torch.finfo(values.dtype).eps)
    solved, kept = directions[:, known], directions[:, ~known]
    merged = (right @ solved / values[known]) @ solved.T + torch.stack(exact).sum(0) @ kept @ kept.T
    return merged.to(tasks[0].dtype)
