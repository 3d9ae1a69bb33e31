"""What injection does to single questions: pictures, questions, and the answers before and after the merge."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.examples import Example, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.metrics import ByRule, exact_match
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.find import as_pair
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


def before_after(
    pair: str | Path | Pair, method: str = "ta", *, each: int = 5, seed: int = 0, **parameters: float
) -> Injection:
    """Merge a pair in memory, and put the same test questions to the VLM as it was and to the merge.

    Args:
        pair: What to merge, or what `load_pair` finds it by.
        method: The merge method, as of `merge`.
        each: How many questions of each category, drawn at random and not by what was answered.
        seed: Of the draw.
        **parameters: The method's hyperparameters.

    Returns:
        Questions and both answers; in a notebook a table with the pictures.

    Raises:
        UsageError: If there is no such pair, or the setting makes no sense.
        MergeError: If the pair cannot be merged.
        EvaluationError: If a model's answers are endless.

    Examples:
        >>> before_after("ja-llama", vl_weight=0.6, exp_weight=0.8)  # doctest: +SKIP
    """
    setting = MergeSetting(method, **parameters)
    found = as_pair(pair)
    loaded = LoadedPair.load(found)
    shown = _drawn(of_split(read_own(found).examples, "test"), each, np.random.default_rng(seed))
    asks, resident = Generation(Prompts(loaded.processor), ByRule(exact_match), max_new_tokens=12), Resident(loaded)
    answers = []
    for weights in (MergeSetting("ta", 1.0, 0.0), setting):
        resident.merge(weights)
        answers.append(asks.evaluate(loaded.vlm, shown).responses)
    return Injection(found.name, setting, tuple(BeforeAfter(*one) for one in zip(shown, *answers, strict=True)))


def _drawn(examples: Sequence[Example], each: int, rng: np.random.Generator) -> list[Example]:
    chosen = []
    for category in sorted({example.category for example in examples}, reverse=True):
        mine = [example for example in examples if example.category == category]
        chosen += [mine[i] for i in rng.choice(len(mine), min(each, len(mine)), replace=False)]
    return chosen


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
