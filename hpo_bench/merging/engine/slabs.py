"""A pair's language weights as lines of elements, for kernels that go through them in one pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.engine.fingerprint import BLOCK
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.recipe import Line

PARENTS = ("vlm", "expert")

_GLANCE = 1 << 12
_BUNDLE = 1 << 20  # elements a slab of small tensors, of which it is a copy, at most


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """A large tensor, or several small ones laid end to end to be handled at once.

    Attributes:
        names: Language model names of its tensors.
        base: The base's elements, (n,).
        vlm: The VLM's own, likewise.
        expert: The expert's.
        merged: Where a merge goes: the live VLM's parameter, flat, or a line beside those of several tensors.
        targets: The live VLM's parameters, flat, one a tensor.
        sizes: Elements a tensor.
        together: Lines in which small tensors are one.
        apart: Lines of one tensor each.
        still: Whether VLM and expert have the base's very bits, so that every merge has them.
    """

    names: tuple[str, ...]
    base: Tensor
    vlm: Tensor
    expert: Tensor
    merged: Tensor
    targets: tuple[Tensor, ...]
    sizes: tuple[int, ...]
    together: tuple[Line, ...]
    apart: tuple[Line, ...]
    still: bool

    @property
    def written(self) -> tuple[tuple[int, int], ...]:
        """Where each live parameter lies, and how often it was written: another value after any change."""
        return tuple((target.data_ptr(), target._version) for target in self.targets)

    @property
    def single(self) -> bool:
        """Whether it is one tensor."""
        return len(self.names) == 1

    def scatter(self) -> None:
        """Put merged elements of several tensors into the live parameters; those of one are there already."""
        if not self.single:
            for target, part in zip(self.targets, self.merged.split(self.sizes), strict=True):
                target.copy_(part)

    def gather(self) -> Tensor:
        """The live parameters' present elements, (n,)."""
        return self.merged if self.single else torch.cat(self.targets)


def cut_into_slabs(loaded: LoadedPair, device: torch.device, *, step: int) -> list[Slab]:
    """Slabs of all tensors that are merged: large ones in the order of the model, then small ones in bundles.

    Large tensors are used where they lie, with no copy, if they lie on the device. On the CPU, for a live model on a
    GPU, they are copied into pinned memory, from which a GPU reads several times as fast, unless they lie there.

    Args:
        loaded: The pair.
        device: Where base, VLM and expert are to lie.
        step: Elements a line; a multiple of a fingerprint's block.

    Raises:
        MergeError: If a tensor's shape differs, or a live parameter is not contiguous.
    """
    state = loaded.vlm.state_dict()
    live = {theirs: _flat(state[ours], theirs, loaded) for ours, theirs in loaded.names.items()}
    groups = [(name,) for name in live if live[name].numel() >= BLOCK]
    small = {name: parameter for name, parameter in live.items() if parameter.numel() < BLOCK}
    still = {name: _still(loaded, name) for name in live}
    groups += _bundles(loaded, small, still, min(step, _BUNDLE))
    slabs, first = [], 0
    for names in groups:
        slabs.append(_slab(names, first, loaded, live, device, step, still=still[names[0]]))
        first += len(names)
    return slabs


def _still(loaded: LoadedPair, name: str) -> bool:
    """Whether base, VLM and expert have the same bits; a look at the first few tells most tensors apart."""
    some = [weights[name].detach().reshape(-1) for weights in (loaded.base, loaded.tuned, loaded.expert)]
    if len({one.dtype for one in some}) > 1:
        return False
    for of in (slice(_GLANCE), slice(_GLANCE, None)):
        base, vlm, expert = (one[of].view(torch.uint8) for one in some)
        if not (torch.equal(base, vlm) and torch.equal(base, expert)):
            return False
    return True


def _bundles(
    loaded: LoadedPair, small: Mapping[str, Tensor], still: Mapping[str, bool], limit: int
) -> list[tuple[str, ...]]:
    """Groups small tensors of one kind, all still or none, of at most `limit` elements together, in order."""
    kinds: dict[tuple[torch.dtype, torch.dtype], list[str]] = {}
    for name, parameter in small.items():
        kinds.setdefault((parameter.dtype, _dtype(loaded, name)), []).append(name)
    bundles: list[list[str]] = []
    for names in kinds.values():
        filled = limit
        for name in names:
            if filled + small[name].numel() > limit or still[name] != still[bundles[-1][-1]]:
                bundles.append([])
                filled = 0
            bundles[-1].append(name)
            filled += small[name].numel()
    return [tuple(bundle) for bundle in bundles]


def _slab(
    names: tuple[str, ...],
    first: int,
    loaded: LoadedPair,
    live: Mapping[str, Tensor],
    device: torch.device,
    step: int,
    *,
    still: bool,
) -> Slab:
    dtype = _dtype(loaded, names[0])
    targets = tuple(live[name] for name in names)
    streamed = device.type == "cpu" and targets[0].device.type == "cuda"

    def laid(weights: Mapping[str, Tensor]) -> Tensor:
        line = _joined([weights[name].detach().reshape(-1).to(device=device, dtype=dtype) for name in names])
        return line.pin_memory() if streamed else line

    whole = laid(loaded.base), laid(loaded.tuned), laid(loaded.expert), _joined([*targets])
    sizes = tuple(len(target) for target in targets)
    if len(names) == 1:
        cut = enumerate(_cut(whole, step))
        together = apart = tuple(Line(first, count * step, parts[:3], parts[3]) for count, parts in cut)
    else:
        together = (Line(first, 0, whole[:3], whole[3]),)
        cut = enumerate(_cut(whole, [*sizes]), start=first)
        apart = tuple(Line(tensor, 0, parts[:3], parts[3]) for tensor, parts in cut)
    return Slab(names, *whole, targets, sizes, together, apart, still)


def _cut(
    whole: tuple[Tensor, Tensor, Tensor, Tensor], into: int | list[int]
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    one, two, three, four = (line.split(into) for line in whole)
    return zip(one, two, three, four, strict=True)


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
