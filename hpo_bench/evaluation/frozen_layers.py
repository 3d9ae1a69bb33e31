"""Reading texts once up to the first layer that merges write to: layers below it, frozen in both tunings, stay."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch

Written = tuple[tuple[int, int], ...]
"""Where each parameter of a part lies, and how often it was written."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Below:
    """What some texts became below a layer.

    Attributes:
        depth: The layer.
        states: What arrives at it, of shape (batch, length, width).
        stamp: How often everything below was written when they were read.
    """

    depth: int
    states: torch.Tensor
    stamp: tuple[Written, ...]


class LowerLayers:
    """Knows how many of the lowest decoder layers, with the embeddings below them, nobody writes to between two merges.

    Nothing is assumed of an architecture: before states of one are kept it must have given the same last hidden states
    from them, bit for bit, as from the texts.

    Args:
        most: How many bytes all that is kept may take.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._kept: WeakSet[Below] = WeakSet()
        self._now: list[Written] = []
        self._depth = 0
        self._trusted: bool | None = None

    def look(self, model: Any) -> None:
        """See what was written since the last look."""
        before, self._now = self._now, _written(model)
        still = next((i for i, (a, b) in enumerate(zip(before, self._now, strict=False)) if a != b), None)
        if still is not None:  # where nothing at all was written there is nothing to learn
            self._depth = max(still - 1, 0)  # the first part are the embeddings

    def read(
        self, model: Any, read: Callable[[torch.Tensor | None], torch.Tensor], below: Below | None
    ) -> tuple[torch.Tensor, Below | None]:
        """Last hidden states of some texts, from as high a layer as can be.

        Args:
            model: Who reads.
            read: Gives them, from the texts, or from states that stand for their embeddings.
            below: What was kept of them.

        Returns:
            The states, and what to keep for the next time.
        """
        if below is not None and below.stamp == tuple(self._now[: below.depth + 1]):
            with _without(model, below.depth):
                return read(below.states), below
        if not self._depth or self._trusted is False or sum(one.states.nbytes for one in self._kept) > self._most:
            return read(None), None
        with _noting(model, self._depth) as noted:
            states = read(None)
        below = Below(self._depth, noted[0], tuple(self._now[: self._depth + 1]))
        if self._trusted is None:
            self._trusted = self._same(model, read, below, states)
        if not self._trusted:
            return states, None
        self._kept.add(below)
        return states, below

    @staticmethod
    def _same(
        model: Any, read: Callable[[torch.Tensor | None], torch.Tensor], below: Below, states: torch.Tensor
    ) -> bool:
        try:
            with _without(model, below.depth):
                return torch.equal(read(below.states), states)
        except (TypeError, ValueError, IndexError, RuntimeError):  # layers that give more than states
            return False


def _written(model: Any) -> list[Written]:
    layers = getattr(model.get_decoder(), "layers", ())
    parts = [model.get_input_embeddings(), *layers]
    return [tuple((p.data_ptr(), p._version) for p in part.parameters()) for part in parts]


@contextmanager
def _noting(model: Any, depth: int) -> Iterator[list[torch.Tensor]]:
    """Note what arrives at a layer."""
    noted: list[torch.Tensor] = []

    def note(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        noted.append(args[0] if args else kwargs["hidden_states"])

    hook = model.get_decoder().layers[depth].register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield noted
    finally:
        hook.remove()


@contextmanager
def _without(model: Any, depth: int) -> Iterator[None]:
    """Let the lowest layers hand on what they get, for inference only."""
    layers = list(model.get_decoder().layers[:depth])
    try:
        for layer in layers:
            layer.forward = _hand_on  # an attribute of the instance hides the class's method
        yield
    finally:
        for layer in layers:
            del layer.forward


def _hand_on(hidden_states: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    return hidden_states
