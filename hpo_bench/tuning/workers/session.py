"""A worker's session: a pair that stays in memory, merged and evaluated again and again."""

import gc
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import torch

from hpo_bench.errors import EvaluationError, MergeError, MethodError
from hpo_bench.evaluation.base import Answers, Batched, Evaluator, Following, asked
from hpo_bench.evaluation.examples import SPLITS, Example, check_sides
from hpo_bench.evaluation.preflight import HANDFUL, run_preflight
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.staleness import Repetition
from hpo_bench.evaluation.trusted import answers_of
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.metagpt import MetaGPT
from hpo_bench.merging.methods.norm_aware import NAN
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost

T = TypeVar("T")


class Merger(Protocol):
    """Writes a merge into a live model."""

    def merge(self, setting: MergeSetting) -> str:
        """Merge in place; returns the fingerprint of the weights."""
        ...


@dataclass(frozen=True, slots=True)
class PairSession:
    """A live model, what merges into it, and what scores it.

    Attributes:
        model: A Hugging Face VLM.
        merger: Writes merges into the model.
        evaluator: Scores it.
        known: See `facts`.
        repetition: Notices answers of merges before.
        loaded: The pair in memory, where the model is its VLM.
    """

    model: Any
    merger: Merger
    evaluator: Evaluator
    known: Mapping[str, Any] = field(default_factory=dict)
    repetition: Repetition = field(default_factory=Repetition)
    loaded: LoadedPair | None = None

    def facts(self) -> Mapping[str, Any]:
        """How many examples there are on each side, and whatever the opener knew."""
        return {**{side: len(self.evaluator.examples(side)) for side in SPLITS}, **self.known}

    def run(self, job: Job) -> Success | Failure:
        """Merge, then answer each split's examples, or ask a handful before anything is paid for.

        Out of memory, the evaluation is tried once more in batches of half the size; a smaller batch that worked is
        kept. Whatever else goes wrong is a failure and no score.
        """
        begin = time.perf_counter()
        merged = paid = 0.0

        def cost() -> TrialCost:
            spent = time.perf_counter() - begin
            return TrialCost(
                merge_seconds=merged or spent, eval_seconds=spent - merged if merged else 0.0, dollars=paid
            )

        try:
            fingerprint = self.merger.merge(job.setting)
            self._settle()
            merged = time.perf_counter() - begin

            def answer(examples: Sequence[Example]) -> Answers:
                nonlocal paid
                found = answers_of(self.model, self.evaluator, examples, merge=job.setting)
                paid += found.dollars  # at once: what fails later has been paid for all the same
                return found

            if job.preflight:
                preflight, note = self._with_room(
                    HANDFUL, lambda: run_preflight(self.evaluator, self.model, answer, job.examples)
                )
                return Success({}, fingerprint, cost(), note, preflight)
            answers, notes = {}, []
            for split in job.splits:
                examples = asked(self.evaluator, split, job.tuned_on)
                answers[split], note = self._with_room(len(examples), partial(answer, examples))
                proven = isinstance(self.evaluator, Following)
                repeated = self.repetition.see(job.setting, answers[split], proven=proven)
                notes += [one for one in (note, repeated) if one]
            return Success(answers, fingerprint, cost(), "; ".join(notes))
        except (Exception, SystemExit) as error:  # whatever a user's evaluator or a broken device may raise, or call
            paid += getattr(error, "dollars", 0.0)
            failed = replace(failure_of(error), cost=cost())
        # Only out of the handler are the error's frames, and with them the tensors of a full device, let go.
        self._make_room()
        return failed

    def _with_room(self, most: int, evaluate: Callable[[], T]) -> tuple[T, str]:
        """Evaluate at most so many examples, out of memory once more in smaller batches; what to tell of that."""
        size = min(self.evaluator.batch_size, most) if isinstance(self.evaluator, Batched) else 1
        try:
            return evaluate(), ""
        except Exception as error:
            if not out_of_memory(error) or not isinstance(self.evaluator, Batched) or size < 2:
                raise
        self._make_room()
        self.evaluator.batch_size = size // 2
        return evaluate(), f"ran out of memory with batches of {size}, answered in batches of {size // 2}"

    def _settle(self) -> None:
        # Devices work behind the clock's back.
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def _make_room(self) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the machine, had too little memory."""
    if isinstance(error, EvaluationError):
        return error.kind == "out-of-memory"
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "not enough memory" in str(error)
    )


def failure_of(error: BaseException) -> Failure:
    """An error as a failure, its traceback as the details."""
    if out_of_memory(error):
        kind = "out-of-memory"
    elif isinstance(error, EvaluationError):
        kind = error.kind
    else:
        kind = "method" if isinstance(error, MethodError) else "merge" if isinstance(error, MergeError) else "raised"
    first = next((line for line in str(error).splitlines() if line.strip()), "no message")
    named = first if isinstance(error, EvaluationError | MergeError) else f"{type(error).__name__}: {first}"
    return Failure(kind, named, "".join(traceback.format_exception(error)))


COEFFICIENTS = {"nan": NAN().coefficients, "metagpt": MetaGPT().coefficients}
"""Methods that find coefficients for Task Arithmetic without an evaluation, to begin a search with."""


@dataclass(frozen=True, slots=True)
class PairOpener:
    """Opens sessions on a pair.

    Attributes:
        pair: What to merge.
        mask_seed: Seed of DARE's masks.
        threads: CPU threads of each worker.
        coefficients: Of which keys of `COEFFICIENTS` the session should know the coefficients.
        trust_remote_code: Whether the user allows code that comes with the VLM to run.
    """

    pair: Pair
    mask_seed: int = 0
    threads: int = 1
    coefficients: tuple[str, ...] = ()
    trust_remote_code: bool = False

    def __call__(self, device: str) -> PairSession:
        """Load the pair to a device and open its evaluator.

        Raises:
            MergeError: If the models cannot be loaded or do not fit together.
            UsageError: If the evaluation cannot be opened.
        """
        torch.set_num_threads(self.threads)
        loaded = LoadedPair.load(self.pair, device=device, trust_remote_code=self.trust_remote_code)
        evaluator = open_evaluator(self.pair, loaded)
        check_sides([one for split in SPLITS for one in evaluator.examples(split)], SPLITS, self.pair.name)
        known: Mapping[str, Any] = {"coefficients": self._coefficients(loaded)} if self.coefficients else {}
        merger = Resident(loaded, mask_seed=self.mask_seed)
        merger.self_test()
        return PairSession(loaded.vlm, merger, evaluator, known, loaded=loaded)

    def _coefficients(self, loaded: LoadedPair) -> dict[str, tuple[float, float]]:
        vectors = TaskVectors.of(loaded)
        return {name: COEFFICIENTS[name](vectors) for name in self.coefficients}
