"""What injection does to single questions: pictures, questions, and the answers before and after the merge."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from transformers.utils.logging import disable_progress_bar

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.examples import Example, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting

PIXELS = 72
"""How large pictures are shown."""


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """A question, and what was answered.

    Attributes:
        example: Question, pictures and the right answer.
        before: What the VLM as it was said.
        after: What the merge said.
    """

    example: Example
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Injection:
    """A merge beside the VLM that it came from, question by question.

    Attributes:
        pair: Name of the pair.
        setting: The merge.
        asked: Some test questions of each category.
    """

    pair: str
    setting: MergeSetting
    asked: tuple[BeforeAfter, ...]

    def _repr_html_(self) -> str:
        """A table with pictures, for notebooks and pages."""
        rows = "".join(_row(one) for one in self.asked)
        head = "".join(f"<th>{name}</th>" for name in ("", "question", "right", "before", "after"))
        where = ", ".join(f"{name} {value:.2f}" for name, value in self.setting.parameters.items())
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{escape(self.pair)}, {self.setting.method.upper()} at {where}</p>"
        )


def look(pair: Pair, setting: MergeSetting, *, each: int = 5, seed: int = 0) -> Injection:
    """Merge a pair, and ask both models the same questions.

    Args:
        pair: The pair on disk.
        setting: The merge.
        each: How many questions of each category are shown, drawn at random and not by what was answered.
        seed: Of the draw.

    Raises:
        MergeError: If the pair cannot be loaded.
        EvaluationError: If a model's answers are endless.
    """
    disable_progress_bar()  # transformers would draw its own between ours
    loaded = LoadedPair.load(pair)
    shown = _drawn(of_split(read_own(pair).examples, "test"), each, np.random.default_rng(seed))
    asks, resident = Generation(Prompts(loaded.processor), _exact, max_new_tokens=12), Resident(loaded)
    answers = []
    for weights in (MergeSetting("ta", 1.0, 0.0), setting):
        resident.merge(weights)
        answers.append(asks.evaluate(loaded.vlm, shown).responses)
    return Injection(pair.name, setting, tuple(BeforeAfter(*one) for one in zip(shown, *answers, strict=True)))


def _drawn(examples: Sequence[Example], each: int, rng: np.random.Generator) -> list[Example]:
    chosen = []
    for category in sorted({example.category for example in examples}, reverse=True):
        mine = [example for example in examples if example.category == category]
        chosen += [mine[i] for i in rng.choice(len(mine), min(each, len(mine)), replace=False)]
    return chosen


def _exact(examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
    right = [float(_same(text, example.answer)) for example, text in zip(examples, responses, strict=True)]
    return np.array(right), 0.0


def _same(text: str, answer: str) -> bool:
    # Tokenizers put spaces between the characters of Chinese and Japanese, which have none.
    return text.replace(" ", "") == answer.replace(" ", "")


def _row(one: BeforeAfter) -> str:
    pictures = "".join(
        f'<img width="{PIXELS}" style="image-rendering:pixelated" alt="" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for png in one.example.images
    )
    question = escape(one.example.question.replace("<image>", "").strip())
    told = (
        f'<td style="color:{"#0a7d38" if _same(text, one.example.answer) else "#b3261e"}">{escape(text) or "–"}</td>'
        for text in (one.before, one.after)
    )
    return f"<tr><td>{pictures}</td><td>{question}</td><td>{escape(one.example.answer)}</td>{''.join(told)}</tr>"
