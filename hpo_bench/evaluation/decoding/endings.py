"""Where answers end: at texts, and where they repeat themselves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

LOOP, TURNS = 6, 5
"""A response is endless when its last tokens are one block of at most so many tokens, at least so many times over."""
_LEAST = LOOP * TURNS
"""And at least so many tokens, or all that an answer may have: of a million seven tokens may be digits, six of them 0,
and a table's line may be as many dashes as it has columns."""


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of some texts in it."""
    ends = [place for one in stop if (place := text.find(one)) >= 0]
    return text[: min(ends)].strip() if ends else text


def before_end(tokens: Any, ends: Sequence[int]) -> Any:
    """What is said before the first token that ends an answer.

    Not every such token is a special one to its tokenizer, nor is what rows are filled up with, and others are decoded.

    Args:
        tokens: A list or a tensor, of shape (length,).
        ends: Tokens that end an answer.
    """
    said = tokens.tolist() if isinstance(tokens, torch.Tensor) else tokens
    return tokens[: next((place for place, token in enumerate(said) if token in ends), len(said))]


def loop_end(tokens: Sequence[int], *, most: int) -> int | None:
    """Where an answer is cut for repeating itself, as `Loops` cuts it while it is written; None where it does not.

    Args:
        tokens: Of the answer.
        most: How many it may have.
    """
    said, ends = np.asarray(tokens), []
    for period in range(1, LOOP + 1):
        need = _run(period, most) - period  # so many tokens in a row equal those a period before
        if len(said) >= need + period:
            alike = np.concatenate([[0], np.cumsum(said[period:] == said[:-period])])
            found = np.flatnonzero(alike[need:] - alike[:-need] == need)
            ends += [int(found[0]) + need + period] if len(found) else []
    return min(ends, default=None)


def _run(period: int, most: int) -> int:
    """Of how many tokens blocks in a row are endless."""
    return max(period * TURNS, min(_LEAST, most))


class Loops:
    """Ends answers that repeat themselves: a stopping criterion for `generate`.

    Args:
        asked: How many tokens of each row are the question.
        ends: Tokens that end an answer or stand behind its end.
        most: How many tokens an answer may have.

    Attributes:
        found: Which rows were ended, of shape (batch,).
    """

    def __init__(self, asked: int, ends: Sequence[int], *, most: int) -> None:
        self._asked, self._most, self._ends = asked, most, torch.tensor(sorted(set(ends)))
        self.found = torch.zeros(0, dtype=torch.bool)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows have gone astray."""
        if not len(self.found):
            self.found = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        said = input_ids[:, self._asked :]
        over = torch.isin(said, self._ends.to(said.device)).any(1)
        for period in range(1, LOOP + 1):
            if said.shape[1] >= (run := _run(period, self._most)):
                tail = said[:, -run:]
                self.found |= (tail[:, period:] == tail[:, :-period]).all(1) & ~over
        return self.found


class Stops:
    """Ends answers at texts: a stopping criterion for `generate`.

    Args:
        asked: How many tokens of each row are the question.
        stop: The texts.
        prompts: The questions, which may open thoughts.
        decode: What tokens say.
        spoken: As for `respond`.
    """

    def __init__(
        self,
        asked: int,
        stop: Sequence[str],
        prompts: Sequence[str],
        decode: Callable[[torch.Tensor], str],
        spoken: Callable[[str, str], str],
    ) -> None:
        self._asked, self._stop, self._prompts = asked, tuple(stop), tuple(prompts)
        self._decode, self._spoken = decode, spoken
        self._tail = max(map(len, stop)) + 4  # no token says less than a part of a letter
        self._over = [False] * len(prompts)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows are over."""
        for row, said in enumerate(input_ids[:, self._asked :]):
            tail = self._decode(said[-self._tail :])
            # Trailing spaces are not decoded: what follows them tells.
            if not self._over[row] and any(one.strip() in tail for one in self._stop):
                spoken = self._spoken(self._decode(said), self._prompts[row])
                self._over[row] = any(one in spoken for one in self._stop)
        return torch.tensor(self._over, device=input_ids.device)
