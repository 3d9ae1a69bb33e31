"""Evaluations of kind `vllm`: the pair's own examples, answered by vLLM and scored as `local` scores them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le

from hpo_bench.evaluation.answering import AnswerOptions
from hpo_bench.evaluation.local import FileEvaluator
from hpo_bench.evaluation.options import EvaluatorKind, read_section
from hpo_bench.evaluation.reading.benchmark import ExampleSet
from hpo_bench.evaluation.registry import read_own
from hpo_bench.evaluation.serving.generation import ServedGeneration
from hpo_bench.evaluation.serving.model import ServedModel
from hpo_bench.evaluation.serving.process import find_python
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from landscapes.written import Count, Number, Text

LONGEST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmOptions(AnswerOptions):
    """What an evaluation of kind `vllm` may say.

    Attributes:
        python: One that has vLLM, where this one has none.
        dtype: Of its arithmetic.
        tensor_parallel: Over how many GPUs.
        gpu_memory: Which share of one it takes.
        max_model_len: Tokens of question and answer; by default as many as there is room for.
        eager: Whether it computes without graphs.
        batch_invariant: Whether answers must not depend on company.
        seconds: How long an evaluation may take.
        engine: Further options of vLLM's own.
    """

    python: Text | None = None
    dtype: Literal["stored", "float32", "bfloat16", "float16"] = "stored"
    tensor_parallel: Count = 1
    gpu_memory: Annotated[Number, Ge(0.01), Le(1.0)] | None = None
    max_model_len: Count | None = None
    eager: bool | None = None
    batch_invariant: bool = False
    seconds: Annotated[Number, Ge(0.1), Le(LONGEST)] = 3600.0
    engine: Mapping[str, Any] = field(default_factory=dict)


class VllmEvaluator(FileEvaluator):
    """Scores what vLLM answers with a live model's weights to examples from a file.

    Args:
        benchmark: Both splits, and how they were understood.
        scorer: What answers and scores.
        served: The model that answers.

    Attributes:
        served: The same.
        generation: What asks it.
    """

    def __init__(self, benchmark: ExampleSet, scorer: ServedGeneration, served: ServedModel) -> None:
        super().__init__(benchmark, scorer)
        self.served, self.generation = served, scorer

    @property
    def backend(self) -> Mapping[str, str]:
        """What computes answers, by name."""
        return self.served.backend


@EvaluatorKind
def open_kind(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], VllmEvaluator]:
    """Read `VllmOptions`; what is returned opens the evaluator of kind `vllm`.

    Raises:
        UsageError: If there is no vLLM, or an option is unknown or makes no sense.
        EvaluationError: Once opened, if vLLM cannot load the VLM, or the judge does not answer.
    """
    given = read_section(pair, options, VllmOptions)
    own: dict[str, Any] = {"tensor_parallel_size": given.tensor_parallel, "max_model_len": given.max_model_len or -1}
    if given.gpu_memory is not None:
        own["gpu_memory_utilization"] = given.gpu_memory
    if given.eager is not None:
        own["enforce_eager"] = given.eager
    environment = {"VLLM_BATCH_INVARIANT": "1"} if given.batch_invariant else {}
    runs_it = find_python(given.python, pair.folder)

    def opened(loaded: LoadedPair) -> VllmEvaluator:
        benchmark = read_own(pair)
        most = max((len(example.images) for example in benchmark.examples), default=0)
        stored = None if loaded.alignment is None else loaded.alignment.stored_dtype
        model = ServedModel(
            loaded,
            python=runs_it,
            options={
                "dtype": str(stored).removeprefix("torch.") if given.dtype == "stored" else given.dtype,
                "limit_mm_per_prompt": {"image": most},
                **_beside(loaded, own),
                **own,
                **given.engine,
            },
            seconds=given.seconds,
            environment={**environment, **_threads(), **_devices(loaded, own)},
        )
        scorer = ServedGeneration(model, given.prompts(loaded), given.scores(), **given.decoding)
        model.open()
        return VllmEvaluator(benchmark, scorer, model)

    return opened


def _beside(loaded: LoadedPair, own: Mapping[str, Any]) -> dict[str, float]:
    """The share of a GPU that a live pair on it leaves to the engine."""
    device = getattr(loaded.vlm, "device", torch.device("cpu"))
    if device.type != "cuda" or "gpu_memory_utilization" in own:
        return {}
    free, whole = torch.cuda.mem_get_info(device)
    return {"gpu_memory_utilization": round(0.9 * free / whole, 3)}


def _threads() -> dict[str, str]:
    """As many threads as this worker has, where vLLM computes on the CPU: by itself it binds one to every core."""
    own = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return {} if "VLLM_CPU_OMP_THREADS_BIND" in os.environ else own


def _devices(loaded: LoadedPair, own: Mapping[str, Any]) -> dict[str, str]:
    """The worker's own GPU, where the live pair is on one; else whatever there is."""
    device = getattr(loaded.vlm, "device", torch.device("cpu"))
    if device.type != "cuda" or own["tensor_parallel_size"] > 1:
        return {}
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": seen.split(",")[device.index or 0] if seen else str(device.index or 0)}
