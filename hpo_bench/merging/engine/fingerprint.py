"""A fingerprint of weights in one pass, at the speed of their memory.

On the CPU it is XXH3 of their bytes (Yann Collet: xxHash, 2019), taken while a merge still has them in the cache. A GPU
has no such function, and fetching its weights would take longer than merging them: there blocks of 65,536 elements are
hashed by multiplying their 64-bit words with fixed random odd numbers and adding up, modulo 2**64 (multilinear hashing:
Carter & Wegman, 1979), and XXH3 digests the blocks' hashes. So the same weights have one fingerprint on every CPU, and
another on every GPU. It tells weights apart, and is no defence against someone who wants two models to look alike.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from xxhash import xxh3_128

BLOCK = 1 << 16
"""Elements a block."""


class Fingerprint:
    """Takes in weights line by line.

    On the CPU how they are cut into lines makes no difference. On a GPU every line but a tensor's last must be whole
    blocks.

    Args:
        of: What is hashed: names, shapes and types.
    """

    def __init__(self, *, of: str) -> None:
        self._code = xxh3_128(of.encode())
        self._blocks: list[Tensor] = []

    def update(self, elements: Tensor) -> None:
        """Take in a contiguous line of elements, (n,)."""
        if elements.device.type == "cpu":
            self._code.update(elements.view(torch.uint8).numpy().data)
        else:
            self._blocks.append(block_hashes(elements))

    def hexdigest(self) -> str:
        """The fingerprint of what was taken in, 32 hexadecimal digits."""
        if self._blocks:
            self._code.update(torch.cat(self._blocks).cpu().numpy().data)
            self._blocks.clear()
        return self._code.hexdigest()


def block_hashes(elements: Tensor) -> Tensor:
    """Multilinear hashes of the blocks of a contiguous line of elements, int64, (blocks,); the last may be short."""
    per_block = BLOCK * elements.itemsize // 8
    words = _words(elements)
    whole = len(words) // per_block * per_block
    hash_whole = hash_rows if words.device.type == "cpu" else fused()
    hashes = [hash_whole(words[:whole].view(-1, per_block), _multipliers(words.device, per_block))] if whole else []
    if whole < len(words):
        rest = words[whole:].view(1, -1)
        hashes.append(hash_rows(rest, _multipliers(words.device, rest.shape[1])))
    return torch.cat(hashes)


def hash_rows(words: Tensor, multipliers: Tensor) -> Tensor:
    """Hashes of rows of words.

    A difference in a word's highest bits alone would be multiplied out of the sum, were they not folded onto the lower.

    Args:
        words: int64, (rows, n).
        multipliers: Odd, int64, (n,).

    Returns:
        int64, (rows,).
    """
    return (((words >> 32) ^ words) * multipliers).sum(dim=1)


@cache
def fused() -> Callable[[Tensor, Tensor], Tensor]:
    """`hash_rows`, compiled."""
    return torch.compile(hash_rows, dynamic=True, fullgraph=True)  # in one pass, where eager operations make four


def _words(elements: Tensor) -> Tensor:
    ragged = -elements.numel() % (8 // elements.itemsize)
    if ragged:
        elements = torch.cat([elements, elements.new_zeros(ragged)])
    elif elements.storage_offset() * elements.itemsize % 8:
        elements = elements.clone()
    return elements.view(torch.int64)


@cache
def _multipliers(device: torch.device, count: int) -> Tensor:
    drawn = np.random.Generator(np.random.PCG64(0x68706F)).integers(0, 2**64, size=count, dtype=np.uint64)
    return torch.from_numpy((drawn | np.uint64(1)).view(np.int64)).to(device)
