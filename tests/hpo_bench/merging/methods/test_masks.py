"""Masks from a counter are as random as coins, nested in the density, and the same wherever they are computed."""

import torch

from hpo_bench.merging.methods import masks

N = 1 << 20


def levels(seed: int, name: str = "model.layers.0.mlp.up_proj.weight") -> tuple[torch.Tensor, torch.Tensor]:
    return masks.levels(masks.words(torch.arange(N, dtype=torch.int32), *masks.keys(seed, name)))


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """In standard errors of that of independent draws."""
    return float(torch.corrcoef(torch.stack([one.double(), other.double()]))[0, 1]) * len(one) ** 0.5


def test_levels_are_uniform() -> None:
    for level in levels(0):
        counts = torch.bincount(level >> 6, minlength=1024)  # in 1024 bins; chi-square has mean 1023, deviation 45
        chi_square = float(((counts - N / 1024) ** 2 / (N / 1024)).sum())
        assert abs(chi_square - 1023) < 4 * 45


def test_neighbours_tensors_seeds_and_both_masks_are_independent() -> None:
    vlm, expert = levels(0)
    assert abs(correlation(vlm, expert)) < 4
    for lag in (1, 2, 64, 128, 4096, 65536):
        assert abs(correlation(vlm[lag:], vlm[:-lag])) < 4, lag
    for other in (levels(1), levels(0, "model.layers.1.mlp.up_proj.weight")):
        assert abs(correlation(vlm, other[0])) < 4
        assert abs(correlation(expert, other[1])) < 4


def test_every_bit_of_a_word_flips_with_every_bit_of_its_place() -> None:
    place = torch.arange(1 << 14, dtype=torch.int32) * 77
    keys = masks.keys(5, "name")
    for flipped in range(20):
        difference = masks.words(place, *keys) ^ masks.words(place ^ (1 << flipped), *keys)
        for bit in range(32):
            share = float(((difference >> bit) & 1).double().mean())
            assert abs(share - 0.5) < 0.05, (flipped, bit)


def test_masks_have_their_density_and_are_nested_in_it() -> None:
    shape = torch.Size((512, 300))
    before = torch.zeros(shape, dtype=torch.bool)
    for density in (0.05, 0.2, 0.4, 0.8, 1.0):
        vlm, expert = masks.masks(shape, seed=3, name="name", density=density)
        assert not (before & ~vlm).any()
        error = (density * (1 - density) / shape.numel()) ** 0.5 + 1 / masks.LEVELS
        for mask in (vlm, expert):
            assert abs(float(mask.double().mean()) - density) <= 4 * error
        before = vlm


def test_bits_are_the_masks_in_any_cut_of_the_tensor() -> None:
    vlm, expert = masks.masks(torch.Size((1000,)), seed=1, name="name", density=0.3)
    keys = masks.keys(1, "name")
    for part in torch.arange(1000, dtype=torch.int32).split(170):
        place = slice(int(part[0]), int(part[-1]) + 1)
        found = masks.bits(masks.words(part, *keys), masks.level(0.3))
        assert torch.equal(found[0] == -1, vlm[place])
        assert torch.equal(found[1] == -1, expert[place])
        assert ((found[0] == -1) | (found[0] == 0)).all()


def test_words_never_change() -> None:
    """What was merged with a seed must be merged again with it: any other bits would be another generator."""
    found = masks.words(torch.tensor([0, 1, 2**31 - 1], dtype=torch.int32), *masks.keys(0, "lm_head.weight"))
    assert found.tolist() == [600660815, 1875924883, 1085341697]


def test_places_beyond_31_bits_wrap() -> None:
    assert masks.wrapped(2**31 - 1) == 2**31 - 1
    assert masks.wrapped(2**31) == -(2**31)
    assert masks.wrapped(2**32 + 5) == 5
