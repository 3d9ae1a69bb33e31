"""What a merge changes in the base, on one line of elements, written once for every device.

The CPU runs it as it stands, line by line, so that what lies between two operations stays in its cache; a GPU runs it
through `torch.compile`, fused. Results are mergekit's, rounding by rounding in its mode, though not always by its
operations: masks are avoided, since on a CPU they cost several times what arithmetic does. In the paper's mode the
caller gives float32.

Everywhere base, vlm and expert are (n,), of one type; weights, bounds and keys are one number for the line, a tensor
where kernels are compiled. `into` is a line that may be overwritten, of the same type: where a merge is to go, which by
then is in the cache, as memory that was just allocated is not.
"""

import torch
from torch import Tensor

from hpo_bench.merging.engine import masks


def task_arithmetic(
    base: Tensor, vlm: Tensor, expert: Tensor, vl_weight: Tensor, exp_weight: Tensor, *, into: Tensor | None = None
) -> Tensor:
    """Both weighted task vectors together."""
    change = torch.sub(vlm, base, out=into)
    change *= vl_weight
    other = expert - base
    other *= exp_weight
    change += other
    return change


def dare(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_scale: Tensor | float,
    exp_scale: Tensor | float,
    start: Tensor | int,
    first: Tensor | int,
    second: Tensor | int,
    level: Tensor | int,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """Both task vectors together, masked by a counter and scaled.

    Args:
        base: Of the base model.
        vlm: Of the VLM.
        expert: Of the expert.
        vl_scale: Weight times rescaling of the VLM's task vector, float32.
        exp_scale: Likewise of the expert's.
        start: Place of the first element in its tensor, int32.
        first: Key of the tensor's random words.
        second: Second key.
        level: The density in levels of `counter`, int32.
        into: A line that may be overwritten.
    """
    position = torch.arange(base.numel(), dtype=torch.int32, device=base.device)
    position += start
    kept_vlm, kept_expert = masks.bits(masks.words(position, first, second), level)
    change = _masked(torch.sub(vlm, base, out=into), kept_vlm)
    change *= vl_scale
    other = _masked(expert - base, kept_expert)
    other *= exp_scale
    change += other
    return change.to(base.dtype)


def ties(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_bound: Tensor | float,
    exp_bound: Tensor | float,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """What of both trimmed, weighted task vectors has the sign of their sum.

    Two entries of one sign add up; of two that differ in sign the larger is elected, and stands alone. Either way it is
    the largest magnitude among both and their sum, with the sum's sign.

    Args:
        base: Of the base model.
        vlm: Of the VLM.
        expert: Of the expert.
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Of the expert's.
        vl_bound: What an entry's magnitude must exceed to be kept.
        exp_bound: Likewise of the expert's.
        into: A line that may be overwritten.
    """
    one = _trimmed(torch.sub(vlm, base, out=into), vl_bound)
    one *= vl_weight
    two = _trimmed(expert - base, exp_bound)
    two *= exp_weight
    total = one + two
    elected = torch.maximum(one.abs_(), two.abs_())
    elected = torch.maximum(elected, total.abs())
    elected.copysign_(total)
    return elected


def ties_as_published(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_bound: Tensor | float,
    exp_bound: Tensor | float,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """The mean of what of both trimmed task vectors has the elected sign; weights do not vote."""
    one = _trimmed(torch.sub(vlm, base, out=into), vl_bound)
    two = _trimmed(expert - base, exp_bound)
    positive = one + two >= 0
    one *= (one > 0) == positive
    two *= (two > 0) == positive
    agree = (one != 0).to(base.dtype) + (two != 0)
    one *= vl_weight
    two *= exp_weight
    one += two
    one /= agree.clamp_(min=1)
    return one


def _trimmed(change: Tensor, bound: Tensor | float) -> Tensor:
    if isinstance(bound, Tensor):
        change *= change.abs() > bound
        return change
    return torch.nn.functional.hardshrink(change, bound)


def _masked(change: Tensor, bits: Tensor) -> Tensor:
    """In float32, with all bits of a dropped entry zero."""
    return (change.float().view(torch.int32) & bits).view(torch.float32)
