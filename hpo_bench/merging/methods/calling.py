"""Calls a merge method, whoever wrote it, and refuses what is no merge."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hpo_bench.errors import HpoBenchError, MethodError
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.vectors import TaskVectors
from optimizers.errors import is_ours, traced


def merged_by(method: MergeMethod, vectors: TaskVectors) -> Mapping[str, Tensor]:
    """What a method merges.

    Args:
        method: With its hyperparameters.
        vectors: The task vectors.

    Returns:
        Tensors of the base's names and shapes.

    Raises:
        MethodError: If a stranger's method raises anything of its own, or returns what is no merge; the message says
            what, and in which line.
    """
    try:
        merged = method.merge(vectors)
    except (HpoBenchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if is_ours(type(method)) or "not enough memory" in str(error):
            raise
        raise MethodError(f"the merge of {method.label} raised {traced(error, type(method))}") from error
    _check(method.label, merged, vectors)
    return merged


def _check(label: str, merged: object, vectors: TaskVectors) -> None:
    if not isinstance(merged, Mapping):
        cure = "end it with `return merged`" if merged is None else "return a dict of tensors by name"
        raise MethodError(f"the merge of {label} returns {_kind(merged)}, which is no dict; {cure}")
    if odd := sorted({*vectors.vlm} ^ {*merged}, key=str):
        where = "lacks" if odd[0] in vectors.vlm else "has a superfluous"
        raise MethodError(f"the merge of {label} {where} {odd[0]}; return the base's names, all of them and no other")
    for name, change in vectors.vlm.items():
        found = merged[name]
        if not isinstance(found, Tensor):
            raise MethodError(f"the merge of {label} has {_kind(found)} as {name}, which is no torch.Tensor")
        if found.shape != change.shape:
            raise MethodError(
                f"the merge of {label} has {name} in shape {(*found.shape,)}, and the base's is {(*change.shape,)}"
            )


def _kind(found: object) -> str:
    return (
        "None" if found is None else f"a {type(found).__module__}.{type(found).__qualname__}".replace("builtins.", "")
    )
