"""Evaluations of kind `lmms-eval`: tasks of that package or in its format, on the live model in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
from annotated_types import MinLen

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example, Split, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.judging.cache import JudgeTerms
from hpo_bench.evaluation.lmms.documents import Document, asked, documents_of, load_tasks
from hpo_bench.evaluation.lmms.scores import MetricScale, TaskScores
from hpo_bench.evaluation.options import EvaluatorKind, read_section, source
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import parse_path
from landscapes.written import Count, Number, Text, Texts

MAX_NEW_TOKENS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LmmsOptions:
    """What an evaluation of kind `lmms-eval` may say.

    Which judge is asked, and with which key, is said by the variables that lmms-eval reads: API_TYPE, OPENAI_API_KEY,
    OPENAI_API_URL, MODEL_VERSION.

    Attributes:
        tasks: A name, or a list of them.
        include_path: A folder of the pair with tasks of the user's.
        metric: Which is the score, where a task has several.
        filter: The same of filters.
        worst: The metric's value that becomes the score 0.
        best: The one that becomes 1.
        id_field: The column whose hash decides the split.
        model_name: Whose prompts are taken, where a task has prompts by model.
        max_new_tokens: A cap on the tasks' own.
        batch_size: How many documents are answered at once.
        chat_template: Whether questions go through the processor's.
        judge: What judges may cost; without it none is asked.
    """

    tasks: Annotated[Texts, MinLen(1)]
    include_path: Text | None = None
    metric: Text | None = None
    filter: Text | None = None
    worst: Number = 0.0
    best: Number = 1.0
    id_field: Text | None = None
    model_name: Text | None = None
    max_new_tokens: Count = MAX_NEW_TOKENS
    batch_size: Count = 16
    chat_template: bool = True
    judge: JudgeTerms | None = None

    def __post_init__(self) -> None:
        if self.best <= self.worst:
            raise ValueError(f"best is {self.best:g}, not above worst, {self.worst:g}")


class LmmsEval:
    """Scores the live model on tasks of lmms-eval.

    Documents, questions, filters and metrics are the tasks'; which documents are asked, how answers are decoded
    (greedily, in batches, cut where they repeat themselves) and what counts as a failure are ours. lmms-eval's
    evaluator is not run, as it can only take the head of a task's data, and keeps responses by the model's name, which
    stays the same while its weights change. Nothing is kept from one evaluation to the next but judges' verdicts, which
    are kept by the response.

    Args:
        documents: Of all tasks, both splits.
        generations: What answers and scores, by the cap on an answer's tokens.
        caps: That cap, by task.
    """

    follows_weights = True

    def __init__(
        self, documents: Sequence[Document], generations: Mapping[int, Generation], caps: Mapping[str, int]
    ) -> None:
        self._documents = tuple(documents)
        self._generations, self._caps = dict(generations), dict(caps)
        self._by_id = {document.id: document for document in documents}

    @property
    def batch_size(self) -> int:
        """How many documents are answered at once; may be lowered when memory runs out."""
        return min(generation.batch_size for generation in self._generations.values())

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        for generation in self._generations.values():
            generation.batch_size = size

    def examples(self, split: Split) -> Sequence[Example]:
        """The documents on one side of the split, without their pictures."""
        return of_split(self._documents, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Answer and score each document.

        Raises:
            EvaluationError: If a document is unknown, most answers are endless, a task's code or a judge fails, or a
                metric gives no score.
        """
        unknown = [example.id for example in examples if example.id not in self._by_id]
        if unknown:
            raise EvaluationError(f"no task has a document {unknown[0]!r}")
        caps = [self._caps[self._by_id[example.id].task] for example in examples]
        scores, responses = np.zeros(len(examples)), [""] * len(examples)
        dollars = 0.0
        for cap in sorted(set(caps)):
            members = [place for place, its in enumerate(caps) if its == cap]
            try:
                found = self._generations[cap].evaluate(model, [self._by_id[examples[i].id] for i in members])
            except EvaluationError as error:
                error.dollars += dollars
                raise
            scores[members] = found.scores
            for member, response in zip(members, found.responses, strict=True):
                responses[member] = response
            dollars += found.dollars
        return Answers.of(examples, scores, responses, dollars=dollars)


@EvaluatorKind
def open_kind(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], LmmsEval]:
    """Read `LmmsOptions`; what is returned opens the evaluator of kind `lmms-eval`.

    Raises:
        UsageError: If an option is missing, unknown or makes no sense; once opened, if lmms-eval is not installed, or a
            judge would be asked without terms.
        EvaluationError: Once opened, if a task's data or judge is not there, or it gives no score by document.
    """
    where = source(pair)
    given = read_section(pair, options, LmmsOptions)
    terms = given.judge

    def opened(loaded: LoadedPair) -> LmmsEval:
        if terms is not None:
            terms.kept.make()
        prompts = Prompts(loaded.processor, chat_template=given.chat_template)
        include = given.include_path
        folder = None if include is None else parse_path(include, pair.folder, confined=True, where=where)
        tasks = load_tasks(given.tasks, include=folder, model_name=given.model_name, source=where)
        readings = {
            name: MetricScale.of(
                task,
                name,
                metric=given.metric,
                filter_=given.filter,
                worst=given.worst,
                best=given.best,
                source=where,
            )
            for name, task in tasks.items()
        }
        documents = documents_of(tasks, id_field=given.id_field, source=where)
        scores = TaskScores(tasks, readings, terms)
        scores.check(documents)
        most = given.max_new_tokens
        caps = {
            name: min(most, task.config.generation_kwargs.get("max_new_tokens") or most) for name, task in tasks.items()
        }
        ask = partial(asked, tasks=tasks)
        generations = {
            cap: Generation(prompts, scores, batch_size=given.batch_size, max_new_tokens=cap, asked=ask)
            for cap in set(caps.values())
        }
        return LmmsEval(documents, generations, caps)

    return opened
