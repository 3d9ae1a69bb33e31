"""A fingerprint of weights in one pass, the same on any device.

Blocks of 65,536 elements are hashed by multiplying their 64-bit words with fixed random odd numbers and adding up,
modulo 2**64 (multilinear hashing: Carter & Wegman, 1979), which any device does at the speed of its memory; BLAKE2b
digests the blocks' hashes. It tells weights apart, and is no defence against someone who wants two models to look
alike.
"""

import hashlib
from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from torch import Tensor

BLOCK = 1 << 16
"""Elements a block."""


def block_hashes(elements: Tensor) -> Tensor:
    """Hashes of the blocks of a contiguous line of elements, int64, (blocks,); the last block may be short."""
    per_block = BLOCK * elements.itemsize // 8
    words = _words(elements)
    if len(words) <= per_block:
        return _hash_rows(words.view(1, -1))
    whole = len(words) // per_block * per_block
    hashes = _hash_rows(words[:whole].view(-1, per_block))
    return hashes if whole == len(words) else torch.cat([hashes, _hash_rows(words[whole:].view(1, -1))])


def digest(hashes: Iterable[Tensor], *, of: str) -> str:
    """The fingerprint: 32 hexadecimal digits.

    Args:
        hashes: Of all blocks, in order.
        of: What was hashed: names, shapes and types.
    """
    code = hashlib.blake2b(of.encode(), digest_size=16)
    code.update(torch.cat([*hashes]).cpu().numpy().astype("<i8").tobytes())
    return code.hexdigest()


def _words(elements: Tensor) -> Tensor:
    ragged = -elements.numel() % (8 // elements.itemsize)
    if ragged:
        elements = torch.cat([elements, elements.new_zeros(ragged)])
    elif elements.storage_offset() * elements.itemsize % 8:
        elements = elements.clone()
    return elements.view(torch.int64)


def _hash_rows(words: Tensor) -> Tensor:
    """Hashes of rows of words, (rows,).

    A difference in a word's highest bits alone would be multiplied out of the sum, were they not folded onto the lower.
    """
    folded = words >> 32
    folded ^= words
    multipliers = _multipliers(words.device, words.shape[1])
    if len(words) == 1 and words.device.type == "cpu":
        return torch.dot(folded[0], multipliers).view(1)  # in one pass; GPUs have none of integers
    folded *= multipliers
    return folded.sum(dim=1)


@cache
def _multipliers(device: torch.device, count: int) -> Tensor:
    drawn = np.random.Generator(np.random.PCG64(0x68706F)).integers(0, 2**64, size=count, dtype=np.uint64)
    return torch.from_numpy((drawn | np.uint64(1)).view(np.int64)).to(device)
