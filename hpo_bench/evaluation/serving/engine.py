"""A serving engine that is asked prompts, whatever model it holds."""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.reading.pictures import opened
from hpo_bench.evaluation.serving.process import EngineProcess

START_SECONDS = 1800.0
"""How long an engine may take to load a model and compile its kernels."""
Prompt = tuple[list[int], Sequence[bytes]]
"""Tokens, with one for each picture, and the pictures."""


class VllmEngine(ABC):
    """vLLM in a process of its own.

    Args:
        python: Who runs it.
        options: Its own, by its names.
        seconds: How long it may take for one evaluation.
        environment: Variables for its process.

    Attributes:
        backend: What computes answers, by name; empty before it was started.
    """

    def __init__(
        self, *, python: str, options: Mapping[str, Any], seconds: float, environment: Mapping[str, str] | None = None
    ) -> None:
        self._python, self._options, self._seconds = python, dict(options), seconds
        self._environment = dict(environment or {})
        self._process: EngineProcess | None = None
        self._shown: set[str] = set()
        self.backend: Mapping[str, str] = {}

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and self._process.alive

    def start(self, folder: Path, *, descriptors: tuple[int, ...] = (), **weights: Any) -> None:
        """Load a model, in a new process unless there is one.

        Args:
            folder: With its configuration, tokenizer and processor; and its weights, unless those are elsewhere.
            descriptors: What a new process inherits.
            weights: Where they are; see `serve_vllm.py`.

        Raises:
            EvaluationError: If it cannot.
        """
        if self._process is None or not self._process.alive:
            self._process = EngineProcess(
                self._python, seconds=self._seconds, descriptors=descriptors, environment=self._environment
            )
        told = self.call(do="open", within=START_SECONDS, model=str(folder), options=self._options, **weights)
        self.backend = {"engine": f"vLLM {told['version']}", "device": told["device"], "dtype": told["dtype"]}
        self._shown.clear()

    @abstractmethod
    def follow(self, model: Any) -> None:
        """Have a live model's weights, and prove it."""

    def ask(
        self, prompts: Sequence[Prompt], sampling: Mapping[str, Any], *, echo: bool = False
    ) -> list[Mapping[str, Any]]:
        """Let it answer greedily.

        Args:
            prompts: What is asked.
            sampling: Where answers end, as vLLM's `SamplingParams` has it.
            echo: Whether to tell as what tokens each prompt was read.

        Returns:
            Of each answer its `tokens`, whether they are of numbers (`finite`), and what text `stopped` it.

        Raises:
            EvaluationError: If it fails.
        """
        named = [(tokens, [self._show(picture) for picture in pictures]) for tokens, pictures in prompts]
        asked = [{"tokens": tokens, "pictures": names} for tokens, names in named]
        return self.call(do="ask", prompts=asked, sampling=dict(sampling), prompts_too=echo)

    def call(self, **message: Any) -> Any:
        """Send a message, as `EngineProcess.call` does."""
        if self._process is None:
            raise EvaluationError("the engine was not started")
        return self._process.call(**message)

    def end(self) -> None:
        """End its process."""
        if self._process is not None:
            self._process.end()

    def _show(self, picture: bytes) -> str:
        name = hashlib.sha256(picture).hexdigest()[:32]
        if name not in self._shown:
            file = BytesIO()
            opened(picture).save(file, "PNG", compress_level=1)
            self.call(do="show", pictures={name: base64.b64encode(file.getvalue()).decode()})
            self._shown.add(name)
        return name
