"""Fingerprints tell weights apart, and are the same however the weights are cut."""

import itertools
from collections.abc import Sequence

import pytest
import torch

from hpo_bench.merging.engine.fingerprint import BLOCK, Fingerprint, block_hashes

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def elements(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(0)).to(dtype)


def taken(lines: Sequence[torch.Tensor], of: str = "weights") -> str:
    code = Fingerprint(of=of)
    for line in lines:
        code.update(line)
    return code.hexdigest()


@DTYPES
@pytest.mark.parametrize("n", [1, 3, BLOCK - 1, BLOCK, BLOCK + 5, 3 * BLOCK])
def test_lines_are_hashed_alike_together_and_apart(n: int, dtype: torch.dtype) -> None:
    line = elements(n, dtype)
    assert taken([line]) == taken(line.split(BLOCK)) == taken(line.split(1000))
    apart = torch.cat([block_hashes(part) for part in line.split(BLOCK)])
    assert torch.equal(block_hashes(line), apart)
    assert len(apart) == -(-n // BLOCK)


@DTYPES
def test_any_bit_of_any_element_counts(dtype: torch.dtype) -> None:
    line = elements(64, dtype)
    integers = line.view(torch.int16 if dtype == torch.bfloat16 else torch.int32)
    seen, blocks = {taken([line])}, {int(block_hashes(line))}
    for place, bit in itertools.product(range(0, 64, 7), range(8 * line.itemsize)):
        changed = integers.clone()
        changed[place] ^= (1 << bit) if bit < 8 * line.itemsize - 1 else -(1 << bit)
        seen.add(taken([changed.view(dtype)]))
        blocks.add(int(block_hashes(changed.view(dtype))))
    assert len(seen) == len(blocks) == 1 + 10 * 8 * line.itemsize


def test_pairs_of_flipped_signs_and_swaps_count() -> None:
    line = elements(64)
    seen = {int(block_hashes(line))}
    pairs = list(itertools.combinations(range(64), 2))
    for one, other in pairs:
        flipped, swapped = line.clone(), line.clone()
        flipped[[one, other]] *= -1
        swapped[[one, other]] = line[[other, one]]
        seen |= {int(block_hashes(flipped)), int(block_hashes(swapped))}
    assert len(seen) == 1 + 2 * len(pairs)


def test_a_line_that_begins_within_a_word_is_hashed_by_its_bytes() -> None:
    line = elements(101)
    assert torch.equal(block_hashes(line[1:]), block_hashes(line[1:].clone()))
    assert taken([line[1:]]) == taken([line[1:].clone()])


def test_what_was_hashed_counts() -> None:
    assert taken([elements(10)], of="a (10,) float32") != taken([elements(10)], of="b (10,) float32")


def test_fingerprints_never_change() -> None:
    """They key caches that outlive a version."""
    line = torch.arange(100, dtype=torch.float32)
    assert taken([line]) == "6b6e0d817d3757be3754b880484fd1b1"
    assert block_hashes(line).tolist() == [-3680839884011470848]
