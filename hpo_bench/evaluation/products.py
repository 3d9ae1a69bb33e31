"""Matrix products by oneDNN, which uses the whole width of any x86 core; MKL uses half of it on AMD's."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

# What torch.compile makes of a linear layer on a CPU. `torch.nn.functional.linear` reaches it for bfloat16 alone.
_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@contextmanager
def by_onednn(model: Any) -> Iterator[None]:
    """Let every linear layer in float32 on a CPU multiply by oneDNN for a while, for inference only.

    Sums are taken in another order than MKL's, so that results differ in their last bits.

    Args:
        model: Any module; where torch has no oneDNN, nothing is changed.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear and _suits(module)]
    try:
        for layer in layers:
            layer.forward = partial(_product, layer)  # an attribute of the instance hides the class's method
        yield
    finally:
        for layer in layers:
            del layer.forward


def _suits(layer: nn.Linear) -> bool:
    weight = layer.weight
    return _linear is not None and weight.dtype == torch.float32 and weight.device.type == "cpu"


def _product(layer: nn.Linear, input: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(input, layer.weight, layer.bias, "none", [], "")
