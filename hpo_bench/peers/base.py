"""What the adapters share."""

import importlib.metadata
import logging
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch

from optimizers.base import Optimizer


class Peer(Optimizer):
    """Another package's optimiser.

    A `start` is told to the peer as evaluations that it asked for itself, where it can be, and takes the place of as
    many points of its own initial design; `given` says how. A failed evaluation is told as failed where the peer knows
    what that is, and otherwise as the worst score so far (0 if there is none): a value it can work with, at which it
    will not look again.

    Points that are known from elsewhere are told to no peer, and may be asked for again. They are in the history, from
    which BoTorch's loop learns, and a peer that begins at the best of a start begins at the best of them as well.
    """

    packages: ClassVar[tuple[str, ...]]
    """Distributions that decide the trace. Their versions are settings, so that an upgraded peer is run again."""
    given: ClassVar[str]
    """What it makes of a start, in words for a table."""

    @property
    def settings(self) -> Mapping[str, object]:
        """The versions of the peer's packages."""
        return {**super().settings, "packages": self.versions()}

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Installed versions of `packages`."""
        return {package: importlib.metadata.version(package) for package in cls.packages}

    @property
    def _short_seed(self) -> int:
        """The seed for packages that take 32 bits, as numpy's older generators do; a small one as it is."""
        return self.seed % 2**32

    def _worst(self) -> float:
        """What a failed evaluation is told as."""
        scores = np.array(self._scores)
        return float(np.nanmin(scores)) if np.isfinite(scores).any() else 0.0

    def _cost(self, score: float) -> float:
        """A score for a peer that minimises; it may be NaN."""
        return -(self._worst() if np.isnan(score) else score)


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Without the warnings and log lines that the peer means for somebody else.

    Args:
        loggers: Names of loggers of which only errors shall be heard.
    """
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def global_generators(*key: int) -> Iterator[None]:
    """Python's, numpy's and PyTorch's global generators, seeded for the block and as they were after it.

    For peers that draw from them: with a key that names the run and the step, neither the user's draws nor the company
    that a run keeps have any influence.

    Args:
        key: The seed and whatever else shall decide the draws.
    """
    before = global_state()
    words = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])  # noqa: NPY002 (the global generator is what the peers use)
    torch.manual_seed(int(words[2]))
    try:
        yield
    finally:
        set_global_state(before)


def global_state() -> tuple[Any, ...]:
    """The state of the three global generators."""
    return random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002


def set_global_state(state: tuple[Any, ...]) -> None:
    """Put the three global generators into a state that `global_state` gave."""
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    torch.random.set_rng_state(state[2])
