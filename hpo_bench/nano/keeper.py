"""What an interrupted training goes on from."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hpo_bench.files import write

_SECONDS = 60.0


class Keeper:
    """Keeps weights, the optimiser's state and the state of both random generators every minute, in one file.

    Args:
        path: The file.
        rng: The generator that batches are drawn from.
    """

    def __init__(self, path: Path, rng: np.random.Generator) -> None:
        self._path, self._rng = path, rng
        self._kept = time.monotonic()

    def restore(self, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
        """Put everything as it was kept; how many steps were done then."""
        if not self._path.exists():
            return 0
        state = torch.load(self._path, weights_only=True)
        with torch.no_grad():
            for parameter, kept in zip(parameters, state["parameters"], strict=True):
                parameter.copy_(kept)
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch"])
        self._rng.bit_generator.state = state["numpy"]
        return state["step"]

    def keep(
        self, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer, step: int, *, last: bool
    ) -> None:
        """Write it all down, if the last time is a minute ago, or no step follows."""
        if not (last or time.monotonic() - self._kept > _SECONDS):
            return
        state = {
            "parameters": [parameter.detach() for parameter in parameters],
            "optimizer": optimizer.state_dict(),
            "torch": torch.get_rng_state(),
            "numpy": self._rng.bit_generator.state,
            "step": step,
        }
        write(self._path, lambda path: torch.save(state, path))
        self._kept = time.monotonic()
