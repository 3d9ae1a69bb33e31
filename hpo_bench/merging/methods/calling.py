"""Calls a merge method, whoever wrote it, and refuses what is no merge."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

import torch
from torch import Tensor

from hpo_bench.errors import HpoBenchError, MethodError
from hpo_bench.merging.methods.base import MergeMethod, Parent
from hpo_bench.merging.methods.recipe import Engine, Recipe
from hpo_bench.merging.methods.vectors import TaskVectors
from optimizers.errors import is_ours, traced


@contextmanager
def answering(kind: type[MergeMethod], what: str) -> Iterator[None]:
    """Say whose fault it is that something of a method raised.

    Args:
        kind: The method.
        what: What of it is called inside: its merge, its recipe, its kernel.

    Raises:
        MethodError: If a stranger's raises anything of its own; the message says what, and in which line. A lack of
            memory is nobody's fault, and what this project raises on purpose stays what it is.
    """
    try:
        yield
    except (HpoBenchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if is_ours(kind) or "not enough memory" in str(error):
            raise
        raise MethodError(f"the {what} of {kind.label} raised {traced(error, kind)}") from error


def made(kind: type[MergeMethod], **arguments: Any) -> MergeMethod:
    """A method with its hyperparameters and statistics.

    Args:
        kind: Which.
        **arguments: Of its class.

    Raises:
        MethodError: If a stranger's raises anything of its own.
    """
    make: Any = kind
    with answering(kind, "making"):
        return make(**arguments)


def parent_of(method: MergeMethod) -> Parent | None:
    """The model that a method promises to give back as it is, if one.

    Raises:
        MethodError: If a stranger's raises anything of its own, or there is no such model.
    """
    with answering(type(method), "parent"):
        parent = method.parent()
    if parent is not None and parent not in get_args(Parent):
        raise MethodError(f"the parent of {method.label} is base, vlm, expert or None, not {parent!r}")
    return parent


def recipe_of(method: MergeMethod, engine: Engine) -> Recipe | None:
    """How a method merges in place, if it says so.

    Raises:
        MethodError: If a stranger's raises anything of its own, or returns what is no recipe.
    """
    with answering(type(method), "recipe"):
        recipe = method.recipe(engine)
    if recipe is not None and not isinstance(recipe, Recipe):
        raise MethodError(f"the recipe of {method.label} is {_kind(recipe)}, and neither a Recipe nor None")
    return recipe


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
    with answering(type(method), "merge"):
        merged = method.merge(vectors)
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
        if not found.is_floating_point() or found.is_meta:
            what = "without values (on the device meta)" if found.is_meta else f"as {found.dtype}"
            raise MethodError(f"the merge of {label} has {name} {what}; return float32, as the task vectors are")
        if found.shape != change.shape:
            raise MethodError(
                f"the merge of {label} has {name} in shape {(*found.shape,)}, and the base's is {(*change.shape,)}"
            )


def _kind(found: object) -> str:
    return (
        "None" if found is None else f"a {type(found).__module__}.{type(found).__qualname__}".replace("builtins.", "")
    )
