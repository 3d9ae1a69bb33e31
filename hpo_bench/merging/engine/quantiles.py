"""Thresholds of TIES and norms of DARE at every density, from one pass over each task vector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo_bench.merging.engine.footprint import threshold_bytes
from hpo_bench.merging.engine.slabs import PARENTS, Slab
from hpo_bench.merging.memory import check_memory
from hpo_bench.merging.methods import masks

_BINS = 1 << 15
_STEP = 1 << 20  # elements a step: a histogram's 32,768 counts are then little beside them


@dataclass(frozen=True, slots=True, eq=False)
class _Magnitudes:
    """All magnitudes of a task vector, ascending, as compact as they can be looked up.

    Attributes:
        leading: Their sign-less upper 16 bits, those that occur, ascending, (m,).
        before: How many magnitudes are below each of these, and how many there are, (m + 1,).
        trailing: Lower 16 bits of each magnitude, ascending by magnitude, (n,); None of 16-bit numbers.
    """

    leading: NDArray[np.uint16]
    before: NDArray[np.int64]
    trailing: NDArray[np.uint16] | None

    @classmethod
    def of(cls, piece: "_Piece") -> "_Magnitudes":
        """Counts 16-bit numbers, and sorts others."""
        if piece.dtype.itemsize == 2:
            counts = _count(piece)
            leading = counts.nonzero()[0]
            return cls(leading.astype(np.uint16), _running(counts[leading]), None)
        magnitudes = _sorted(piece.change().view(torch.int32) & 0x7FFFFFFF)
        upper = magnitudes >> 16
        starts = np.flatnonzero(np.diff(upper, prepend=-1))
        before = np.append(starts, len(magnitudes))
        return cls(upper[starts].astype(np.uint16), before, magnitudes.astype(np.uint16))

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.before[-1])

    def bin(self, rank: int) -> int:
        """Where in `leading` the magnitude is that has `rank` others below it."""
        return int(self.before.searchsorted(rank, side="right")) - 1

    def __getitem__(self, rank: int) -> int:
        """Bits of the magnitude that has `rank` others below it."""
        leading = int(self.leading[self.bin(rank)])
        return leading if self.trailing is None else leading << 16 | int(self.trailing[rank])

    def inside(self, leading: int) -> NDArray[np.uint16]:
        """Lower bits of all that have these upper ones."""
        place = int(self.leading.searchsorted(leading))
        if self.trailing is None or place == len(self.leading) or self.leading[place] != leading:
            return np.empty(0, np.uint16)
        return self.trailing[self.before[place] : self.before[place + 1]]


class Thresholds:
    """The k-th largest magnitudes of both task vectors, exact for every k; all that equal one are kept.

    One pass counts magnitudes by their sign-less upper 16 bits. Of 16-bit weights those are whole magnitudes, and any
    threshold follows from the counts. Float32 ones are sorted as well, and the lower 16 bits of each are kept, in the
    CPU's memory: two bytes for every element of both task vectors, together as much as one model. Then no density
    costs more than looking it up, which matters to an optimiser that asks for a new one each time.

    Args:
        slabs: The weights.
        dtype: What task vectors are computed in; None for the weights' own type.

    Raises:
        MergeError: If memory does not suffice.
    """

    def __init__(self, slabs: Sequence[Slab], *, dtype: torch.dtype | None) -> None:
        check_memory(
            sum(threshold_bytes(slab.sizes, dtype or slab.base.dtype) for slab in slabs),
            device=None,
            what="keeping thresholds of TIES",
            instead="in bfloat16 it needs next to nothing: give `dtype: bfloat16` under `merge:` in pair.yaml",
        )
        self._dtypes = [dtype or slab.base.dtype for slab in slabs for _ in slab.names]
        self._magnitudes = {
            role: [_Magnitudes.of(piece) for slab in slabs for piece in _pieces(slab, role, dtype)] for role in PARENTS
        }
        self._whole = {role: _whole(of) for role, of in self._magnitudes.items()}

    def at(self, role: str, density: float, *, per_tensor: bool) -> Tensor:
        """What magnitudes must exceed for a share of a task vector to be kept: the next number below the k-th largest.

        Args:
            role: "vlm" or "expert".
            density: Share that is kept.
            per_tensor: Whether the share is kept in each tensor, or over all of them, which takes tensors of one type.

        Returns:
            One a tensor, float32, on the CPU, (tensors,).
        """
        of = self._magnitudes[role]
        if density >= 1:
            return torch.zeros(len(of))
        if per_tensor:
            found = [each[each.size - kept(density, each.size)] for each in of]
        else:
            whole = self._whole[role]
            found = [_overall(of, whole, whole.size - kept(density, whole.size))] * len(of)
        below = torch.tensor([max(bits - 1, 0) for bits in found], dtype=torch.int32)
        bounds = torch.empty(len(of))
        for dtype in {*self._dtypes}:
            there = torch.tensor([each == dtype for each in self._dtypes])
            integers = below[there].to(torch.int16 if dtype.itemsize == 2 else torch.int32)
            bounds[there] = integers.view(dtype).float()
        return bounds


def kept(density: float, size: int) -> int:
    """How many of `size` magnitudes are kept, at least one."""
    return max(1, int(density * size))


class KeptNorms:
    """L1 norms of both task vectors, tensor by tensor, after a counter's mask of any density.

    Args:
        slabs: The weights.
        dtype: What task vectors are computed in; None for the weights' own type.
        seed: Of the masks.
    """

    def __init__(self, slabs: Sequence[Slab], *, dtype: torch.dtype | None, seed: int) -> None:
        self._below = {
            role: [_norms_by_level(piece, side, seed) for slab in slabs for piece in _pieces(slab, role, dtype)]
            for side, role in enumerate(PARENTS)
        }

    def rescaling(self, role: str, density: float) -> Tensor:
        """Whole over kept L1 norm, float32, (tensors,); 1 where either is zero, as in mergekit."""
        level = masks.level(density)
        factors = []
        for levels, norms in self._below[role]:
            at = level if levels is None else int(levels.searchsorted(level))
            before, after = float(norms[-1]), float(norms[at])
            factors.append(1.0 if before < 1e-7 or after < 1e-7 else before / after)
        return torch.tensor(factors, dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One tensor's task vector, computed when it is needed."""

    name: str
    base: Tensor
    tuned: Tensor
    dtype: torch.dtype

    @property
    def size(self) -> int:
        return len(self.base)

    def change(self, part: slice = slice(None)) -> Tensor:
        return self.tuned[part].to(self.dtype) - self.base[part].to(self.dtype)


def _pieces(slab: Slab, role: str, dtype: torch.dtype | None) -> list[_Piece]:
    lines = zip(slab.base.split(slab.sizes), getattr(slab, role).split(slab.sizes), strict=True)
    return [
        _Piece(name, base, tuned, dtype or slab.base.dtype)
        for name, (base, tuned) in zip(slab.names, lines, strict=True)
    ]


def _parts(size: int) -> list[slice]:
    return [slice(start, min(start + _STEP, size)) for start in range(0, size, _STEP)]


def _sorted(magnitudes: Tensor) -> NDArray[np.int32]:
    if magnitudes.device.type == "cpu":
        return np.sort(magnitudes.numpy())  # several times as fast as torch's
    return magnitudes.sort().values.cpu().numpy()


def _count(piece: _Piece) -> NDArray[np.int64]:
    counts = torch.zeros(_BINS, dtype=torch.int64)
    for part in _parts(piece.size):
        counts += torch.bincount(piece.change(part).view(torch.int16) & 0x7FFF, minlength=_BINS).cpu()
    return counts.numpy()


def _running(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), counts.cumsum()])


def _whole(of: Sequence[_Magnitudes]) -> _Magnitudes:
    """Counts of all tensors together."""
    counts = np.zeros(_BINS, np.int64)
    for each in of:
        counts[each.leading] += np.diff(each.before)
    leading = counts.nonzero()[0]
    return _Magnitudes(leading.astype(np.uint16), _running(counts[leading]), None)


def _overall(of: Sequence[_Magnitudes], whole: _Magnitudes, rank: int) -> int:
    """Bits of the magnitude that has `rank` others below it in all tensors together."""
    place = whole.bin(rank)
    upper = int(whole.leading[place])
    if of[0].trailing is None:
        return upper
    inside = np.concatenate([each.inside(upper) for each in of])
    rank -= int(whole.before[place])
    return upper << 16 | int(np.partition(inside, rank)[rank])


def _norms_by_level(piece: _Piece, side: int, seed: int) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
    """L1 norm of what a mask keeps: after each level (65,537,), or, of fewer elements, at each that occurs."""
    sums = torch.zeros(masks.LEVELS, dtype=torch.float64)
    for part in _parts(piece.size):
        change = piece.change(part).abs().double()
        place = torch.arange(len(change), dtype=torch.int32, device=change.device) + masks.wrapped(part.start)
        levels = masks.levels(masks.words(place, *masks.keys(seed, piece.name)))[side]
        sums += torch.bincount(levels, weights=change, minlength=masks.LEVELS).cpu()
    if piece.size >= masks.LEVELS:
        return None, torch.cat([sums.new_zeros(1), sums.cumsum(0)]).float().numpy()
    occurring = sums.nonzero().reshape(-1)
    return occurring.numpy(), torch.cat([sums.new_zeros(1), sums[occurring].cumsum(0)]).float().numpy()
