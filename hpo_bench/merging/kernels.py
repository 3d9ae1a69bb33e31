"""The arithmetic of a re-merge on one line of elements, written once for every device.

The CPU runs it as it stands, block by block, so that what lies between two operations stays in its cache; a GPU runs it
through `torch.compile`, fused, a tensor at a time. Operations and their order are mergekit's, so that in its mode a
merge in bfloat16 rounds wherever mergekit rounds. In the paper's mode the caller gives float32.

Everywhere base, vlm and expert are (n,) and of one type; weights and thresholds have no dimension, or (n,) where a line
holds several tensors.
"""

import torch
from torch import Tensor

from hpo_bench.merging import counter


def task_arithmetic(base: Tensor, vlm: Tensor, expert: Tensor, vl_weight: Tensor, exp_weight: Tensor) -> Tensor:
    """The base plus both weighted task vectors."""
    change = vlm - base
    change *= vl_weight
    other = expert - base
    other *= exp_weight
    change += other
    change += base
    return change


def dare(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_scale: Tensor,
    exp_scale: Tensor,
    start: Tensor,
    position: Tensor | None,
    first: Tensor,
    second: Tensor,
    below: Tensor,
) -> Tensor:
    """The base plus both task vectors, masked by a counter and scaled.

    Args:
        base: Of the base model.
        vlm: Of the VLM.
        expert: Of the expert.
        vl_scale: Weight times rescaling of the VLM's task vector, float32.
        exp_scale: Likewise of the expert's.
        start: Place of the first element in its tensor, int32.
        position: Place of every element in its tensor, where the line holds several tensors.
        first: Key of the tensor's random words.
        second: Second key.
        below: Cut of the density.
    """
    if position is None:
        position = torch.arange(base.numel(), dtype=torch.int32, device=base.device)
        position += start
    keep_vlm, keep_expert = counter.keep(counter.words(position, first, second), below)
    change = ((vlm - base) * keep_vlm).float()
    change *= vl_scale
    other = ((expert - base) * keep_expert).float()
    other *= exp_scale
    change += other
    return base + change.to(base.dtype)


def ties(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_threshold: Tensor,
    exp_threshold: Tensor,
) -> Tensor:
    """The base plus what of both trimmed, weighted task vectors has the sign of their sum."""
    one = _trimmed(vlm - base, vl_threshold)
    one *= vl_weight
    two = _trimmed(expert - base, exp_threshold)
    two *= exp_weight
    # Positive parts and negative parts add up to the sum whose sign is elected, rounded alike.
    positive = one.clamp(min=0)
    positive += two.clamp(min=0)
    negative = one.clamp_(max=0)
    negative += two.clamp_(max=0)
    elected = positive >= -negative
    positive *= elected
    negative *= ~elected
    positive += negative
    positive += base
    return positive


def ties_as_published(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_threshold: Tensor,
    exp_threshold: Tensor,
) -> Tensor:
    """The base plus the mean of what of both trimmed task vectors has the elected sign; weights do not vote."""
    one = _trimmed(vlm - base, vl_threshold)
    two = _trimmed(expert - base, exp_threshold)
    positive = one + two >= 0
    one *= (one > 0) == positive
    two *= (two > 0) == positive
    agree = (one != 0).to(base.dtype) + (two != 0)
    one *= vl_weight
    two *= exp_weight
    one += two
    one /= agree.clamp_(min=1)
    one += base
    return one


def _trimmed(change: Tensor, threshold: Tensor) -> Tensor:
    change *= change.abs() >= threshold
    return change
