"""Looking at pictures once: merging changes language weights alone, so what a VLM's vision side makes of them stays."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hpo_bench.evaluation.asking.batches import chunks
from hpo_bench.evaluation.examples import Example

_PLAIN = {
    "input_ids",
    "inputs_embeds",
    "attention_mask",
    "position_ids",
    "past_key_values",
    "use_cache",
    "cache_position",
}
_SWITCH = bool | int | float | str | None


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One text with its pictures, as the language model reads it.

    Attributes:
        tokens: Token ids, of shape (length,).
        pictured: Where an image embedding stands instead of a token's, of shape (length,).
        images: The image embeddings, of shape (pictured.sum(), width).
        positions: Rotary positions, of shape (length,), or (axes, length) where they have several; None for
            0, 1, 2, ...
    """

    tokens: torch.Tensor
    pictured: torch.Tensor
    images: torch.Tensor
    positions: torch.Tensor | None


def look(model: Any, inputs: Mapping[str, torch.Tensor]) -> list[Prompt] | None:
    """Run the vision side once and keep what it hands to the language model.

    The whole model runs, and a hook on its decoder notes what arrives there, so that any architecture will do whose
    decoder takes embeddings and positions.

    Args:
        model: A Hugging Face VLM.
        inputs: What its processor makes of texts and pictures, padded on the right.

    Returns:
        One prompt a text; None if the decoder is handed anything that this module cannot keep, so that the whole model
        must run every time.
    """
    arrived: dict[str, Any] = {}
    decoder = model.get_decoder()
    hook = decoder.register_forward_pre_hook(
        lambda _, args, kwargs: arrived.update(kwargs, args=args), with_kwargs=True
    )
    try:
        model.model(**inputs)
    finally:
        hook.remove()
    positional = arrived.pop("args")
    further = {key for key, value in arrived.items() if key not in _PLAIN and not isinstance(value, _SWITCH)}
    mask = arrived.get("attention_mask")
    # More than a mask of padding says who sees whom, such as the parts of a picture each other.
    masked = mask is not None and not (isinstance(mask, torch.Tensor) and mask.dim() == 2)
    image_token = getattr(model.config, "image_token_id", None)
    if positional or further or masked or image_token is None or arrived.get("inputs_embeds") is None:
        return None
    tokens, embedded, positions = inputs["input_ids"], arrived["inputs_embeds"], arrived.get("position_ids")
    pictured = tokens == image_token
    # Words must arrive as the table has them, or merged weights would have a part in what is kept.
    if not torch.equal(embedded[~pictured], model.get_input_embeddings()(tokens)[~pictured]):
        return None
    return [
        Prompt(
            tokens=tokens[row, :length],
            pictured=pictured[row, :length],
            images=embedded[row, :length][pictured[row, :length]].clone(),
            positions=None if positions is None else positions[..., row, :length].clone(),
        )
        for row, length in enumerate(inputs["attention_mask"].sum(1).tolist())
    ]


KEPT_BYTES = 2**30
"""Of what is made of pictures, so much is kept at most."""
Ask = Callable[[Any, Sequence[Example]], Mapping[str, torch.Tensor]]
"""What a model's processor makes of a batch of examples, padded on the right."""


class Looked:
    """What a model's vision side made of examples, each looked at once as long as nobody changes it.

    Args:
        ask: Makes inputs of examples.

    Attributes:
        keeps: Whether it keeps what it saw; not of models whose decoder is handed more than embeddings and positions,
            nor beyond a gigabyte.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._model: Callable[[], Any] = lambda: None
        self._vision: object = None
        self._seen: dict[str, Prompt] = {}
        self.keeps = True

    def is_of(self, model: Any) -> bool:
        """Whether what is kept is this model's, whose vision side nobody wrote into since; if not, it is let go."""
        vision = _vision_state(model)
        if self._model() is model and self._vision == vision:
            return True
        self._model, self._vision, self.keeps = weakref.ref(model), vision, True
        self._seen.clear()
        return False

    def prompts(self, model: Any, examples: Sequence[Example], batch_size: int) -> list[Prompt] | None:
        """Examples as the language model reads them; None where that cannot be kept, or is too much."""
        self.is_of(model)
        missing = [example for example in examples if example.id not in self._seen]
        for members in chunks(missing, batch_size) if self.keeps else ():
            chunk = [missing[i] for i in members]
            found = look(model, self._ask(model, chunk))
            if found is not None:
                self._seen |= {example.id: prompt for example, prompt in zip(chunk, found, strict=True)}
            if found is None or sum(prompt.images.nbytes for prompt in self._seen.values()) > KEPT_BYTES:
                self.keeps = False
                self._seen.clear()
                break
        return [self._seen[example.id] for example in examples] if self.keeps else None


def stack(prompts: Sequence[Prompt]) -> Prompt:
    """Prompts of equal length as one, whose tensors have a further dimension for the batch."""
    first = prompts[0].positions
    return Prompt(
        tokens=torch.stack([prompt.tokens for prompt in prompts]),
        pictured=torch.stack([prompt.pictured for prompt in prompts]),
        images=torch.cat([prompt.images for prompt in prompts]),
        positions=None if first is None else torch.stack([_known(prompt.positions) for prompt in prompts], dim=-2),
    )


def read(model: Any, prompts: Prompt, embedded: torch.Tensor | None = None) -> torch.Tensor:
    """Last hidden states of the language model, of shape (batch, length, width).

    Without padding no mask is needed, and attention takes its fastest path.

    Args:
        model: A Hugging Face VLM.
        prompts: What it reads.
        embedded: What to hand to the decoder for that; by default the words' embeddings and the images'.
    """
    if embedded is None:
        words: torch.Tensor = model.get_input_embeddings()(prompts.tokens)
        words[prompts.pictured] = prompts.images
        embedded = words
    decoder = model.get_decoder()
    return decoder(inputs_embeds=embedded, position_ids=prompts.positions, use_cache=False).last_hidden_state


def _vision_state(model: Any) -> tuple[tuple[int, int], ...]:
    """Where each parameter outside the language model lies, and how often it was written."""
    language = {id(p) for part in (model.get_decoder(), model.get_output_embeddings()) for p in part.parameters()}
    return tuple((p.data_ptr(), p._version) for p in model.parameters() if id(p) not in language)


def _known(positions: torch.Tensor | None) -> torch.Tensor:
    if positions is None:
        raise ValueError("prompts of one model have positions either all or none")
    return positions
