"""Task vectors, and the arithmetic that several merge methods share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import kind_of

if TYPE_CHECKING:  # which imports transformers, and a setting's check needs none
    from hpo_bench.merging.loaded import LoadedPair

Weights = Mapping[str, Tensor]
"""Tensors by language model name."""


class Copies(Mapping[str, Tensor]):
    """Copies in float32 of tensors that others need as they are, each made and kept when it is first asked for.

    Whoever writes into them harms nobody, and whoever asks for none pays for none.

    Args:
        lent: What is copied.
    """

    def __init__(self, lent: Weights) -> None:
        self.lent = lent
        self._made: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._made:
            self._made[name] = self.lent[name].to(torch.float32, copy=True)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.lent)

    def __len__(self) -> int:
        return len(self.lent)

    def read(self, name: str) -> Tensor:
        """The same tensor in float32, to be read and not written, for which none is copied."""
        return self._made[name] if name in self._made else self.lent[name].float()


@dataclass(frozen=True, slots=True, eq=False)
class TaskVectors:
    """What fine-tuning changed, in the VLM's language model and in the expert: weights minus base (Ilharco, 2023).

    Attributes:
        base: Weights of the common base, in float32.
        vlm: The VLM's task vector, in float32, with the base's names and shapes.
        expert: The expert's task vector, likewise.

    Raises:
        MergeError: If names or shapes differ.
    """

    base: Weights
    vlm: Weights
    expert: Weights

    def __post_init__(self) -> None:
        for role in ("vlm", "expert"):
            base = self.base.lent if isinstance(self.base, Copies) else self.base
            check_same(base, getattr(self, role), f"the {role}'s task vector")

    @classmethod
    def of(cls, loaded: "LoadedPair", names: Iterable[str] | None = None) -> "TaskVectors":
        """The base and both differences of a loaded pair, in float32, all of which are this object's own.

        Args:
            loaded: The pair.
            names: Of which tensors; by default of all.

        Raises:
            MergeError: If the three models differ in names or shapes.
        """
        if names is None:
            check_same(loaded.base, loaded.tuned, "the VLM's language model")
            check_same(loaded.base, loaded.expert, "the expert")
        bases = {name: loaded.base[name] for name in (loaded.base if names is None else names)}
        vlm, expert = (
            {name: model[name].float() - base.float() for name, base in bases.items()}
            for model in (loaded.tuned, loaded.expert)
        )
        return cls(Copies(bases), vlm, expert)

    def added(self, name: str, change: Tensor) -> Tensor:
        """The base's tensor of that name plus a change, in float32."""
        base = self.base.read(name) if isinstance(self.base, Copies) else self.base[name].float()
        return base + change

    def mean(self, name: str) -> Tensor:
        """The average of both task vectors in one tensor: what methods for linear layers do with everything else."""
        return (self.vlm[name] + self.expert[name]) / 2

    @property
    def linear(self) -> tuple[str, ...]:
        """Names of the weights of linear layers, which are applied to hidden states: (outputs, inputs) matrices.

        The embedding is a table and no layer; a head that is tied to it is not among the merged tensors.
        """
        return tuple(name for name, tensor in self.vlm.items() if tensor.ndim == 2 and kind_of(name) != "embeddings")


def linear_combination(vectors: TaskVectors, vl_weight: float, exp_weight: float) -> dict[str, Tensor]:
    """The base plus both task vectors, each times its coefficient: Task Arithmetic."""
    return {
        name: vectors.added(name, vl_weight * vectors.vlm[name] + exp_weight * vectors.expert[name])
        for name in vectors.base
    }


def merge_linear(vectors: TaskVectors, layer: Callable[[str, Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
    """Merge linear layers in a way of their own, and average everything else.

    Args:
        vectors: The task vectors.
        layer: From a layer's name and the VLM's and expert's task vectors in it, of shape (outputs, inputs), to the
            merged one.
    """
    linear = set(vectors.linear)
    return {
        name: vectors.added(
            name, layer(name, vectors.vlm[name], vectors.expert[name]) if name in linear else vectors.mean(name)
        )
        for name in vectors.base
    }


def squared_norm(weights: Weights) -> float:
    """Squared Euclidean norm of all tensors together, added up in double precision tensor by tensor."""
    return sum(float(torch.linalg.vector_norm(tensor.float()).double() ** 2) for tensor in weights.values())


def check_same(expected: Weights, found: Weights, what: str) -> None:
    """Refuse tensors that do not fit the base's.

    Args:
        expected: The base's tensors.
        found: Those of another model.
        what: What they are, for the message.

    Raises:
        MergeError: If a name is missing or superfluous, or a shape differs.
    """
    if odd := sorted(set(expected) ^ set(found)):
        where = "lacks" if odd[0] in expected else "has a superfluous"
        raise MergeError(f"{what} {where} {odd[0]} ({len(odd)} names differ from the base's): is it of this base?")
    for name, tensor in expected.items():
        if tensor.shape != found[name].shape:
            raise MergeError(
                f"{what}: {name} has shape {tuple(found[name].shape)}, and the base's {tuple(tensor.shape)}: "
                "is it of this base?"
            )
