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
        merged: Where a merge goes: the live VLM's parameter, flat, or a line beside those of several tensors.
        targets: The live VLM's parameters, flat, one a tensor.
        sizes: Elements a tensor.
    """

    names: tuple[str, ...]
    first: int
    base: Tensor
    vlm: Tensor
    expert: Tensor
    merged: Tensor
    targets: tuple[Tensor, ...]
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.base)

    @property
    def single(self) -> bool:
        """Whether it is one tensor."""
        return len(self.names) == 1

    def lines(self, step: int, *, apart: bool) -> Iterator[tuple[int, int, tuple[Tensor, ...], Tensor]]:
        """Cuts it into lines.

        Args:
            step: Elements a line of a large tensor.
            apart: Whether small tensors are lines of their own, or one line together.

        Yields:
            The line's tensor, as an index among all; where in it the line starts; its elements of the base, the VLM and
            the expert; and where its merge goes.
        """
        sizes = self.sizes if apart else (len(self),)
        cut = zip(*(line.split(step if self.single else sizes) for line in self._all), strict=True)
        for count, (merged, *sources) in enumerate(cut):
            index, start = (0, count * step) if self.single else (count, 0)
            yield self.first + index, start, tuple(sources), merged

    @property
    def _all(self) -> tuple[Tensor, ...]:
        return self.merged, self.base, self.vlm, self.expert

    def scatter(self) -> None:
        """Put merged elements of several tensors into the live parameters; those of one are there already."""
        if not self.single:
            for target, part in zip(self.targets, self.merged.split(self.sizes), strict=True):
                target.copy_(part)

    def gather(self) -> Tensor:
        """The live parameters' present elements, (n,)."""
        return self.merged if self.single else torch.cat(self.targets)


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
    targets = tuple(live[name] for name in names)
    sizes = tuple(len(target) for target in targets)
    return Slab(names, first, base, vlm, expert, _joined([*targets]), targets, sizes)


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
