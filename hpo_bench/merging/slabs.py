"""A pair's language weights as lines of elements, for kernels that go through them in one pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.fingerprint import BLOCK
from hpo_bench.merging.pair import LoadedPair

PARENTS = ("vlm", "expert")


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """One line of elements: a large tensor, or several small ones laid end to end to be handled at once.

    Attributes:
        names: Language model names of its tensors.
        first: Index of the first of them among all.
        base: The base's elements, (n,).
        vlm: The VLM's own, likewise.
        expert: The expert's.
        targets: The live VLM's parameters, flat, one a tensor.
        sizes: Elements a tensor.
        owner: Which of its tensors each element is of, int64, (n,); None where there is one.
        position: Place of each element in its tensor, int32, (n,); None where there is one.
    """

    names: tuple[str, ...]
    first: int
    base: Tensor
    vlm: Tensor
    expert: Tensor
    targets: tuple[Tensor, ...]
    sizes: tuple[int, ...]
    owner: Tensor | None
    position: Tensor | None

    def __len__(self) -> int:
        return len(self.base)

    def lines(self, roles: tuple[str, ...], step: int) -> Iterator[tuple[int, tuple[Tensor, ...], Tensor | None]]:
        """Cuts it into lines of `step` elements, the last shorter; several tensors in one slab stay together.

        Args:
            roles: Whose elements are wanted: "base", "vlm", "expert".
            step: Elements a line.

        Yields:
            Where a line starts, its elements role by role, and where its merge goes: None where `scatter` does that.
        """
        sources = [getattr(self, role) for role in roles]
        if self.owner is not None:
            yield 0, tuple(sources), None
            return
        starts = range(0, len(self), step)
        cut = zip(*(source.split(step) for source in sources), strict=True)
        yield from zip(starts, cut, self.targets[0].split(step), strict=True)

    def spread(self, values: Tensor) -> Tensor:
        """What has one value a tensor of the pair, for this slab: of no dimension, or (n,) if it holds several."""
        if self.owner is None:
            return values[self.first]
        return values[self.first : self.first + len(self.names)][self.owner]

    def scatter(self, elements: Tensor) -> None:
        """Put merged elements, (n,), into the live parameters of several tensors."""
        for target, part in zip(self.targets, elements.split(self.sizes), strict=True):
            target.copy_(part)

    def read(self) -> Tensor:
        """The live parameters' elements, (n,)."""
        return self.targets[0] if self.owner is None else torch.cat(self.targets)


def cut_into_slabs(loaded: LoadedPair, device: torch.device) -> list[Slab]:
    """Slabs of all tensors that are merged: large ones in the order of the model, then small ones in bundles.

    Large tensors are used where they lie, with no copy, if they lie on the device.

    Args:
        loaded: The pair.
        device: Where base, VLM and expert are to lie.

    Raises:
        MergeError: If a tensor's shape differs, or a live parameter is not contiguous.
    """
    state = loaded.vlm.state_dict()
    live = {theirs: _flat(state[ours], theirs, loaded) for ours, theirs in loaded.names.items()}
    groups = [(name,) for name in live if live[name].numel() >= BLOCK]
    groups += _bundles(loaded, {name: parameter for name, parameter in live.items() if parameter.numel() < BLOCK})
    slabs, first = [], 0
    for names in groups:
        slabs.append(_slab(names, first, loaded, live, device))
        first += len(names)
    return slabs


def _bundles(loaded: LoadedPair, small: Mapping[str, Tensor]) -> list[tuple[str, ...]]:
    """Groups small tensors of one kind, of at most a block together, in order."""
    kinds: dict[tuple[torch.dtype, torch.dtype], list[str]] = {}
    for name, parameter in small.items():
        kinds.setdefault((parameter.dtype, _dtype(loaded, name)), []).append(name)
    bundles: list[list[str]] = []
    for names in kinds.values():
        filled = BLOCK
        for name in names:
            if filled + small[name].numel() > BLOCK:
                bundles.append([])
                filled = 0
            bundles[-1].append(name)
            filled += small[name].numel()
    return [tuple(bundle) for bundle in bundles]


def _slab(
    names: tuple[str, ...], first: int, loaded: LoadedPair, live: Mapping[str, Tensor], device: torch.device
) -> Slab:
    dtype = _dtype(loaded, names[0])
    base, vlm, expert = (
        _joined([weights[name].detach().reshape(-1).to(device=device, dtype=dtype) for name in names])
        for weights in (loaded.base, loaded.tuned, loaded.expert)
    )
    sizes = tuple(live[name].numel() for name in names)
    owner = position = None
    if len(names) > 1:
        owner = torch.repeat_interleave(torch.arange(len(names)), torch.tensor(sizes)).to(device)
        position = torch.cat([torch.arange(size, dtype=torch.int32) for size in sizes]).to(device)
    return Slab(names, first, base, vlm, expert, tuple(live[name] for name in names), sizes, owner, position)


def _joined(lines: list[Tensor]) -> Tensor:
    return lines[0] if len(lines) == 1 else torch.cat(lines)


def _dtype(loaded: LoadedPair, name: str) -> torch.dtype:
    """What the three models' types promote to, which is what mergekit computes in."""
    mixed = torch.promote_types(loaded.base[name].dtype, loaded.tuned[name].dtype)
    return torch.promote_types(mixed, loaded.expert[name].dtype)


def _flat(parameter: Tensor, name: str, loaded: LoadedPair) -> Tensor:
    for role, weights in (("base", loaded.base), ("VLM", loaded.tuned), ("expert", loaded.expert)):
        if weights[name].shape != parameter.shape:
            raise MergeError(
                f"{name}: shape {tuple(parameter.shape)} in the live model, {tuple(weights[name].shape)} in the {role}"
            )
    if not parameter.is_contiguous():
        raise MergeError(f"{name}: the live parameter is not contiguous in memory; call .contiguous() on it first")
    return parameter.detach().view(-1)
