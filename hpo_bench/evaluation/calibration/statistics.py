"""Statistics of models on a calibration set: diagonal Fisher information, and Gram matrices of layers' inputs.

One example at a time: the square of a sum of gradients is not the sum of their squares, and without padding no token
needs to be masked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hpo_bench.errors import MergeError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import Statistics
from hpo_bench.merging.methods.vectors import Weights


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """What each model is calibrated on; no answer of a merged model is ever scored on it.

    Attributes:
        vlm: Questions for the VLM, in the evaluation's own format.
        expert: Questions for the expert: texts, as in the study, or questions with pictures, which it then reads in the
            VLM's place, behind the VLM's own vision tower and connector.
        source: Where they are from, in a line.
    """

    vlm: tuple[Example, ...]
    expert: tuple[Example, ...]
    source: str

    def __post_init__(self) -> None:
        for role, examples in (("VLM", self.vlm), ("expert", self.expert)):
            if not examples:
                raise MergeError(f"no calibration examples for the {role} ({self.source})")


def statistics(
    loaded: LoadedPair, what: Statistics, examples: CalibrationSet, *, prompts: Prompts | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What a data-aware method needs, of the VLM and of the expert.

    Args:
        loaded: The pair; its live VLM computes, and is left as it was.
        what: "fisher" or "grams": see the functions of these names.
        examples: What each model is calibrated on.
        prompts: What frames questions in the evaluation; by default what does unless a pair.yaml says otherwise.

    Returns:
        In float32, by language model name.

    Raises:
        MergeError: If the VLM came without a processor.
    """
    compute = {"fisher": fisher, "grams": grams}[what]
    vlm, expert = (loaded.tuned, examples.vlm), (loaded.expert, examples.expert)
    return compute(loaded, *vlm, prompts=prompts), compute(loaded, *expert, prompts=prompts)


def fisher(
    loaded: LoadedPair, weights: Weights, examples: Sequence[Example], *, prompts: Prompts | None = None
) -> dict[str, Tensor]:
    """Diagonal empirical Fisher information of a model: the mean over examples of squared gradients.

    Args:
        loaded: The pair; its live VLM computes, and is left as it was.
        weights: The model's language weights.
        examples: Questions with the answers whose log-likelihood is differentiated, each summed over its tokens.
        prompts: See `statistics`.

    Returns:
        In float32, by language model name.
    """
    every = dict(loaded.vlm.named_parameters(remove_duplicate=False))
    parameters = {theirs: every[ours] for ours, theirs in loaded.names.items()}
    total = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in parameters.items()}
    with _as(loaded, weights), _differentiable(list(parameters.values())):
        for example in examples:
            inputs, answer = encode(loaded, example, prompts)
            logits = loaded.vlm(**inputs).logits[0, -answer - 1 : -1].float()
            loss = functional.cross_entropy(logits, inputs["input_ids"][0, -answer:], reduction="sum")
            gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            for name, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    total[name] += gradient.float().square() / len(examples)
    return total


def grams(
    loaded: LoadedPair, weights: Weights, examples: Sequence[Example], *, prompts: Prompts | None = None
) -> dict[str, Tensor]:
    """Gram matrices of the inputs of a model's linear layers: means over all tokens of the examples.

    Args:
        loaded: The pair; its live VLM computes, and is left as it was.
        weights: The model's language weights.
        examples: Questions, read with their answers.
        prompts: See `statistics`.

    Returns:
        Of shape (inputs, inputs) and in float32, by the name of the layer's weight.
    """
    total: dict[str, Tensor] = {}
    tokens: dict[str, int] = {}

    def accumulate(name: str) -> Callable[[torch.nn.Module, tuple[Any, ...]], None]:
        def hook(_module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
            states = inputs[0].detach().flatten(0, -2).float()
            tokens[name] = tokens.get(name, 0) + len(states)
            if name not in total:
                total[name] = torch.zeros(states.shape[1], states.shape[1], device=states.device)
            total[name].addmm_(states.T, states)

        return hook

    handles = [
        module.register_forward_pre_hook(accumulate(loaded.names[f"{path}.weight"]))
        for path, module in loaded.vlm.named_modules()
        if isinstance(module, torch.nn.Linear) and f"{path}.weight" in loaded.names
    ]
    try:
        with _as(loaded, weights), torch.no_grad():
            for example in examples:
                loaded.vlm(**encode(loaded, example, prompts)[0])
    finally:
        for handle in handles:
            handle.remove()
    return {name: gram / tokens[name] for name, gram in total.items()}


def encode(loaded: LoadedPair, example: Example, prompts: Prompts | None = None) -> tuple[dict[str, Any], int]:
    """A question with its answer as model inputs of batch size 1, and of how many tokens at its end the answer is.

    Framed as the evaluation frames it (see `statistics`), with the end of the turn behind the answer.

    Raises:
        MergeError: If the VLM came without a processor.
    """
    if loaded.processor is None:
        raise MergeError("the VLM's folder holds no processor, and without one no calibration example can be read")
    asked = (prompts or Prompts(loaded.processor)).ask_and_answer(loaded.vlm, [example], ended=True)
    return asked.inputs, len(asked.answers[0])


@contextmanager
def _as(loaded: LoadedPair, weights: Weights) -> Iterator[None]:
    """Lend the live VLM other language weights."""
    before = {name: tensor.clone() for name, tensor in loaded.read_language().items()}
    loaded.write_language(weights)
    try:
        yield
    finally:
        loaded.write_language(before)


@contextmanager
def _differentiable(parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    before = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter, required in zip(parameters, before, strict=True):
            parameter.requires_grad_(required)
