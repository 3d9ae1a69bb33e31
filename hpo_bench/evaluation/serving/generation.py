"""Greedy answers by a serving engine, scored as `Generation` scores them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.decoding.endings import before_end, cut, loop_end
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.metrics import Scores
from hpo_bench.evaluation.preflight import Dialogue
from hpo_bench.evaluation.serving.engine import Prompt, VllmEngine


class ServedGeneration(Generation):
    """Lets a serving engine answer, and scores what it says as `Generation` does.

    Args:
        model: In the engine.
        prompts: Frames questions as the model was trained to read them.
        scores: What scores responses.
        options: How answers end, as for `Generation`.

    Attributes:
        model: The same.
    """

    def __init__(self, model: VllmEngine, prompts: Prompts, scores: Scores, **options: Any) -> None:
        super().__init__(prompts, scores, **options)
        self.model = model

    def respond(self, model: Any, examples: Sequence[Example]) -> tuple[list[str], NDArray[np.bool_]]:
        """What the engine says to each example with a live model's weights; which answers were cut as endless.

        Raises:
            EvaluationError: If the engine fails, answers with other weights, or with numbers that are none.
        """
        self.model.follow(model)
        ends = self.prompts.ends(model)
        responses, endless = [""] * len(examples), np.zeros(len(examples), dtype=bool)
        places = list(range(len(examples)))
        for stop in dict.fromkeys([self._stop, ()]):
            answers = self._asked_for(model, [examples[i] for i in places], stop)
            again = []
            for place, answer in zip(places, answers, strict=True):
                tokens = before_end(answer["tokens"], ends)
                end = loop_end(tokens, most=self._max_new_tokens)
                prompt = self._text(examples[place])
                spoken = self._spoken(self.prompts.decode(tokens[:end]), prompt)
                # In thoughts, and in the spaces before an answer, nothing ends it.
                if stop and end is None and answer["stopped"] in stop and not any(one in spoken for one in stop):
                    again.append(place)
                responses[place], endless[place] = cut(spoken, self._stop), end is not None
            places = again
            if not places:
                break
        return responses, endless

    def prompts_of(self, examples: Sequence[Example]) -> list[Prompt]:
        """Examples as an engine is asked them."""
        return [(self.prompts.tokens(example), example.images) for example in examples]

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What the engine says, in company and alone, and how far that is what transformers' `generate` says."""
        told = super().dialogue(model, examples)
        theirs, _ = self.generated(model, examples, batch_size=1)
        others = [i for i, (one, other) in enumerate(zip(told.said, theirs, strict=True)) if one != other]
        shown = (
            f", such as that to {examples[others[0]].id!r}: {told.said[others[0]][:60]!r} instead of "
            f"{theirs[others[0]][:60]!r}" if others else ""
        )  # fmt: skip
        note = f"{len(others)} of {len(examples)} answers differ from those of transformers' generate{shown}"
        notes = (*told.notes, note, *self._read_otherwise(model, examples))
        return replace(told, notes=notes, alone="`batch_invariant: true` (on GPUs) or `engine: {max_num_seqs: 1}`")

    def _read_otherwise(self, model: Any, examples: Sequence[Example]) -> tuple[str, ...]:
        """Says so where the engine reads a prompt in other tokens than the VLM's processor makes of it."""
        answers = self.model.ask(self.prompts_of(examples), {"max_tokens": 1}, echo=True)
        for example, answer in zip(examples, answers, strict=True):
            ours = self.prompts.ask(model, [example]).inputs["input_ids"][0].tolist()
            if ours != answer["prompt"]:
                return (
                    f"the engine reads example {example.id!r} as {len(answer['prompt'])} tokens, and the VLM's "
                    f"processor makes {len(ours)} others of it",
                )
        return ()

    def _asked_for(self, model: Any, examples: Sequence[Example], stop: Sequence[str]) -> list[Mapping[str, Any]]:
        sampling = {"max_tokens": self._max_new_tokens, "stop_token_ids": list(self.prompts.ends(model))}
        answers = self.model.ask(self.prompts_of(examples), {**sampling, **({"stop": list(stop)} if stop else {})})
        if not all(answer["finite"] for answer in answers):
            raise EvaluationError("the merged model's logits are not finite (NaN or infinite)", kind="nan-logits")
        return answers
