"""A model's class without weights: how transformers names them in memory, and what it makes of those that are stored.

Hubs store the tensors of one model under other names than memory holds them, or in another shape: a prefix fewer,
experts one by one or transposed. transformers knows all of it and converts what it loads; a model made on torch's
"meta" device, which holds shapes and no numbers, says the same in a tenth of a second.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    Transpose,
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.making import WrittenConfig, quiet

Shape = tuple[int, ...]
_LANGUAGE = "language_model."
# Buffers that old checkpoints hold and that follow from the configuration.
_NO_WEIGHT = (".rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias")


@dataclass(frozen=True, slots=True)
class Source:
    """What one tensor in memory is made of.

    Attributes:
        parts: Names on disk, in the order in which they are put together.
        patterns: Of each the pattern by which the converter takes it; empty without one.
        converter: transformers' conversion; None where the one part is the tensor itself.
    """

    parts: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    converter: WeightConverter | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """A model on the meta device.

    Attributes:
        model: transformers' model.
        shapes: Of every parameter and kept buffer, by name in memory.
        body: How names of its language layers begin, with the dot; "" where the class does not say.
        embeddings: Name of the word embeddings; None where the class does not say.
        head: Name of the head's weights, likewise.
    """

    model: Any
    shapes: dict[str, Shape]
    body: str
    embeddings: str | None
    head: str | None

    @classmethod
    def of(cls, configuration: Configuration, *, trust_remote_code: bool = False) -> "Skeleton":
        """Make the class that transformers has for a configuration, without weights.

        Raises:
            MergeError: If there is none, or it cannot be made of these numbers.
        """
        return _make(WrittenConfig.of(configuration.whole), configuration.sees, trust_remote_code)

    def sources(self, stored: Iterable[str]) -> tuple[dict[str, Source], dict[str, str]]:
        """What of a checkpoint makes which tensor in memory, as `from_pretrained` does it.

        Args:
            stored: Names on disk.

        Returns:
            By name in memory; and what is stored and no part of the model, by the name that it would have there.
        """
        transforms = get_model_conversion_mapping(self.model)
        renamings = [one for one in transforms if isinstance(one, WeightRenaming)]
        converters = [one for one in transforms if isinstance(one, WeightConverter)]
        by_pattern = {pattern: one for one in converters for pattern in one.source_patterns}
        prefix = self.model.base_model_prefix
        groups: dict[str, list[tuple[str, str | None]]] = {}
        unused: dict[str, str] = {}
        for place in sorted(stored, key=dot_natural_key):
            name, pattern = rename_source_key(place, renamings, converters, prefix, self.shapes)
            if name not in self.shapes and place in self.shapes:
                name, pattern = rename_source_key(place, [], [], prefix, self.shapes)
            if name not in self.shapes:
                name = self._elsewhere(name)
            if name in self.shapes:
                groups.setdefault(name, []).append((place, pattern))
            else:
                unused[name] = place
        found = {}
        for name, members in groups.items():
            parts = tuple(place for place, _ in members)
            patterns = tuple(pattern for _, pattern in members if pattern is not None)
            if patterns:
                found[name] = Source(parts, patterns, by_pattern[patterns[0]])
            else:  # of two that are stored for one, transformers too takes the last
                found[name] = Source(parts[-1:])
        return {name: found[name] for name in self.shapes if name in found}, unused

    def _elsewhere(self, name: str) -> str:
        """A name in memory for one of a text fine-tune's that has kept its VLM's names or configuration, but not both.

        transformers loads such a folder with other classes than its configuration says, or not at all.
        """
        without = name.replace(_LANGUAGE, "", 1) if _LANGUAGE in name else self.body + name.removeprefix("model.")
        return without if without in self.shapes else name

    def foresees(self, name: str) -> bool:
        """Whether the class knows that checkpoints hold a tensor that it does not take, or it is no weight at all."""
        patterns = getattr(self.model, "_keys_to_ignore_on_load_unexpected", None) or ()
        return name.endswith(_NO_WEIGHT) or any(re.search(pattern, name) for pattern in patterns)

    def needs(self, stored: Collection[str]) -> list[str]:
        """What the class needs from a checkpoint and would fill with random weights, by name in memory.

        Args:
            stored: Names in memory of what there is; a weight that has several names needs one of them.
        """
        named: dict[str, Any] = {
            **dict(self.model.named_parameters(remove_duplicate=False)),
            **dict(self.model.named_buffers(remove_duplicate=False)),
        }
        there = {id(named[name]) for name in stored if name in named}
        patterns = getattr(self.model, "_keys_to_ignore_on_load_missing", None) or ()
        return [
            name
            for name in self.shapes
            if name not in stored
            and id(named.get(name)) not in there
            and not any(re.search(pattern, name) for pattern in patterns)
        ]

    def assemble(self, name: str, source: Source, tensors: Iterable[torch.Tensor]) -> torch.Tensor:
        """The tensor in memory, of what is stored.

        Args:
            name: In memory.
            source: What it is made of.
            tensors: Of each part.

        Raises:
            MergeError: If transformers cannot convert them.
        """
        if source.converter is None:
            return next(iter(tensors))
        made = self._converted(source.converter, name, source.parts, source.patterns, tensors)
        if name not in made:
            raise MergeError(f"{name} cannot be made of {source.parts[0]}: transformers makes {', '.join(made)} of it")
        return made[name].contiguous()

    def take_apart(
        self, name: str, source: Source, tensor: torch.Tensor, shapes: Mapping[str, Shape]
    ) -> dict[str, torch.Tensor]:
        """What is stored, of the tensor in memory: the inverse of `assemble`.

        Args:
            name: In memory.
            source: What it is made of.
            tensor: In memory.
            shapes: Of each part on disk.

        Raises:
            MergeError: If the conversion has no inverse.
        """
        if source.converter is None:
            return {source.parts[0]: tensor}
        # `Transpose` that looks first whether it must leaves its own result as it is.
        transposed = shapes[source.parts[0]] != tuple(tensor.shape)
        operations: list[Any] = [
            Transpose(op.dim0, op.dim1) if isinstance(op, Transpose) else op
            for op in source.converter.operations
            if transposed or not getattr(op, "check_dims", False)
        ]
        if not operations:
            return {source.parts[0]: tensor}
        forward = deepcopy(source.converter)
        forward.operations = operations
        renamings = [one for one in get_model_conversion_mapping(self.model) if isinstance(one, WeightRenaming)]
        places = {rename_source_key(place, renamings, [])[0]: place for place in source.parts}
        back: Any = forward.reverse_transform()
        renamed, pattern = rename_source_key(name, [], [back])
        made = {} if pattern is None else self._converted(back, renamed, [name], [pattern], [tensor])
        parts = {places[between]: part.contiguous() for between, part in made.items() if between in places}
        if set(parts) != set(source.parts) or not torch.equal(
            self.assemble(name, source, [parts[place] for place in source.parts]), tensor
        ):
            raise MergeError(f"{name} cannot be stored as the VLM stores it, in {source.parts[0]} and the like")
        return parts

    def _converted(
        self,
        converter: Any,
        name: str,
        parts: Iterable[str],
        patterns: Iterable[str],
        tensors: Iterable[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        own = deepcopy(converter)
        for place, pattern, tensor in zip(parts, patterns, tensors, strict=True):
            own.add_tensor(name, place, pattern, tensor)
        try:
            made = own.convert(name, model=self.model, config=self.model.config)
        except Exception as error:  # whatever operations raise for shapes that they do not expect
            raise MergeError(f"{name}: transformers cannot convert what is stored: {first_line(error)}") from error
        return {key: value[0] if isinstance(value, list) else value for key, value in made.items()}


@lru_cache(maxsize=16)
def _make(written: WrittenConfig, sees: bool, trusted: bool) -> Skeleton:
    config = written.config
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), quiet():
            model = auto_class(config, sees=sees).from_config(deepcopy(config), trust_remote_code=trusted)
    except Exception as error:  # no class for the architecture, or numbers that it cannot be made of
        raise MergeError(f"transformers has no model for a {config.model_type!r}: {first_line(error)}") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    names = {id(module): name for name, module in model.named_modules()}

    def of(getter: str) -> str | None:
        try:
            return names.get(id(getattr(model, getter)()))
        except (AttributeError, NotImplementedError):
            return None

    # A language model is all under its base model's name.
    inner = model.base_model_prefix if not sees and hasattr(model, model.base_model_prefix or " ") else None
    decoder, embeddings, head = of("get_decoder"), of("get_input_embeddings"), of("get_output_embeddings")
    # What decodes and has a head is a whole language model, as Llama 4's is; its body is what holds its embeddings.
    if decoder is not None and embeddings and head and head.startswith(f"{decoder}." if decoder else ""):
        decoder = inner or embeddings.rpartition(".")[0]
    body = decoder or inner
    return Skeleton(
        model=model,
        shapes=shapes,
        body=f"{body}." if body else "",
        embeddings=f"{embeddings}.weight" if embeddings else None,
        head=f"{head}.weight" if head else None,
    )


def auto_class(config: Any, *, sees: bool) -> Any:
    """The class of transformers that loads such a model.

    Args:
        config: Its configuration.
        sees: Whether it is shown pictures.
    """
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as IMAGE_TEXT_TO_TEXT

    if not sees or (config.model_type not in IMAGE_TEXT_TO_TEXT and config.model_type in CAUSAL):
        return AutoModelForCausalLM  # Phi-4-multimodal is among the language models
    known = config.model_type in IMAGE_TEXT_TO_TEXT
    own = {} if known else getattr(config, "auto_map", None) or {}
    # Most VLMs that come with code of their own offer it as a language model, or as a model of no kind.
    kinds = (AutoModelForImageTextToText, AutoModelForCausalLM, AutoModel)
    return next((kind for kind in kinds if kind.__name__ in own), AutoModelForImageTextToText)
