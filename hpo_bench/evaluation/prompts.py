"""How an example becomes what a model reads: one way for every metric."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps

from hpo_bench.display.words import first_line
from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.examples import IMAGE, Example
from hpo_bench.merging.processor import chat_template as template_of

_PROBE = "probe"
_LIKELY = ("<image>", "<|image_pad|>", "<start_of_image>", "[IMG]", "<|image|>")
_NAMED = 3
"""Of examples that cannot be asked so many are named."""

Side = Literal["left", "right"]
Parts = list[dict[str, str]]


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
        self._processor, self._tokenizer = processor, processor.tokenizer
        self._tokens = _image_tokens(processor)
        # What a question may not say, as the model would look there for a picture that is not shown.
        self._reserved = [token for token in (*self._tokens, *_video_tokens(processor)) if token != IMAGE]
        self._image = self._tokens[0] if self._tokens else IMAGE
        self._content: Callable[[Parts], Any] | None = None
        self._glue, self._close = " ", ""
        self._told: list[dict[str, Any]] = []
        self._switches = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        self._check_switches(chat_template)
        if chat_template and template_of(processor) is not None:
            self._content = self._find_content()
            self._glue, self._close = self._find_answer(self._content)
        if system_prompt:
            self._told = self._find_system(system_prompt)
        self._behind = self._added_behind()

    @property
    def framed(self) -> bool:
        """Whether questions go through a chat template."""
        return self._content is not None

    @property
    def manner(self) -> str:
        """How questions are put, for a sentence."""
        if self.framed:
            return "through the processor's chat template"
        why = (
            "as was asked for" if template_of(self._processor) is not None else "as the processor has no chat template"
        )
        return f"as bare texts with {self._image} for a picture, {why}"

    def text(self, example: Example) -> str:
        """The prompt, with the model's own token for each picture.

        Raises:
            EvaluationError: If the prompt has places for more or fewer pictures than the example, or the question
                itself has a token that stands for one.
        """
        if said := next((token for token in self._reserved if token in example.question), None):
            raise EvaluationError(
                f"the question of example {example.id!r} has {said}, which this model takes for a picture; write "
                f"{IMAGE} where a picture goes, and other words where none does",
                kind="prompt",
            )
        question = example.question if IMAGE in example.question else IMAGE * len(example.images) + example.question
        if self._content is None:
            rendered = question.replace(IMAGE, self._image)
        else:
            rendered = self._render([*self._told, {"role": "user", "content": self._content(_parts(question))}])
        places = rendered.count(self._image)
        if places != len(example.images):
            raise EvaluationError(
                f"example {example.id!r} has {len(example.images)} pictures, and its prompt has {places} places for "
                f"them ({self._image})",
                kind="prompt",
            )
        return rendered

    def check(self, examples: Sequence[Example]) -> None:
        """Make every prompt once, with pictures of every size that there is, as one that fails ends a whole trial.

        Raises:
            EvaluationError: If some cannot be made; the first few are named.
        """
        tried: set[tuple[tuple[int, int], ...]] = set()
        flaws = []
        for example in examples:
            sizes = tuple(_size(data) for data in example.images)
            try:
                self.text(example)
                if sizes not in tried:
                    tried.add(sizes)
                    self._rows([example])
            except EvaluationError as error:
                flaws.append(str(error))
            except Exception as error:  # whatever a processor's own code raises
                shown = " and ".join(f"{width} x {height}" for width, height in sizes)
                pictures = f", with pictures of {shown} pixels" if sizes else ""
                flaws.append(f"example {example.id!r}{pictures}: {type(error).__name__}: {first_line(error)}")
        if flaws:
            more = f"; and {len(flaws) - _NAMED} more" if len(flaws) > _NAMED else ""
            raise EvaluationError(
                f"{len(flaws)} of {len(examples)} examples cannot be asked: {'; '.join(flaws[:_NAMED])}{more}",
                kind="prompt",
            )

    def answer(self, example: Example) -> tuple[int, ...]:
        """Tokens of the right answer, as they follow the prompt's; the end of the turn is not among them."""
        prompt, answer = self.text(example), example.answer.strip()
        glue = "" if prompt[-1:].isspace() and self._glue.isspace() else self._glue
        before, whole = self._cut(prompt), self._cut(f"{prompt}{glue}{answer}")
        if whole[: len(before)] == before:
            return tuple(whole[len(before) :])
        # The tokenizer joins the prompt's last letters with the answer's first. A model that is asked reads the prompt
        # alone, so that the answer's tokens are those which continue it to the same text.
        read = self._tokenizer.decode(whole)
        for text in (f"{glue}{answer}", answer):
            behind = self._cut(text)
            if self._tokenizer.decode([*before, *behind]) == read:
                return tuple(behind)
        return tuple(self._cut(answer))

    def ends(self, model: Any) -> tuple[int, ...]:
        """Tokens that end a turn: the generation configuration's, the template's and the tokenizer's.

        Raises:
            UsageError: If there is none.
        """
        own = model.generation_config.eos_token_id
        found = {*(own if isinstance(own, list | tuple) else [own]), self._tokenizer.eos_token_id, self._closing()}
        ends = tuple(sorted(token for token in found if token is not None))
        if not ends:
            raise UsageError(
                "neither generation_config.json nor the tokenizer of the VLM says which token ends a turn: give "
                "`eos_token_id` in generation_config.json"
            )
        return ends

    @property
    def padding(self) -> int:
        """The token that fills rows up; any will do, as it is masked."""
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None else (self._tokenizer.eos_token_id or 0)

    def decode(self, tokens: Sequence[int] | torch.Tensor) -> str:
        """What tokens say, without special ones and spaces around."""
        return self._tokenizer.decode(tokens, skip_special_tokens=True).strip()

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
        longer = [_extended(row, answer) for row, answer in zip(rows, answers, strict=True)]
        return self._stacked(model, longer, pictures, side="right", answers=answers)

    def _rows(self, examples: Sequence[Example]) -> tuple[list[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
        """Tensors by token of each prompt, without padding, and the others, of all pictures together."""
        texts = [self.text(example) for example in examples]
        images = [[opened(data) for data in example.images] for example in examples]
        begin = self._tokenizer.bos_token
        # A template that writes the beginning itself leaves none for the tokenizer to add, as in transformers' own way.
        special = {"add_special_tokens": False} if begin and texts[0].startswith(begin) else {}
        with _any_padding(self._tokenizer):
            made = dict(
                self._processor(
                    text=texts, images=images if any(images) else None, padding=True, truncation=False,
                    return_tensors="pt", **special,
                )
            )  # fmt: skip
        made = {name: value for name, value in made.items() if isinstance(value, torch.Tensor)}
        shape, mask = made["input_ids"].shape, made["attention_mask"].bool()
        by_token = {
            name
            for name, value in made.items()
            if value.shape[:2] == shape and (value.dim() == 2 or name == "cross_attention_mask")
        }
        behind = 0 if special else self._behind
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
            fill = self.padding if name == "input_ids" else 0
            inputs[name] = torch.nn.utils.rnn.pad_sequence(
                [row[name] for row in rows], batch_first=True, padding_value=fill, padding_side=side
            )
        moved = {
            name: value.to(model.device, model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        return Asked(moved, lengths, answers)

    def _closing(self) -> int | None:
        """The token that ends a turn, as the template or else the tokenizer has it; None if neither says."""
        special = {*self._tokenizer.all_special_ids, *self._tokenizer.added_tokens_decoder}
        behind = [token for token in self._cut(self._close) if self._tokenizer.decode([token]).strip()]
        return behind[0] if behind[:1] and behind[0] in special else self._tokenizer.eos_token_id

    def _cut(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def _added_behind(self) -> int:
        """How many tokens the tokenizer puts behind a text, such as the end of all text, which no prompt may have."""
        plain, whole = self._cut(_PROBE), self._tokenizer(_PROBE)["input_ids"]
        begins = next((i for i in range(len(whole)) if whole[i : i + len(plain)] == plain), None)
        return 0 if begins is None else len(whole) - begins - len(plain)

    def _render(self, messages: list[dict[str, Any]], *, ask: bool = True) -> str:
        framer = self._processor if getattr(self._processor, "chat_template", None) else self._tokenizer
        return framer.apply_chat_template(messages, add_generation_prompt=ask, tokenize=False, **self._switches)

    def _check_switches(self, chat_template: bool) -> None:
        template = template_of(self._processor) if chat_template else None
        known = template.values() if isinstance(template, Mapping) else [template]
        for switch in self._switches:
            if not any(switch in str(one) for one in known):
                what = "there is no chat template" if template is None else "the chat template does not know it"
                raise UsageError(f"`{switch}` under `evaluation` changes nothing, as {what}; leave it out")

    def _find_system(self, prompt: str) -> list[dict[str, Any]]:
        """The message that tells the model something beforehand, in the form in which the template takes it."""
        cure = "put it into every question instead, as in `question: '...{question}'` under `evaluation`"
        if self._content is None:
            raise UsageError(f"a system prompt needs a chat template, and questions are asked without one; {cure}")
        asked = {"role": "user", "content": self._content([{"type": "text", "text": _PROBE}])}
        for said in (self._content([{"type": "text", "text": prompt}]), prompt):
            told = [{"role": "system", "content": said}]
            try:
                rendered = self._render([*told, asked])
            except Exception:  # noqa: S112, whatever a template's own code raises
                continue
            if rendered.count(prompt.strip()) == 1 and "'type'" not in rendered:
                return told
        raise UsageError(f"the chat template of the VLM's processor takes no system prompt; {cure}")

    def _find_content(self) -> Callable[[Parts], Any]:
        """The form in which the template takes a message: it then shows the text once, and one place for a picture."""
        parts: Parts = [{"type": "image"}, {"type": "text", "text": _PROBE}]
        reason = "it shows no place for a picture"
        for content in (_as_parts, self._as_text, self._as_one_part):
            try:
                rendered = self._render([{"role": "user", "content": content(parts)}])
            except Exception as error:  # whatever a template's own code raises
                reason = f"it cannot be rendered: {type(error).__name__}: {error}"
                continue
            # A template that wants a text writes a list as Python would.
            if "'type'" in rendered or rendered.count(_PROBE) != 1:
                continue
            placed = [token for token in self._tokens if rendered.count(token) == 1]
            if placed:
                self._image = placed[0]
                return content
        raise UsageError(
            f"the chat template of the VLM's processor cannot be used: {reason}; mend it, or ask without it by "
            "`chat_template: false` under `evaluation`"
        )

    def _find_answer(self, content: Callable[[Parts], Any]) -> tuple[str, str]:
        """What the template puts between a prompt and its answer, and behind that."""
        question = {"role": "user", "content": content([{"type": "text", "text": "question"}])}
        prompt = self._render([question])
        for said in (content([{"type": "text", "text": _PROBE}]), _PROBE):
            try:
                rendered = self._render([question, {"role": "assistant", "content": said}], ask=False)
            except Exception:  # noqa: S112, some templates take answers as texts alone
                continue
            before, found, behind = rendered.rpartition(_PROBE)
            if not found or "'type'" in rendered:
                continue
            # What else than spaces stands there is the template's own, such as thoughts, and nothing to be asked for.
            glue = before.removeprefix(prompt) if before.startswith(prompt) else ""
            return (glue if not glue.strip() else ""), behind
        return ("" if prompt[-1:].isspace() else " "), ""

    def _as_text(self, parts: Parts) -> str:
        return "".join(f"{self._image}\n" if part["type"] == "image" else part["text"] for part in parts)

    def _as_one_part(self, parts: Parts) -> Parts:
        return [{"type": "text", "text": self._as_text(parts)}]


def opened(data: bytes) -> Image.Image:
    """A picture in the colours and the position in which models expect it.

    Args:
        data: A file of any format and mode that Pillow reads.
    """
    image = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    if image.mode.startswith("I;16"):  # Pillow would cut them off at 255, and almost all would be white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def _size(data: bytes) -> tuple[int, int]:
    """Width and height as stored, of which only the header is read."""
    with Image.open(BytesIO(data)) as image:
        return image.size


def chunks(examples: Sequence[Example], size: int) -> Iterator[list[int]]:
    """Places of examples that share a batch: equally many pictures, as processors ask, and of about the same length."""
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].images), len(examples[i].question)))
    for _, alike in groupby(order, key=lambda i: len(examples[i].images)):
        members = list(alike)
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _parts(question: str) -> Parts:
    """A question as a message's parts."""
    parts: Parts = []
    for place, text in enumerate(question.split(IMAGE)):
        parts += [{"type": "image"}] if place else []
        # Between words and pictures spaces stay as they are; how leading pictures are set apart is the template's.
        leading = all(part["type"] == "image" for part in parts)
        said = text.lstrip() if leading else text
        parts += [{"type": "text", "text": said}] if said.strip() else []
    if parts and parts[-1]["type"] == "text":
        parts[-1]["text"] = parts[-1]["text"].rstrip()
    return parts


def _as_parts(parts: Parts) -> Parts:
    return [dict(part) for part in parts]


def _image_tokens(processor: Any) -> list[str]:
    """What may stand for a picture in a text of this processor, the likeliest first."""
    vocabulary = processor.tokenizer.get_vocab()
    texts = _tokens_named(processor, "boi_token", "image_token")
    return list(dict.fromkeys(token for token in (*texts, *_LIKELY) if token in vocabulary))


def _video_tokens(processor: Any) -> list[str]:
    """What stands for a video."""
    vocabulary = processor.tokenizer.get_vocab()
    return [token for token in _tokens_named(processor, "video_token") if token in vocabulary]


def _tokens_named(processor: Any, *names: str) -> list[str]:
    named = [getattr(owner, name, None) for owner in (processor, processor.tokenizer) for name in names]
    return [str(getattr(token, "content", token)) for token in named if token is not None]


def _extended(row: Mapping[str, torch.Tensor], answer: Sequence[int]) -> dict[str, torch.Tensor]:
    """A prompt with its answer: words that are attended to, and of no kind but text."""
    longer = {}
    for name, value in row.items():
        if name == "input_ids":
            tail = value.new_tensor(answer)
        elif value.dim() > 1:
            tail = value[-1:].expand(len(answer), *value.shape[1:])
        else:
            tail = value.new_full((len(answer),), 1 if name == "attention_mask" else 0)
        longer[name] = torch.cat([value, tail])
    return longer


@contextmanager
def _any_padding(tokenizer: Any) -> Iterator[None]:
    """Lend a tokenizer that has no token for padding one that it has; the mask tells them apart."""
    before = tokenizer.pad_token
    if before is not None:
        yield
        return
    tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    try:
        yield
    finally:
        tokenizer.pad_token = before
