"""A pair of random weights as large as a real one, to time on a GPU what handing a merge over takes."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.serving.evaluator import VllmEvaluator
from hpo_bench.experiments.cost.serving import settings
from hpo_bench.experiments.cost.subjects import SHAPES
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import MergeScope

NOISE = 0.05
ASKED = 64


@dataclass(frozen=True, slots=True)
class HandedOver:
    """One merge, in a serving engine.

    Attributes:
        merge: Seconds of the merge.
        load: Seconds until the engine had it, with the proof.
        answer: Seconds of the answers.
        tokens: How many tokens they had.
    """

    merge: float
    load: float
    answer: float
    tokens: int


def build(folder: Path, shape: str, device: str) -> Pair:
    """Write base, VLM and expert of random weights, in bfloat16, around the shipped pair's tokenizer and eyes.

    Args:
        folder: Where to; three models of that size.
        shape: A key of `SHAPES`; the vocabulary stays the shipped pair's.
        device: Where weights are drawn.
    """
    from transformers import AutoConfig, LlamaForCausalLM, LlavaForConditionalGeneration

    source = find_pair("ja-llama")
    shutil.copytree(source.folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "pair.yaml", "recipe.json"))
    config: Any = AutoConfig.from_pretrained(source.vlm, local_files_only=True)
    text = config.text_config
    for key, value in SHAPES[shape].items():
        if key != "vocab_size":
            setattr(text, key, value)
    text.num_key_value_heads, text.max_position_embeddings = text.num_attention_heads, 4096
    text.head_dim = text.hidden_size // text.num_attention_heads
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            vlm = LlavaForConditionalGeneration(config)
            base_text = AutoConfig.from_pretrained(source.base, local_files_only=True)
            rows, text.vocab_size = text.vocab_size, base_text.vocab_size
            base = LlamaForCausalLM(text)
            text.vocab_size = rows
    finally:
        torch.set_default_dtype(before)
    base.save_pretrained(folder / "base")
    with torch.no_grad():
        own = vlm.model.language_model.state_dict()
        for name, weight in base.model.state_dict().items():
            own[name][: len(weight)].copy_(weight + NOISE * weight.std() * torch.randn_like(weight))
        vlm.lm_head.weight[: len(base.lm_head.weight)].copy_(base.lm_head.weight)
        vlm.save_pretrained(folder / "vlm")
        del vlm, own
        for weight in base.parameters():
            weight.add_(NOISE * weight.std().nan_to_num(0.0) * torch.randn_like(weight))
    base.save_pretrained(folder / "expert")
    (folder / "pair.yaml").write_text(
        f"name: random-{shape.lower()}\nbase: base\nvlm: vlm\nexpert: expert\nexamples: examples.parquet\n"
    )
    return Pair.read(folder)


def measure(pair: Pair, *, trials: int, device: str, max_new_tokens: int) -> Iterator[HandedOver]:
    """Merge, hand over and ask some questions, each answered to the last token.

    Args:
        pair: Whose.
        trials: How many, after one that is not counted.
        device: Where merges are made.
        max_new_tokens: Tokens an answer.

    Raises:
        UsageError: If there is no vLLM.
        EvaluationError: If it fails, or is stale.
    """
    asked = replace(pair, evaluation={"kind": "vllm"}, merge=MergeScope(dtype="stored"))
    loaded = LoadedPair.load(asked, device=device)
    engine, evaluator = Resident(loaded), open_evaluator(asked, loaded)
    if not isinstance(evaluator, VllmEvaluator):
        raise UsageError("the evaluation is of another kind")
    prompts = evaluator.generation.prompts_of(evaluator.examples("validation")[:ASKED])
    sampling = {"max_tokens": max_new_tokens, "min_tokens": max_new_tokens, "ignore_eos": True}
    try:
        for turn, setting in enumerate(settings(trials + 1)):
            begin = time.perf_counter()
            engine.merge(setting)
            if device != "cpu":
                torch.cuda.synchronize()
            merged = time.perf_counter()
            evaluator.served.follow(loaded.vlm)
            there = time.perf_counter()
            answers = evaluator.served.ask(prompts, sampling)
            answered = time.perf_counter()
            if turn:
                tokens = sum(len(answer["tokens"]) for answer in answers)
                yield HandedOver(merged - begin, there - merged, answered - there, tokens)
    finally:
        evaluator.served.end()
