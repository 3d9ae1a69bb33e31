"""How an example becomes what a model reads: one way for every metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from hpo_bench.display.words import first_line
from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.asking.batches import extended
from hpo_bench.evaluation.asking.chat_template import PROBE, ChatTemplate
from hpo_bench.evaluation.asking.tokens import Tokens
from hpo_bench.evaluation.examples import IMAGE, Example
from hpo_bench.evaluation.reading.pictures import opened, size

_NAMED = 3
"""Of examples that cannot be asked so many are named."""

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Prompts, and perhaps answers behind them, as a model takes them.

    Attributes:
        inputs: By name, on the model's device; those of tokens have shape (batch, length, ...).
        lengths: Of each row without padding.
        answers: Tokens of each answer, which end their row; none where only prompts were asked for.
    """

    inputs: dict[str, torch.Tensor]
    lengths: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...] = ()


class Prompts:
    """Frames questions as their model was trained to read them.

    The processor's chat template frames a question and places its pictures. Where there is none the text is asked as it
    is, with the model's own image token in place of `<image>`. Nothing here depends on which side a tokenizer pads, on
    which tokens it puts around a text, or on how it cuts a question and its answer in one text.

    Args:
        processor: The VLM's Hugging Face processor.
        chat_template: False to ask the bare text although there is a template.
        system_prompt: What the model is told before every question; "" for what the template says by itself.
        enable_thinking: Whether the template lets the model think before it answers; None for the template's own way.

    Raises:
        UsageError: If there is no processor, its template cannot be rendered or places no pictures, nothing in its
            vocabulary stands for a picture, or the template knows no system prompt or no `enable_thinking`.
    """

    def __init__(
        self,
        processor: Any,
        *,
        chat_template: bool = True,
        system_prompt: str = "",
        enable_thinking: bool | None = None,
    ) -> None:
        if getattr(processor, "tokenizer", None) is None:
            raise UsageError(
                "the VLM's folder holds no processor for pictures and text (processor_config.json or "
                "preprocessor_config.json, and a tokenizer), without which nothing can be asked; copy its files there"
            )
        self._processor, self._tokens = processor, Tokens(processor.tokenizer)
        self._template = ChatTemplate(
            processor, used=chat_template, system_prompt=system_prompt, enable_thinking=enable_thinking
        )
        self._of_pictures: dict[tuple[tuple[int, int], ...], int] = {}
        self._lengths: dict[str, int] = {}

    @property
    def framed(self) -> bool:
        """Whether questions go through a chat template."""
        return self._template.framed

    @property
    def manner(self) -> str:
        """How questions are put, for a sentence."""
        return self._template.manner

    def text(self, example: Example) -> str:
        """The prompt, with the model's own token for each picture.

        Raises:
            EvaluationError: If the prompt has places for more or fewer pictures than the example, or the question
                itself has a token that stands for one.
        """
        if said := next((token for token in self._template.reserved if token in example.spoken), None):
            raise EvaluationError(
                f"the question of example {example.id!r} has {said}, which this model takes for a picture; write "
                f"{IMAGE} where a picture goes, and other words where none does",
                kind="prompt",
            )
        question = example.question if IMAGE in example.spoken else IMAGE * len(example.images) + example.question
        rendered, image = self._template.prompt(question, example.before), self._template.image
        places = rendered.count(image)
        if places != len(example.images):
            raise EvaluationError(
                f"example {example.id!r} has {len(example.images)} pictures, and its prompt has {places} places for "
                f"them ({image})",
                kind="prompt",
            )
        return rendered

    def check(self, examples: Sequence[Example]) -> None:
        """Make every prompt, with pictures of every size that there is, as one that fails ends a whole trial.

        Raises:
            EvaluationError: If some cannot be made; the first few are named.
        """
        flaws = []
        for example in examples:
            try:
                self._lengths[example.id] = self.length(example)
            except EvaluationError as error:
                flaws.append(str(error))
            except Exception as error:  # whatever a processor's own code raises
                shown = " and ".join(f"{width} x {height}" for width, height in map(size, example.images))
                pictures = f", with pictures of {shown} pixels" if shown else ""
                flaws.append(f"example {example.id!r}{pictures}: {type(error).__name__}: {first_line(error)}")
        if flaws:
            more = f"; and {len(flaws) - _NAMED} more" if len(flaws) > _NAMED else ""
            raise EvaluationError(
                f"{len(flaws)} of {len(examples)} examples cannot be asked: {'; '.join(flaws[:_NAMED])}{more}",
                kind="prompt",
            )

    def length(self, example: Example) -> int:
        """How many tokens the prompt has, with those of its pictures; off by a few where these join the text's."""
        sizes, text = tuple(size(data) for data in example.images), len(self.tokens(example))
        if sizes not in self._of_pictures:
            self._of_pictures[sizes] = 0  # a size that fails is tried once, as nobody knows that others fail alike
            self._of_pictures[sizes] = len(self._rows([example])[0][0]["input_ids"]) - text
        return text + self._of_pictures[sizes]

    def doubts(self, examples: Sequence[Example], *, room: int | None = None) -> tuple[str, ...]:
        """What a user should know of questions that can be asked, a sentence each.

        Those that bring marks of turns, as chats exported with their template do, are read as turns by the model. What
        is longer than it was made for it reads, but as nothing that it has learnt.

        Args:
            examples: The questions; how long they are is known of those that were checked.
            room: How many tokens the model was made for, where that is known.
        """
        said = []
        marks = self._tokens.marks(self._template.prompt(PROBE) + self._template.behind)
        if found := [(one.id, mark) for one in examples for mark in marks if mark in one.spoken]:
            first, mark = found[0]
            said.append(
                f"{len({one for one, _ in found})} questions, such as that of {first!r}, have {mark} in them, which "
                "this model reads as a mark of turns and not as text; leave it out, as its template writes such marks "
                "itself"
            )
        lengths = [(self._lengths[one.id], one.id) for one in examples if one.id in self._lengths]
        if room is not None and (longer := [one for one in lengths if one[0] > room]):
            most, longest = max(longer)
            said.append(
                f"{len(longer)} of {len(lengths)} prompts, with their pictures, are longer than the {room:,} tokens "
                f"that this model was made for, that of {longest!r} the longest with some {most:,}: answers may be "
                "nonsense; shorten them, or leave them out"
            )
        return tuple(said)

    def answer(self, example: Example) -> tuple[int, ...]:
        """Tokens of the right answer, as they follow the prompt's; the end of the turn is not among them."""
        prompt, answer = self.text(example), example.answer.strip()
        glue = self._template.between
        glue = "" if prompt[-1:].isspace() and glue.isspace() else glue
        cut, decode = self._tokens.cut, self._tokens.decode
        before, whole = cut(prompt), cut(f"{prompt}{glue}{answer}")
        if whole[: len(before)] == before:
            return tuple(whole[len(before) :])
        # The tokenizer joins the prompt's last letters with the answer's first. A model that is asked reads the prompt
        # alone, so that the answer's tokens are those which continue it to the same text.
        read = decode(whole)
        for text in (f"{glue}{answer}", answer):
            behind = cut(text)
            if decode([*before, *behind]) == read:
                return tuple(behind)
        return tuple(cut(answer))

    def ends(self, model: Any) -> tuple[int, ...]:
        """Tokens that end a turn: the generation configuration's, the template's and the tokenizer's.

        Raises:
            UsageError: If there is none.
        """
        own = model.generation_config.eos_token_id
        found = {*(own if isinstance(own, list | tuple) else [own]), self._tokens.end, self._closing()}
        ends = tuple(sorted(token for token in found if token is not None))
        if not ends:
            raise UsageError(
                "neither generation_config.json nor the tokenizer of the VLM says which token ends a turn: give "
                "`eos_token_id` in generation_config.json"
            )
        return ends

    def decode(self, tokens: Sequence[int] | torch.Tensor) -> str:
        """What tokens say, without special ones and spaces around."""
        return self._tokens.decode(tokens, special=False).strip()

    def tokens(self, example: Example) -> list[int]:
        """The prompt's tokens with one for each picture, for whoever puts as many there as the picture has."""
        return self._tokens.prompt(self.text(example))

    def ask(self, model: Any, examples: Sequence[Example], *, side: Side = "left") -> Asked:
        """Prompts alone, of examples with equally many pictures; models generate from rows padded on the left."""
        rows, pictures = self._rows(examples)
        return self._stacked(model, rows, pictures, side=side)

    def ask_and_answer(self, model: Any, examples: Sequence[Example], *, ended: bool = False) -> Asked:
        """Prompts with their right answers behind them, padded on the right; likewise of equally many pictures.

        Args:
            model: Who is asked.
            examples: What.
            ended: Whether the token that ends the turn belongs to an answer.
        """
        rows, pictures = self._rows(examples)
        closing = self._closing()
        end = (closing if closing is not None else self.ends(model)[0],) if ended else ()
        answers = tuple((*self.answer(example), *end) for example in examples)
        longer = [extended(row, answer) for row, answer in zip(rows, answers, strict=True)]
        return self._stacked(model, longer, pictures, side="right", answers=answers)

    def _rows(self, examples: Sequence[Example]) -> tuple[list[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
        """Tensors by token of each prompt, without padding, and the others, of all pictures together."""
        texts = [self.text(example) for example in examples]
        images = [[opened(data) for data in example.images] for example in examples]
        special = self._tokens.special(texts[0])
        with self._tokens.padded():
            made = dict(
                self._processor(
                    text=texts, images=images if any(images) else None, padding=True, truncation=False,
                    return_tensors="pt", **special,
                )
            )  # fmt: skip
        made = {name: value for name, value in made.items() if isinstance(value, torch.Tensor) and name != "labels"}
        shape, mask = made["input_ids"].shape, made["attention_mask"].bool()
        by_token = {
            name
            for name, value in made.items()
            if value.shape[:2] == shape and (value.dim() == 2 or name == "cross_attention_mask")
        }
        behind = 0 if special else self._tokens.behind
        rows = []
        for row, kept in enumerate(mask):
            until = int(kept.sum()) - behind
            rows.append({name: made[name][row][kept][:until] for name in by_token})
        return rows, {name: value for name, value in made.items() if name not in by_token}

    def _stacked(
        self,
        model: Any,
        rows: Sequence[Mapping[str, torch.Tensor]],
        pictures: Mapping[str, torch.Tensor],
        *,
        side: Side,
        answers: tuple[tuple[int, ...], ...] = (),
    ) -> Asked:
        lengths = tuple(len(row["input_ids"]) for row in rows)
        inputs = dict(pictures)
        for name in rows[0]:
            fill = self._tokens.padding if name == "input_ids" else 0
            inputs[name] = torch.nn.utils.rnn.pad_sequence(
                [row[name] for row in rows], batch_first=True, padding_value=fill, padding_side=side
            )
        moved = {
            name: value.to(model.device, model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        return Asked(moved, lengths, answers)

    def _closing(self) -> int | None:
        return self._tokens.closing(self._template.behind)
