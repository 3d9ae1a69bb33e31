"""A few questions before anything is paid for: what is asked, what the model says, and whether company changes it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.asking.thoughts import opened_by
from hpo_bench.evaluation.base import Answers, Batched, Evaluator, checked
from hpo_bench.evaluation.examples import SPLITS, Example

HANDFUL = 8
ALONE = "`batch_size: 1`"
SINGLE_SECONDS = 60.0
"""For so long an evaluator is asked again about single examples."""


@dataclass(frozen=True, slots=True)
class PreflightAnswer:
    """One question and what became of it.

    Attributes:
        example: The example's id.
        prompt: What the model read; the plain question where the evaluator asks in a way of its own.
        right: The right answer.
        said: What the model said; empty where the evaluator does not tell.
        score: In [0, 1].
    """

    example: str
    prompt: str
    right: str
    said: str
    score: float


@dataclass(frozen=True, slots=True)
class Preflight:
    """How a model did on a handful of examples.

    Attributes:
        answers: One an example.
        manner: How the questions were put, for a sentence; empty if the evaluator does not tell.
        notes: What a user should know before going on.
        dollars: What judges and other paid services charged for it.
        backend: What computed it, by name: the device, the dtype, the kind of attention, and the size of batches.
    """

    answers: tuple[PreflightAnswer, ...]
    manner: str
    notes: tuple[str, ...]
    dollars: float = 0.0
    backend: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Dialogue:
    """What an evaluator of ours tells of some examples.

    Attributes:
        prompts: What the model reads, one text an example.
        said: What it says when it answers freely.
        batched: What its scores rest on, when examples share batches; one thing an example that can be compared.
        single: The same when each is asked by itself.
        manner: How the questions are put, for a sentence.
        notes: What a user should know.
        alone: The option under `evaluation` by which each example is asked by itself.
    """

    prompts: Sequence[str]
    said: Sequence[str]
    batched: Sequence[Any]
    single: Sequence[Any]
    manner: str
    notes: tuple[str, ...] = ()
    alone: str = ALONE


@runtime_checkable
class Outspoken(Protocol):
    """An evaluator that tells what it asks and what is said."""

    def check(self, examples: Sequence[Example]) -> None:
        """See that every example can be asked, without asking.

        Raises:
            EvaluationError: If some cannot.
        """
        ...

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """Ask about some examples, in batches and one by one.

        Raises:
            EvaluationError: If they cannot be asked about.
        """
        ...


@runtime_checkable
class Backed(Protocol):
    """An evaluator whose answers are computed elsewhere than by the live model.

    Attributes:
        backend: What computes them, by name: the device, the dtype, and the program.
    """

    @property
    def backend(self) -> Mapping[str, str]:
        """What computes answers."""
        ...


def handful(examples: Sequence[Example], count: int = HANDFUL) -> tuple[Example, ...]:
    """Some examples of different lengths and numbers of pictures, always the same ones."""
    order = sorted(examples, key=lambda one: (len(one.images), len(one.question), one.id))
    places = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)) if order else []
    return tuple(order[place] for place in places)


def run_preflight(
    evaluator: Evaluator,
    model: Any,
    evaluate: Callable[[Sequence[Example]], Answers],
    ids: Sequence[str] = (),
) -> Preflight:
    """Score a handful of validation examples, and check that each is answered as it is without the others.

    All others must at least be such as can be asked, where the evaluator can tell and no examples are named.

    Args:
        evaluator: What scores.
        model: Whom.
        evaluate: Scores examples by the evaluator; what it raises is passed on.
        ids: Of the examples; a handful of different lengths by default.

    Raises:
        EvaluationError: If there is no score to be had, or answers depend on which examples are asked together.
    """
    backend = backend_of(model, evaluator)
    every = [example for split in SPLITS for example in evaluator.examples(split)]
    if isinstance(evaluator, Outspoken) and not ids:
        evaluator.check(every)
    # Those that are named may be any that were tuned on, which need not be on one side of the split.
    examples = [one for one in every if one.id in ids] if ids else handful(evaluator.examples("validation"))
    told = evaluator.dialogue(model, examples) if isinstance(evaluator, Outspoken) else None
    scored = evaluate(examples)
    dollars = scored.dollars
    if told is None:
        single = _one_by_one(examples, evaluate)
        dollars += sum(one.dollars for one in single)
        told = Dialogue(
            prompts=[example.question for example in examples],
            said=scored.responses or [""] * len(examples),
            batched=_told(scored)[: len(single)],
            single=[_told(one)[0] for one in single],
            manner="",
            alone=ALONE if isinstance(evaluator, Batched) else "",
        )
    notes = [*told.notes, *_company(examples, told, backend.get("dtype", "float32"))]
    if not scored.responses and (opened := {opened_by(prompt) for prompt in told.prompts} - {""}):
        notes.append(
            f"the chat template opens thoughts ({min(opened)}) before the answer: right answers are compared with what "
            "follows at once; take a template that does not, or `generate: true` with room for them in `max_new_tokens`"
        )
    answers = tuple(
        PreflightAnswer(example.id, prompt, example.answer, said, float(score))
        for example, prompt, said, score in zip(examples, told.prompts, told.said, scored.scores, strict=True)
    )
    if answers and not any(answer.score for answer in answers):
        notes.append(
            f"none of these {len(answers)} answers scores anything: see that they are asked and compared rightly"
        )
    return Preflight(answers, told.manner, tuple(notes), dollars, backend)


def backend_of(model: Any, evaluator: Evaluator) -> dict[str, str]:
    """What of a machine and a library decides the last bits of answers, and with them some answers.

    Args:
        model: A Hugging Face model, or anything; what it does not tell is left out.
        evaluator: Whose batches are told where it has any.
    """
    if isinstance(evaluator, Backed):
        return dict(evaluator.backend)
    device, dtype = getattr(model, "device", None), getattr(model, "dtype", None)
    attention = getattr(getattr(model, "config", None), "_attn_implementation", None)
    found = {
        "device": torch.cuda.get_device_name(device) if getattr(device, "type", "") == "cuda" else device,
        "dtype": None if dtype is None else str(dtype).removeprefix("torch."),
        "attention": attention,
        "batch_size": evaluator.batch_size if isinstance(evaluator, Batched) else None,
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _one_by_one(examples: Sequence[Example], evaluate: Callable[[Sequence[Example]], Answers]) -> list[Answers]:
    end, found = time.monotonic() + SINGLE_SECONDS, []
    for example in examples:
        found.append(checked(evaluate([example]), [example]))
        if time.monotonic() > end:
            break
    return found


def _told(scored: Answers) -> Sequence[Any]:
    """What there is of each example to compare: its score, and the response if there is one."""
    scores = scored.scores.tolist()
    return list(zip(scores, scored.responses, strict=True)) if scored.responses else scores


def _company(examples: Sequence[Example], told: Dialogue, dtype: str) -> list[str]:
    """Refuse answers that depend on company; in half precision rounding alone may change a few."""
    pairs = zip(examples, told.batched, told.single, strict=False)
    differing = [(example, one, other) for example, one, other in pairs if one != other]
    if not differing:
        return []
    example, one, other = differing[0]
    what = (
        f"{len(differing)} of {len(told.single)} examples are answered otherwise in a batch than by themselves, such "
        f"as {example.id!r}: {str(one)[:80]} in company, {str(other)[:80]} alone"
    )
    given = f"give {told.alone} under `evaluation`"
    cure = given if told.alone else "let the evaluator ask about one example at a time"
    rounded = dtype not in ("float32", "float64")
    if rounded and len(differing) <= len(told.single) / 2:
        return [f"{what}; rounding in half precision does that: {cure} to avoid it"]
    raise EvaluationError(f"{what}; {cure}, or mend it", kind="company")
