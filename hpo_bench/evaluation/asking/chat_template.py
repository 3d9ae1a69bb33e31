"""How a processor's chat template frames a question, found out by trying it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.merging.processor import chat_template as template_of

PROBE = "probe"
"""A word to try templates and tokenizers with."""
DAY = datetime(2025, 1, 1, tzinfo=UTC)
"""What a template takes for today that writes the date: else a study would ask otherwise on the day after."""
_TODAY = re.compile(r"""strftime_now\(\s*(?:format\s*=\s*)?(["'])(.*?)\1\s*\)""")
_LIKELY = ("<image>", "<|image_pad|>", "<start_of_image>", "[IMG]", "<|image|>")

Parts = list[dict[str, str]]


class ChatTemplate:
    """Frames questions as their model was trained to read them.

    Args:
        processor: The VLM's Hugging Face processor.
        used: False to ask the bare text although there is a template.
        system_prompt: What the model is told before every question; "" for what the template says by itself.
        enable_thinking: Whether the template lets the model think before it answers; None for the template's own way.

    Attributes:
        image: The model's own token for a picture.
        reserved: Tokens that no question may say, as the model would look there for a picture that is not shown.
        between: What stands between a prompt and its answer.
        behind: What stands behind an answer.

    Raises:
        UsageError: If the template cannot be rendered or places no pictures, or knows no system prompt or no
            `enable_thinking`.
    """

    def __init__(
        self, processor: Any, *, used: bool = True, system_prompt: str = "", enable_thinking: bool | None = None
    ) -> None:
        self._processor = processor
        self._tokens = _image_tokens(processor)
        self.image = self._tokens[0] if self._tokens else IMAGE
        self.reserved = [token for token in (*self._tokens, *_video_tokens(processor)) if token != IMAGE]
        self.between, self.behind = " ", ""
        self._content: Callable[[Parts], Any] | None = None
        self._bare: Callable[[str], str] = str
        self._answered: Callable[[str], Any] = str
        self._systems: dict[str, list[dict[str, Any]]] = {}
        self._told: list[dict[str, Any]] = []
        self._switches = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        self._dated = _of_one_day(processor)
        self._check_switches(used)
        if used and template_of(processor) is not None:
            self._content = self._find_content()
            self.between, self.behind = self._find_answer(self._content)
        elif self._sets_apart():
            self._bare, self.between = _joined, ""
        if system_prompt:
            self._told = self._find_system(system_prompt)

    @property
    def framed(self) -> bool:
        """Whether questions go through a chat template, and are not asked as bare texts."""
        return self._content is not None

    @property
    def manner(self) -> str:
        """How questions are put, for a sentence."""
        if self.framed:
            return "through the processor's chat template"
        why = (
            "as was asked for" if template_of(self._processor) is not None else "as the processor has no chat template"
        )
        return f"as bare texts with {self.image} for a picture, {why}"

    def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> str:
        """What the model reads for a question.

        Args:
            question: Whose pictures are where it says `IMAGE`.
            before: What was said before it, a role and a text each; a system prompt takes the place of the usual one.

        Raises:
            EvaluationError: If something was said before, and the template takes no such turns, or there is none.
        """
        if self._content is None:
            if before:
                raise EvaluationError(
                    "earlier turns and system prompts of a chat need a chat template, and questions are asked without "
                    "one; leave them out",
                    kind="prompt",
                )
            return self._bare(question).replace(IMAGE, self.image)
        told, turns = self._told, []
        for role, said in before:
            if role == "system":
                told = self._systems.get(said) or self._systems.setdefault(said, self._find_system(said))
            else:
                content = self._content(_parts(said)) if role == "user" else self._answered(said)
                turns.append({"role": role, "content": content})
        return self._render([*told, *turns, {"role": "user", "content": self._content(_parts(question))}])

    def _render(self, messages: list[dict[str, Any]], *, ask: bool = True) -> str:
        framer = self._processor if getattr(self._processor, "chat_template", None) else self._processor.tokenizer
        dated = {} if self._dated is None else {"chat_template": self._dated}
        return framer.apply_chat_template(
            messages, add_generation_prompt=ask, tokenize=False, **dated, **self._switches
        )

    def _sets_apart(self) -> bool:
        """Whether the processor itself begins a text behind its pictures, as PaliGemma's does."""
        tokenizer = self._processor.tokenizer
        try:
            blank = Image.new("RGB", (64, 64))
            ids = list(self._processor(text=[self.image + PROBE], images=[[blank]])["input_ids"][0])
            begin, shown = tokenizer.bos_token_id, tokenizer.convert_tokens_to_ids(self.image)
            return shown in ids and begin in ids[len(ids) - ids[::-1].index(shown) :]
        except Exception:  # whatever a processor's own code raises: questions that it cannot take are told of by name
            return False

    def _check_switches(self, used: bool) -> None:
        template = template_of(self._processor) if used else None
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
        asked = {"role": "user", "content": self._content([{"type": "text", "text": PROBE}])}
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
        parts: Parts = [{"type": "image"}, {"type": "text", "text": PROBE}]
        reason = "it shows no place for a picture"
        for content in (_as_parts, self._as_text, self._as_one_part):
            try:
                rendered = self._render([{"role": "user", "content": content(parts)}])
            except Exception as error:  # whatever a template's own code raises
                reason = f"it cannot be rendered: {type(error).__name__}: {error}"
                continue
            # A template that wants a text writes a list as Python would.
            if "'type'" in rendered or rendered.count(PROBE) != 1:
                continue
            placed = [token for token in self._tokens if rendered.count(token) == 1]
            if placed:
                self.image = placed[0]
                return content
        raise UsageError(
            f"the chat template of the VLM's processor cannot be used: {reason}; mend it, or ask without it by "
            "`chat_template: false` under `evaluation`"
        )

    def _find_answer(self, content: Callable[[Parts], Any]) -> tuple[str, str]:
        """What the template puts between a prompt and its answer, and behind that."""
        question = {"role": "user", "content": content([{"type": "text", "text": "question"}])}
        prompt = self._render([question])
        forms: tuple[Callable[[str], Any], ...] = (lambda text: content([{"type": "text", "text": text}]), str)
        for form in forms:
            try:
                rendered = self._render([question, {"role": "assistant", "content": form(PROBE)}], ask=False)
            except Exception:  # noqa: S112, some templates take answers as texts alone
                continue
            before, found, behind = rendered.rpartition(PROBE)
            if not found or "'type'" in rendered:
                continue
            self._answered = form
            # What else than spaces stands there is the template's own, such as thoughts, and nothing to be asked for.
            glue = before.removeprefix(prompt) if before.startswith(prompt) else ""
            return (glue if not glue.strip() else ""), behind
        return ("" if prompt[-1:].isspace() else " "), ""

    def _as_text(self, parts: Parts) -> str:
        return "".join(f"{self.image}\n" if part["type"] == "image" else part["text"] for part in parts)

    def _as_one_part(self, parts: Parts) -> Parts:
        return [{"type": "text", "text": self._as_text(parts)}]


def _of_one_day(processor: Any) -> str | None:
    """A processor's template with `DAY` where it writes today's date; None where it writes none."""
    template = template_of(processor)
    usual = template.get("default") if isinstance(template, Mapping) else template
    if not isinstance(usual, str) or not _TODAY.search(usual):
        return None
    return _TODAY.sub(lambda found: repr(DAY.strftime(found[2])), usual)


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


def _joined(question: str) -> str:
    """A question whose leading pictures and words touch."""
    return "".join(IMAGE if part["type"] == "image" else part["text"] for part in _parts(question))


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
