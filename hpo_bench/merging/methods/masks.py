"""Random masks from a counter: the same bits on any device, in any order, and nested in the density.

A generator with a state gives other masks on another device, in another order of tensors, or at another density. Here
every element's random word is an integer hash of (seed, tensor, position), as in counter-based generators (Salmon et
al.: Parallel Random Numbers: As Easy as 1, 2, 3, 2011), so that nothing is stored and a mask at a lower density keeps
a subset of what it keeps at a higher one. One 32-bit word serves both task vectors, 16 bits each: a density is rounded
to a multiple of 1/65536.
"""

import hashlib

import torch
from torch import Tensor

LEVELS = 1 << 16

# Chris Wellons' `triple32` (Hash Prospector, 2018), as signed 32-bit integers whose products wrap. Two multiplications,
# as in his `lowbias32`, leave levels of consecutive places too uneven for a chi-square test. The second key goes in
# midway, so that the streams of two tensors are not shifted copies of each other.
_MULTIPLIERS = (0xED5AD4BB - (1 << 32), 0xAC4C1B51 - (1 << 32), 0x31848BAB)


def keys(seed: int, name: str) -> tuple[int, int]:
    """Two signed 32-bit keys of one tensor's stream."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little", signed=True), int.from_bytes(digest[4:], "little", signed=True)


def wrapped(place: int) -> int:
    """A place in a tensor as a signed 32-bit integer."""
    return (place + (1 << 31)) % (1 << 32) - (1 << 31)


def words(position: Tensor, first: Tensor | int, second: Tensor | int) -> Tensor:
    """Random words of elements of a tensor.

    Args:
        position: Places of the elements in the flattened tensor, int32, (n,); beyond 2**32 they repeat.
        first: The tensor's first key, or one an element, (n,).
        second: Its second key, likewise.

    Returns:
        Signed 32-bit words, (n,): the VLM's 16 bits below the expert's.
    """
    word = position + first
    _fold(word, 17)
    word *= _MULTIPLIERS[0]
    _fold(word, 11)
    word += second
    word *= _MULTIPLIERS[1]
    _fold(word, 15)
    word *= _MULTIPLIERS[2]
    _fold(word, 14)
    return word


def _fold(word: Tensor, by: int) -> None:
    """Exclusive or with itself shifted right, zeros from the left, in place."""
    shifted = word >> by
    shifted &= (1 << (32 - by)) - 1
    word ^= shifted


def level(density: float) -> int:
    """A density as a number of levels of 65,536, at least one."""
    return min(max(round(density * LEVELS), 1), LEVELS)


def levels(word: Tensor) -> tuple[Tensor, Tensor]:
    """Each element's level in 0..65535, for the VLM's and the expert's mask, int32: below the density's is kept."""
    return word & 0xFFFF, (word >> 16) & 0xFFFF


def bits(word: Tensor, below: Tensor | int) -> tuple[Tensor, Tensor]:
    """Masks of the VLM's and the expert's task vector: all 32 bits set where an element's level is below, or none."""
    vlm, expert = levels(word)
    vlm -= below
    vlm >>= 31
    expert -= below
    expert >>= 31
    return vlm, expert


def masks(shape: torch.Size, *, seed: int, name: str, density: float) -> tuple[Tensor, Tensor]:
    """Both masks of a whole tensor on the CPU: True is kept."""
    position = torch.arange(shape.numel(), dtype=torch.int64).to(torch.int32)
    vlm, expert = levels(words(position, *keys(seed, name)))
    return (vlm < level(density)).reshape(shape), (expert < level(density)).reshape(shape)
