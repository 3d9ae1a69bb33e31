"""Whether two language models compute the same function of the same weights, by trying it on small ones.

Names of architectures do not tell: Qwen3-VL's layers are Qwen3's under another name, and Gemma's weights have Llama's
names and shapes while its norms add one to theirs. So both are made with a few narrow layers, given the same random
weights and asked the same tokens, with the VLM's numbers where both configurations have one by the same name. What they
then answer depends on their code alone; and which of the numbers that differ enter the answer is seen by changing them.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any
from zlib import crc32

import torch

from hpo_bench.display.words import first_line
from hpo_bench.merging.architectures import EXPERTS, INSERTED
from hpo_bench.merging.checkpoints.making import WrittenConfig, quiet

_LAYERS, _ROWS, _WIDTH, _MOST_EXPERTS = 4, 32, 64, 8
_TOKENS = 12
_WINDOW = "sliding_window"
_EMBEDDINGS = "embed_tokens.weight"
_DEPTHS = ("num_hidden_layers", "num_blocks", "depth")
_TOLERANCE = 1e-4  # relative; what the order of operations makes of float32 stays far below
_NO_ARGUMENTS = ("model_type", "transformers_version", "architectures", "dtype", "torch_dtype", "_name_or_path")
_NO_PART = ("use_cache", "initializer_range", "attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id")


def tells_apart(vlm: Any, other: Any) -> str:
    """Why two text configurations are not of one function, or "" if they are, but for their numbers.

    Args:
        vlm: transformers' configuration of the VLM's language model.
        other: That of the base or the expert.
    """
    return _tells_apart(WrittenConfig.of(vlm), WrittenConfig.of(other))


def numbers_apart(vlm: Any, other: Any, *, besides: Iterable[str]) -> list[str]:
    """Names of configured numbers that differ between two models of one function and enter what they answer.

    Args:
        vlm: As for `tells_apart`.
        other: Likewise.
        besides: Names that need no trial.
    """
    return [*_numbers_apart(WrittenConfig.of(vlm), WrittenConfig.of(other), frozenset(besides))]


@lru_cache(maxsize=64)
def _tells_apart(vlm: WrittenConfig, other: WrittenConfig) -> str:
    ours, theirs = _small(vlm.values), _small(other.values)
    try:
        one, two = _Model(vlm.kind, ours), _Model(other.kind, _with(theirs, ours, ours))
        if names := _unlike(one.shapes, two.shapes):
            return f"which have other weights, such as {names[0]}"
        return "" if _close(one.answer(), two.answer()) else "which compute otherwise with the same weights"
    except Exception as error:  # whatever transformers' classes raise for what they cannot make
        return f"and whether they compute alike cannot be tried: {first_line(error)}"


@lru_cache(maxsize=64)
def _numbers_apart(vlm: WrittenConfig, other: WrittenConfig, besides: frozenset[str]) -> tuple[str, ...]:
    written, theirs = vlm.values, other.values
    differing = [
        name
        for name, value in theirs.items()
        if name in written and written[name] != value and name not in {*besides, *_NO_ARGUMENTS, *_NO_PART}
    ]
    if not differing:
        return ()
    ours, small = _small(written), _small(theirs)
    if small.get(_WINDOW):
        small[_WINDOW] = _TOKENS // 3  # else which layers look through it would not be seen
        ours[_WINDOW] = small[_WINDOW]
    common = _with(small, ours, ours)
    try:
        answer = _Model(other.kind, common).answer()
    except Exception:  # the base's own architecture, which cannot be tried either
        return tuple(differing)
    entering = []
    for name in differing:
        try:
            changed = not _close(answer, _Model(other.kind, _with(common, small, [name])).answer())
        except Exception:  # a number that the model cannot be made with surely counts
            changed = True
        if changed or "logit" in name:  # what scales or caps logits comes after the last layer
            entering.append(name)
    return tuple(entering)


class _Model:
    """A small language model without a head, with random weights that follow from their names."""

    def __init__(self, kind: type, values: Mapping[str, Any]) -> None:
        import transformers
        from transformers import MODEL_MAPPING, AutoModel

        # A copy: classes write what is missing into the dictionaries that they are given, which others are made with.
        arguments = {name: deepcopy(value) for name, value in values.items() if name not in _NO_ARGUMENTS}
        with torch.random.fork_rng(devices=[]), quiet():
            # Mllama's language model is no model of its own to transformers.
            inner = (
                None if kind in MODEL_MAPPING else getattr(transformers, kind.__name__.replace("Config", "Model"), None)
            )
            make = AutoModel.from_config if inner is None else inner._from_config  # what `from_config` calls
            model = make(kind(**arguments), attn_implementation="eager")
        self._model = model.float().eval()
        state = self._model.state_dict()
        self.shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for name, shape in self.shapes.items():
            generator = torch.Generator().manual_seed(crc32(name.encode()))
            rows = max(shape[0], 2 * _ROWS) if name == _EMBEDDINGS else shape[0] if shape else 1
            drawn = torch.randn((rows, *shape[1:]), generator=generator)
            state[name].copy_(0.3 * (drawn[: shape[0]] if shape else drawn[0]))

    @torch.no_grad()
    def answer(self) -> torch.Tensor:
        """The last layer's output."""
        return self._model(input_ids=torch.arange(1, 1 + _TOKENS)[None], use_cache=False).last_hidden_state


def _unlike(one: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Names of weights that only one has or has in another shape, in parts that both have.

    A model that is shown pictures may hold their encoder beside its layers, and further rows for them.
    """
    parts = {name.partition(".")[0] for name in one} & {name.partition(".")[0] for name in other}
    names = sorted(name for name in {*one, *other} if name.partition(".")[0] in parts)
    return [name for name in names if name != _EMBEDDINGS and one.get(name) != other.get(name)]


def _small(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's values with few and narrow layers; heads keep their size, on which rotations depend."""
    layers, heads = values["num_hidden_layers"], values["num_attention_heads"]
    groups = values.get("num_key_value_heads") or heads
    size = values.get("head_dim") or values["hidden_size"] // heads
    fewer = 2 if groups == heads else 4
    small = {name: _fewer(name, value, layers) for name, value in values.items()}
    if values.get(INSERTED):
        layers, small[INSERTED] = layers - len(values[INSERTED]), []
    small |= {name: _WIDTH for name, value in values.items() if "intermediate_size" in name and value}
    small |= {name: min(values[name], _MOST_EXPERTS) for name in EXPERTS if values.get(name)}
    small = {name: value for name, value in small.items() if not name.endswith("_token_id")} | {"pad_token_id": None}
    small |= {
        "num_hidden_layers": min(layers, _LAYERS),
        "num_attention_heads": fewer,
        "hidden_size": fewer * size,
        "vocab_size": _ROWS,
    }
    if values.get("num_key_value_heads"):
        small["num_key_value_heads"] = 1 if groups == 1 else 2
    if "head_dim" in values:
        small["head_dim"] = size
    return small


def _fewer(name: str, value: Any, layers: int) -> Any:
    """A value for few layers; what looks at pictures and listens beside them is not asked, and has one."""
    if isinstance(value, list) and len(value) == layers:
        return value[:_LAYERS]
    if isinstance(value, dict) and name in ("vision_config", "audio_config"):
        return {key: 1 if key in _DEPTHS else each for key, each in value.items()}
    return value


def _with(values: Mapping[str, Any], others: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Values, with those of others under some of the names that both have."""
    return {**values, **{name: others[name] for name in names if name in values and name in others}}


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() <= _TOLERANCE * one.abs().max())
