"""Where answers end: at texts, and where they repeat themselves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

LOOP, TURNS = 6, 5
"""A response is endless when its last tokens are one block of at most so many tokens, so many times over."""


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of some texts in it."""
    ends = [place for one in stop if (place := text.find(one)) >= 0]
    return text[: min(ends)].strip() if ends else text


def loop_end(tokens: Sequence[int]) -> int | None:
    """Where an answer is cut for repeating itself, as `Loops` cuts it while it is written; None where it does not."""
    said, ends = np.asarray(tokens), []
    for period in range(1, LOOP + 1):
        need = period * (TURNS - 1)  # so many tokens in a row equal those a period before
        if len(said) >= period * TURNS:
            alike = np.concatenate([[0], np.cumsum(said[period:] == said[:-period])])
            found = np.flatnonzero(alike[need:] - alike[:-need] == need)
            ends += [int(found[0]) + need + period] if len(found) else []
    return min(ends, default=None)


class Loops:
    """Ends answers that repeat themselves: a stopping criterion for `generate`.

    Args:
        asked: How many tokens of each row are the question.
        ends: Tokens that end an answer or stand behind its end.

    Attributes:
        found: Which rows were ended, of shape (batch,).
    """

    def __init__(self, asked: int, ends: Sequence[int]) -> None:
        self._asked, self._ends = asked, torch.tensor(sorted(set(ends)))
        self.found = torch.zeros(0, dtype=torch.bool)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows have gone astray."""
        if not len(self.found):
            self.found = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        said = input_ids[:, self._asked :]
        over = torch.isin(said, self._ends.to(said.device)).any(1)
        for period in range(1, LOOP + 1):
            if said.shape[1] >= period * TURNS:
                tail = said[:, -period * TURNS :].reshape(len(said), TURNS, period)
                self.found |= (tail == tail[:, :1]).flatten(1).all(1) & ~over
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
