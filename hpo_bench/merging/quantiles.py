"""Thresholds of TIES and norms of DARE at every density, from one pass over each task vector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hpo_bench.merging import counter
from hpo_bench.merging.slabs import PARENTS, Slab

_BINS = 1 << 15
_STEP = 1 << 20  # elements a step: a histogram's 32,768 counts are then little beside them


@dataclass(frozen=True, slots=True, eq=False)
class _Histogram:
    """How many magnitudes have which leading 15 bits; bins that are empty are left out.

    Attributes:
        bins: Leading bits, ascending, (m,).
        above: How many magnitudes are in each bin or above it, descending, (m,).
    """

    bins: Tensor
    above: Tensor

    @classmethod
    def of(cls, counts: Tensor) -> "_Histogram":
        bins = counts.nonzero().reshape(-1)
        return cls(bins, counts[bins].flip(0).cumsum(0).flip(0))

    def locate(self, k: int) -> tuple[int, int]:
        """The bin of the k-th largest magnitude, and which it is in that bin, from the largest, from 1."""
        index = int((self.above >= k).sum()) - 1
        higher = int(self.above[index + 1]) if index + 1 < len(self.above) else 0
        return int(self.bins[index]), k - higher


class Thresholds:
    """The k-th largest magnitudes of both task vectors, exact for every k; all that equal one are kept.

    One pass counts magnitudes by their sign-less upper 16 bits. Of 16-bit weights those are whole magnitudes, and any
    threshold follows from the counts. Of float32 weights they name a bin, and a density that was not asked for before
    costs one more pass, to sort the few magnitudes in it.

    Args:
        slabs: The weights.
        dtype: What task vectors are computed in; None for the weights' own type.
    """

    def __init__(self, slabs: Sequence[Slab], *, dtype: torch.dtype | None) -> None:
        self._pieces = {role: [piece for slab in slabs for piece in _pieces(slab, role, dtype)] for role in PARENTS}
        self._counts = {role: [_count(piece) for piece in pieces] for role, pieces in self._pieces.items()}
        self._histograms = {role: [_Histogram.of(c) for c in counts] for role, counts in self._counts.items()}
        self._whole = {role: _Histogram.of(torch.stack(counts).sum(0)) for role, counts in self._counts.items()}
        del self._counts
        self._found: dict[tuple[str, float, bool], Tensor] = {}

    def at(self, role: str, density: float, *, per_tensor: bool) -> Tensor:
        """What magnitudes must exceed for a share of a task vector to be kept: the next number below the k-th largest.

        Args:
            role: "vlm" or "expert".
            density: Share that is kept.
            per_tensor: Whether the share is kept in each tensor, or over all of them.

        Returns:
            One a tensor, float32, on the CPU, (tensors,).
        """
        key = (role, density, per_tensor)
        if key not in self._found:
            pieces = self._pieces[role]
            if density >= 1:
                found = [0.0] * len(pieces)
            elif per_tensor:
                found = [
                    _bound(histogram, [piece], kept(density, piece.size))
                    for histogram, piece in zip(self._histograms[role], pieces, strict=True)
                ]
            else:
                total = sum(piece.size for piece in pieces)
                found = [_bound(self._whole[role], pieces, kept(density, total))] * len(pieces)
            self._found[key] = torch.tensor(found, dtype=torch.float32)
        return self._found[key]


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
        level = counter.level(density)
        factors = []
        for levels, norms in self._below[role]:
            at = level if levels is None else int(torch.searchsorted(levels, level))
            before, after = float(norms[-1]), float(norms[at])
            factors.append(1.0 if before < 1e-7 or after < 1e-7 else before / after)
        return torch.tensor(factors, dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One tensor's task vector, computed when it is needed."""

    name: str
    size: int
    change: Callable[[slice], Tensor]


def _pieces(slab: Slab, role: str, dtype: torch.dtype | None) -> list[_Piece]:
    pieces, start = [], 0
    for name, size in zip(slab.names, slab.sizes, strict=True):
        pieces.append(_Piece(name, size, _change(slab, role, start, dtype)))
        start += size
    return pieces


def _change(slab: Slab, role: str, start: int, dtype: torch.dtype | None) -> Callable[[slice], Tensor]:
    tuned = getattr(slab, role)

    def change(part: slice) -> Tensor:
        there = slice(start + part.start, start + part.stop)
        return tuned[there].to(dtype or tuned.dtype) - slab.base[there].to(dtype or tuned.dtype)

    return change


def _parts(size: int) -> list[slice]:
    return [slice(start, min(start + _STEP, size)) for start in range(0, size, _STEP)]


def _leading_bits(change: Tensor) -> Tensor:
    if change.itemsize == 2:
        return change.view(torch.int16) & 0x7FFF
    return (change.view(torch.int32) >> 16) & 0x7FFF


def _count(piece: _Piece) -> Tensor:
    counts = torch.zeros(_BINS, dtype=torch.int64)
    for part in _parts(piece.size):
        counts += torch.bincount(_leading_bits(piece.change(part)), minlength=_BINS).cpu()
    return counts


def _bound(histogram: _Histogram, pieces: Sequence[_Piece], k: int) -> float:
    leading, rank = histogram.locate(k)
    found = []
    for piece in pieces:
        for part in _parts(piece.size):
            change = piece.change(part)
            if change.itemsize == 2:
                return float(torch.tensor(max(leading - 1, 0), dtype=torch.int16).view(change.dtype))
            found.append(change[_leading_bits(change) == leading].abs())
    inside = torch.cat(found)
    smallest = inside.kthvalue(len(inside) - rank + 1).values
    return float(torch.nextafter(smallest, torch.zeros_like(smallest)))


def _norms_by_level(piece: _Piece, side: int, seed: int) -> tuple[Tensor | None, Tensor]:
    """L1 norm of what a mask keeps: after each level (65,537,), or, of fewer elements, at each that occurs."""
    sums = torch.zeros(counter.LEVELS, dtype=torch.float64)
    for part in _parts(piece.size):
        change = piece.change(part).abs().double()
        place = torch.arange(len(change), dtype=torch.int32, device=change.device) + counter.wrapped(part.start)
        levels = counter.levels(counter.words(place, *counter.keys(seed, piece.name)))[side]
        sums += torch.bincount(levels, weights=change, minlength=counter.LEVELS).cpu()
    if piece.size >= counter.LEVELS:
        return None, torch.cat([sums.new_zeros(1), sums.cumsum(0)]).float()
    occurring = sums.nonzero().reshape(-1)
    return occurring, torch.cat([sums.new_zeros(1), sums[occurring].cumsum(0)]).float()
