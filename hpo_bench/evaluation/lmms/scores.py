"""From what a model said to a score, by an lmms-eval task's own filters and `process_results`."""

import copy
import inspect
import io
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError, HpoBenchError, UsageError
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.lmms.coins import Coins
from hpo_bench.evaluation.lmms.documents import Document, cause_of, part
from hpo_bench.evaluation.lmms.judge import JudgeTerms, Stopped, Talk, Watch

SCORE_KEYS = ("true_false", "total_score", "final_score", "score")
"""Where tasks that return a record for a document keep its score."""
PARAGRAPH = "\n\n"
"""lmms-eval's default end of an answer, made for few-shot prompts; like its own chat models, not heeded."""
SLACK = 0.1
"""How far the metric over all documents may be from their mean: tasks round, and toss coins for unclear answers."""


@dataclass(frozen=True, slots=True)
class MetricScale:
    """How a task's metric becomes a score from 0 to 1.

    Attributes:
        metric: Its name.
        filter: Of which filter's result.
        worst: The metric's value that is 0.
        best: The metric's value that is 1.
    """

    metric: str
    filter: str
    worst: float
    best: float

    @classmethod
    def of(
        cls, task: Any, name: str, *, metric: str | None, filter_: str | None, worst: float, best: float, source: str
    ) -> "MetricScale":
        """The reading of a task, where it leaves no choice or the user made one.

        Raises:
            UsageError: If there is no such metric or filter, or which is not said.
        """
        better = task.higher_is_better()
        metrics = [one for one, higher in better.items() if higher and one != "submission"]
        filters = [ensemble.name for ensemble in task._filters]
        return cls(
            metric=_choice(metric, metrics, "metric", f"{source}: task {name!r}"),
            filter=_choice(filter_, filters, "filter", f"{source}: task {name!r}"),
            worst=worst,
            best=best,
        )

    def scaled(self, value: float, document: Document) -> float:
        """The score.

        Raises:
            EvaluationError: If the metric's value is outside of its range.
        """
        score = (value - self.worst) / (self.best - self.worst)
        if not 0 <= score <= 1:  # so that NaN is refused as well
            raise EvaluationError(
                f"{self.metric} of {document.id!r} is {value:g}, not from {self.worst:g} to {self.best:g}; if that is "
                "no mistake, say `worst` and `best`",
                kind="nonsense",
            )
        return score


class TaskScores:
    """Scores responses document by document.

    Args:
        tasks: As loaded, by name.
        readings: One for each.
        terms: What judges may cost; None if none may be asked.
    """

    def __init__(self, tasks: Mapping[str, Any], readings: Mapping[str, MetricScale], terms: JudgeTerms | None) -> None:
        self._tasks, self._readings, self._terms = dict(tasks), dict(readings), terms
        self._watch, self._coins = Watch(terms), Coins()

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores from 0 to 1, of shape (n,), and what judges were paid.

        Raises:
            EvaluationError: If a document cannot be scored, or its judge does not answer.
            UsageError: If a judge would be asked, and may not be.
        """
        documents = [example for example in examples if isinstance(example, Document)]
        with redirect_stdout(io.StringIO()), self._watch.watching(), self._coins.dealt():
            with ThreadPoolExecutor(self._at_once) as pool:
                results = list(pool.map(self._caught, documents, responses))
            paid = sum(result.dollars for result in results)
            error = next((result.error for result in results if result.error is not None), None)
            if isinstance(error, EvaluationError):
                error.dollars = paid
            if error is not None:
                raise error
            self._check_means(documents, results)
        return np.array([result.score for result in results]), paid

    def check(self, documents: Sequence[Document]) -> None:
        """Score the right answer to one document of each task, so that what cannot be scored is known at once.

        Where a judge is asked, it is asked one question.

        Raises:
            EvaluationError: If the judge does not answer, or the metric gives no score.
            UsageError: If a judge would be asked, and may not be.
        """
        first = {document.task: document for document in reversed(documents)}
        for document in first.values():
            # A sentence, as some tasks ask no judge about an answer that is right to the letter.
            self([document], [f"I think that the answer is {document.answer}."])

    @property
    def _at_once(self) -> int:
        return self._terms.parallel if self._terms else 1

    def _caught(self, document: Document, response: str) -> "_Result":
        """All are scored before the first failure is raised, so that what judges were paid is known."""
        with self._watch.document() as talk:
            try:
                return self._scored(document, response, talk)
            except Stopped as stop:
                error = stop.error
            except EvaluationError as failed:
                error = failed
            except Exception as raised:  # whatever a task's code may raise
                error = _failure(document, raised)
            return _Result(error=error, dollars=talk.dollars)

    def _scored(self, document: Document, response: str, talk: Talk) -> "_Result":
        reading = self._readings[document.task]
        key = self._key(document, response)
        known = self._terms.kept.get(*key) if self._terms else None
        if known is not None:
            return _Result(score=known)
        with self._coins.of(document.id):
            value, result = self._value(document, response, reading)
            number, record = _number(value), None
            if number is None:
                number, record = self._of_one(document, value, reading), value
        score = reading.scaled(number, document)
        _check_talk(talk, document, score, result)
        if self._terms and talk.calls:
            self._terms.kept.put(*key, score)
        return _Result(score=score, record=record, number=number, dollars=talk.dollars)

    def _value(self, document: Document, response: str, reading: MetricScale) -> tuple[Any, Mapping[str, Any]]:
        task = self._tasks[document.task]
        doc = task.eval_docs_no_media[document.number]
        stops = task.config.generation_kwargs.get("until") or ()
        for stop in [stops] if isinstance(stops, str) else stops:
            if stop and stop != PARAGRAPH:
                response = response.split(stop)[0]
        instance = part("api.instance").Instance(
            request_type="generate_until",
            arguments=(),
            idx=0,
            metadata={"task": document.task, "doc_id": document.number, "repeats": 1},
            resps=[response],
        )
        ensemble = next(one for one in task._filters if one.name == reading.filter)
        ensemble.apply([instance], [doc])
        answer = instance.filtered_resps[reading.filter]
        reasoning = part("api.reasoning")
        tags = reasoning.parse_reasoning_tags_config(task_value=getattr(task.config, "reasoning_tags", None))
        if tags is not None and isinstance(answer, str):
            answer = reasoning.strip_reasoning_tags(answer, tags)
        result = task.process_results(doc, [answer])
        if reading.metric not in result:
            raise EvaluationError(
                f"{document.task} gave no {reading.metric} for {document.id!r}, but {', '.join(result)}",
                kind="nonsense",
            )
        return result[reading.metric], result

    def _of_one(self, document: Document, record: Any, reading: MetricScale) -> float:
        """The metric over a single document, for tasks that only tell right from wrong when they aggregate."""
        number = self._aggregated(document.task, [record], reading)
        if number is None:
            raise EvaluationError(
                f"{reading.metric} of {document.task} is {str(record)[:80]!r} for a document, of which no score can be "
                "had; choose another metric or task",
                kind="nonsense",
            )
        return number

    def _aggregated(self, task: str, records: Sequence[Any], reading: MetricScale) -> float | None:
        aggregate = self._tasks[task].aggregation()[reading.metric]
        if "args" in inspect.signature(aggregate).parameters:
            return None  # it writes a file to be submitted
        return _number(aggregate(copy.deepcopy(list(records))))

    def _check_means(self, documents: Sequence[Document], results: "Sequence[_Result]") -> None:
        for name, reading in self._readings.items():
            of_task = [r for d, r in zip(documents, results, strict=True) if d.task == name and r.record is not None]
            if len(of_task) < 2:
                continue
            whole = self._aggregated(name, [result.record for result in of_task], reading)
            mean = float(np.mean([result.number for result in of_task]))
            if whole is None or abs(whole - mean) > SLACK * abs(reading.best - reading.worst):
                raise EvaluationError(
                    f"{reading.metric} of {name} is {whole} over {len(of_task)} documents and {mean:g} in the mean of "
                    "each alone: no metric by document; choose another",
                    kind="nonsense",
                )

    def _key(self, document: Document, response: str) -> tuple[str, str, str]:
        variables = ("API_TYPE", "OPENAI_API_URL", "AZURE_ENDPOINT", "MODEL_VERSION")
        judge = json.dumps([os.environ.get(name, "") for name in variables])
        reading = self._readings[document.task]
        asked = [document.task, document.own_id, document.question, document.answer, response, repr(reading)]
        return f"lmms-eval {document.task}", judge, json.dumps(asked)


@dataclass(frozen=True, slots=True)
class _Result:
    score: float = float("nan")
    number: float = float("nan")
    record: Any = None
    dollars: float = 0.0
    error: HpoBenchError | None = None


def _choice(wanted: str | None, there: Sequence[str], what: str, source: str) -> str:
    if wanted is not None:
        if wanted in there:
            return wanted
        raise UsageError(f"{source} has no {what} {wanted!r} that is better when higher; there are: {', '.join(there)}")
    if len(there) != 1:
        raise UsageError(f"{source} has {len(there)} {what}s; say which as `{what}`: {', '.join(there)}")
    return there[0]


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        return next((_number(value[key]) for key in SCORE_KEYS if key in value), None)
    return float(value) if isinstance(value, bool | int | float | np.number | np.bool_) else None


def _check_talk(talk: Talk, document: Document, score: float, result: Mapping[str, Any]) -> None:
    """Refuse a score behind which a judge, or the task's own code, failed.

    Raises:
        EvaluationError: If so.
    """
    if talk.failures:
        raise EvaluationError(f"the judge does not answer about {document.id!r}: {talk.why}", kind="judge")
    verdicts = [value.get("judgement") for value in result.values() if isinstance(value, Mapping)]
    if talk.calls and "Unclear" in verdicts:  # WildVision's word for a reply without a verdict, which it scores a tie
        raise EvaluationError(f"the judge gave no verdict on {document.id!r}", kind="judge")
    errors = [warning for warning in talk.warnings if warning.startswith(("ERROR", "CRITICAL"))]
    # A 0 that came with a warning may be a reply that could not be read.
    if errors or (talk.calls and talk.warnings and score == 0):
        said = (errors or talk.warnings)[0][:200]
        kind = "judge" if talk.calls else "raised"
        raise EvaluationError(f"lmms-eval complained when it scored {document.id!r}: {said}", kind=kind)


def _failure(document: Document, error: Exception) -> EvaluationError:
    cause = cause_of(error)
    failure = EvaluationError(f"{document.task} cannot score {document.id!r}: {type(cause).__name__}: {cause}")
    failure.__cause__ = cause
    return failure
