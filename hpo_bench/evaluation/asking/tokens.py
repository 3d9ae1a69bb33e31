"""A tokenizer as prompts need it, whatever it puts around a text and whichever token it pads with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from hpo_bench.evaluation.asking.chat_template import PROBE
from hpo_bench.evaluation.asking.thoughts import is_tag


class Tokens:
    """Cuts texts into tokens and puts them together again.

    Args:
        tokenizer: Hugging Face's.

    Attributes:
        behind: How many tokens it puts behind a text, such as the end of all text, which no prompt may have.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        special = {*tokenizer.all_special_ids}
        special |= {row for row, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._silent = {row for row in special if not is_tag(str(tokenizer.convert_ids_to_tokens(row)))}
        self._tags = special - self._silent
        plain, whole = self.cut(PROBE), tokenizer(PROBE)["input_ids"]
        begins = next((i for i in range(len(whole)) if whole[i : i + len(plain)] == plain), None)
        self.behind = 0 if begins is None else len(whole) - begins - len(plain)

    def cut(self, text: str) -> list[int]:
        """The text's own tokens."""
        return self._tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def prompt(self, text: str) -> list[int]:
        """Those of a prompt, with what the tokenizer puts before it."""
        special = self.special(text)
        found = list(self._tokenizer(text, **special)["input_ids"])
        return found if special else found[: len(found) - self.behind]

    def special(self, text: str) -> dict[str, bool]:
        """A template that writes the beginning itself leaves none for the tokenizer to add, as transformers has it."""
        begin = self._tokenizer.bos_token
        return {"add_special_tokens": False} if begin and text.startswith(begin) else {}

    def decode(self, tokens: Sequence[int] | torch.Tensor, *, special: bool = True) -> str:
        """What tokens say.

        Args:
            tokens: Any.
            special: Whether special ones are said as well; those around thoughts always are, as it would not be seen
                else where these end.
        """
        if not special and self._tags:
            said = tokens.tolist() if isinstance(tokens, torch.Tensor) else tokens
            tokens = [token for token in said if token not in self._silent]
        return self._tokenizer.decode(tokens, skip_special_tokens=not (special or self._tags))

    @property
    def padding(self) -> int:
        """The token that fills rows up; any will do, as it is masked."""
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None else (self._tokenizer.eos_token_id or 0)

    @property
    def end(self) -> int | None:
        """The token that ends all text, if there is one."""
        return self._tokenizer.eos_token_id

    def closing(self, behind: str) -> int | None:
        """The token that ends a turn; None if nothing says.

        Args:
            behind: What the chat template writes behind an answer.
        """
        special = {*self._tokenizer.all_special_ids, *self._tokenizer.added_tokens_decoder}
        found = [token for token in self.cut(behind) if self.decode([token]).strip()]
        return found[0] if found[:1] and found[0] in special else self.end

    def marks(self, framed: str) -> list[str]:
        """Special tokens that are in a text, or begin or end every one."""
        special = {str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special}
        special |= set(self._tokenizer.all_special_tokens)
        own = {self._tokenizer.bos_token, self._tokenizer.eos_token}
        return sorted(token for token in special if token in framed or token in own)

    @contextmanager
    def padded(self) -> Iterator[None]:
        """Lend a tokenizer that has no token for padding one that it has; the mask tells them apart."""
        tokenizer = self._tokenizer
        before = tokenizer.pad_token
        if before is not None:
            yield
            return
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
        try:
            yield
        finally:
            tokenizer.pad_token = before
