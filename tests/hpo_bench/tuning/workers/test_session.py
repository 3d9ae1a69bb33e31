"""What can go wrong with a merge and its evaluation, on a real live model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example, Split
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.trial import Failure, Job, Success
from hpo_bench.tuning.workers.session import PairSession, failure_of

EXAMPLES = tuple(Example(f"e{i}", "skill", "?", (), "!") for i in range(8))
JOB = Job("trial 0", MergeSetting("ta", 0.5, 0.5))


class Model(torch.nn.Module):
    """A head and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(2, 3)

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head


class Merger:
    def merge(self, setting: MergeSetting) -> str:
        return "fingerprint"


@dataclass
class Scripted:
    """Evaluates as a test says."""

    act: Callable[[Any, Sequence[Example], int], Answers]
    batch_size: int = 100

    def examples(self, split: Split) -> Sequence[Example]:
        return EXAMPLES if split == "validation" else EXAMPLES[:3]

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        return self.act(model, examples, self.batch_size)


def right(model: Any, examples: Sequence[Example], size: int) -> Answers:
    model.head(torch.ones(1, 2))
    return Answers.of(examples, np.ones(len(examples)), dollars=0.25)


def run(act: Callable[..., Answers], job: Job = JOB, model: Model | None = None) -> Success | Failure:
    return PairSession(model or Model(), Merger(), Scripted(act)).run(job)


def failed(act: Callable[..., Answers], **options: Any) -> Failure:
    result = run(act, **options)
    assert isinstance(result, Failure)
    return result


@pytest.mark.parametrize("proven", [False, True])
def test_answers_of_one_merge_for_all_are_noted_and_then_a_failure_unless_they_are_proven(proven: bool) -> None:
    def same(model: Any, examples: Sequence[Example], size: int) -> Answers:
        return Answers.of(examples, np.arange(len(examples)) % 2.0, [f"{'word ' * 40}{one.id}" for one in examples])

    evaluator = Scripted(same)
    if proven:
        evaluator.follows_weights = True
    session = PairSession(Model(), Merger(), evaluator)
    settings = [MergeSetting("ta", 0.2 + 0.3 * i, 0.5) for i in range(3)]
    first, second, third = (session.run(Job(f"trial {i}", setting)) for i, setting in enumerate(settings))
    assert isinstance(first, Success)
    assert isinstance(second, Success)
    assert first.note == ""
    assert "2 different merges in a row gave all 8 answers alike" in second.note
    if proven:
        assert isinstance(third, Success)
        assert "3 different merges in a row" in third.note
    else:
        assert isinstance(third, Failure)
        assert third.kind == "stale"


def test_each_split_is_answered_and_paid() -> None:
    result = run(right, Job("test", JOB.setting, ("validation", "test")))
    assert isinstance(result, Success)
    assert {split: len(answers) for split, answers in result.answers.items()} == {"validation": 8, "test": 3}
    assert (result.fingerprint, result.cost.dollars) == ("fingerprint", 0.5)


def test_out_of_memory_is_tried_once_more_with_half_the_batch() -> None:
    sizes = []

    def full(model: Any, examples: Sequence[Example], size: int) -> Answers:
        sizes.append(size)
        if size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return right(model, examples, size)

    result = run(full)
    assert isinstance(result, Success)
    assert sizes == [100, 4]
    assert "batches of 8, answered in batches of 4" in result.note


def test_out_of_memory_twice_is_a_failure() -> None:
    def full(*_: Any) -> Answers:
        raise torch.OutOfMemoryError("CUDA out of memory")

    result = failed(full)
    assert (result.kind, result.cost.merge_seconds > 0) == ("out-of-memory", True)
    assert "test_session.py" in result.details


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_a_failure(value: float) -> None:
    model = Model()
    with torch.no_grad():
        model.head.weight[0, 0] = value
    assert failed(right, model=model).kind == "nan-logits"
    assert not model.head._forward_hooks


def test_what_an_evaluator_raises_is_a_failure_with_its_traceback() -> None:
    def broken(*_: Any) -> Answers:
        raise ZeroDivisionError("division by zero")

    result = failed(broken)
    assert (result.kind, result.reason) == ("raised", "ZeroDivisionError: division by zero")
    assert "in broken" in result.details


def test_an_evaluator_that_calls_exit_takes_no_worker_with_it() -> None:
    def leave(model: Any, examples: Sequence[Example], size: int) -> Answers:
        raise SystemExit(3)

    failure = failed(leave)
    assert (failure.kind, failure.reason) == ("raised", "SystemExit: 3")
    assert "leave" in failure.details, "where it was called"


def test_no_failure_tells_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_JUDGE_KEY", "hunter2-and-more")
    said = "no answer from https://me:hunter2@host/v1?api_key=hunter2 with 'Authorization': 'Bearer hunter2-x'"
    for told in (said, "illegal header b'Bearer hunter2-and-more\\n'", "the key hunter2-and-more is refused"):
        failure = failure_of(ValueError(told))
        assert "hunter2" not in failure.reason + failure.details
        assert "ValueError" in failure.reason
        assert "***" in failure.details


def test_failures_keep_their_kind() -> None:
    def judged(*_: Any) -> Answers:
        raise EvaluationError("the judge does not answer", kind="judge")

    assert failed(judged).kind == "judge"


@pytest.mark.parametrize(
    "answers",
    [
        None,
        0.7,
        Answers.of(EXAMPLES[::-1], np.ones(8)),
        Answers.of(EXAMPLES, np.ones(7)),
        Answers.of(EXAMPLES, np.full(8, np.nan)),
        Answers.of(EXAMPLES, np.linspace(0, 1.1, 8)),
        Answers.of(EXAMPLES, np.ones(8), ("yes",)),
        Answers.of(EXAMPLES, np.ones(8), dollars=-1.0),
        Answers.of(EXAMPLES, np.ones(8), dollars="1"),  # pyright: ignore[reportArgumentType]
        Answers.of(EXAMPLES, np.ones(8), [None] * 8),  # pyright: ignore[reportArgumentType]
        replace(Answers.of(EXAMPLES, np.ones(8)), responses=None),
        replace(Answers.of(EXAMPLES, np.ones(8)), categories=("skill",)),
        replace(Answers.of(EXAMPLES, np.ones(8)), categories=tuple(range(8))),
    ],
)
def test_nonsense_is_a_failure(answers: Any) -> None:
    assert failed(lambda *_: answers).kind == "nonsense"


def test_nonsense_that_was_paid_for_counts() -> None:
    assert failed(lambda *_: Answers.of(EXAMPLES, np.full(8, 2.0), dollars=0.5)).cost.dollars == 0.5

    def not_finite(model: Any, examples: Sequence[Example], size: int) -> Answers:
        model.head(torch.full((1, 2), torch.nan))
        return right(model, examples, size)

    failure = failed(not_finite)
    assert (failure.kind, failure.cost.dollars) == ("nan-logits", 0.25)


def test_questions_before_the_first_trial_that_are_refused_were_paid_for() -> None:
    def by_company(model: Any, examples: Sequence[Example], size: int) -> Answers:
        return Answers.of(examples, np.full(len(examples), 1 / len(examples)), dollars=0.5 * len(examples))

    failure = run(by_company, replace(JOB, preflight=True))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.cost.dollars) == ("company", 8.0), "all eight at once, and each of them alone"


def test_lists_are_taken_for_tuples_and_numbers_for_floats() -> None:
    texts = {name: [getattr(one, field) for one in EXAMPLES] for name, field in (("ids", "id"), ("categories", "id"))}
    given = replace(Answers.of(EXAMPLES, np.ones(8)), **texts, dollars=np.float32(0.5))
    result = run(lambda *_: given)
    assert isinstance(result, Success)
    assert result.answers["validation"].ids == tuple(one.id for one in EXAMPLES)
    assert type(result.cost.dollars) is float
