"""What an exported merge is asked again: in the same words, with the same attention, rounded as it is stored."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tuning_toys import config

from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome import export as exporting
from hpo_bench.tuning.outcome.export import Exported
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Success, TrialCost

SETTING = MergeSetting("ta", 0.4, 0.9)
EVALUATION = {"generate": True, "max_new_tokens": 4, "attention": "eager"}


@pytest.fixture
def mixed(small_pair: Pair) -> Pair:
    """The small pair with a VLM in bfloat16 but for one norm, in float32 and no number of bfloat16."""
    file = small_pair.vlm / "model.safetensors"
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(file).items()}
    norm = next(name for name in tensors if "language" in name and name.endswith("layers.0.input_layernorm.weight"))
    tensors[norm] = tensors[norm].float() * (1 + 2**-12)
    save_file(tensors, file, metadata={"format": "pt"})
    with (small_pair.folder / "pair.yaml").open("a") as described:
        described.write(f"\nevaluation: {json.dumps(EVALUATION)}\n")
    return Pair.read(small_pair.folder)


@pytest.fixture
def export(mixed: Pair, tmp_path: Path) -> Callable[[int], Exported]:
    """Exports a trial that is kept with so many answers in other words than were given."""

    def exported(others: int) -> Exported:
        loaded = LoadedPair.load(mixed)
        Resident(loaded).merge(SETTING)
        evaluator = open_evaluator(mixed, loaded)
        found = evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
        said = [f"{one} in other words" if place < others else one for place, one in enumerate(found.responses)]
        store = TrialStore(tmp_path / "s", "s")
        store.begin(config(pair=mixed.name, checkpoints=mixed.file_hashes(), evaluation=EVALUATION))
        trial = store.start(SETTING, asked_after=0, worker="w")
        kept = replace(found, responses=tuple(said))
        store.finish(trial, Success({"validation": kept}, "merged on another device", TrialCost()), told_as=0)
        store.close()
        Invocation(str(mixed.folder), ".", ("hpo-bench", "tune", "my pair")).write(tmp_path / "s")
        return Study.open("s", tmp_path).export(tmp_path / "out", trial=0)

    return exported


def test_one_norm_in_float32_does_not_make_it_float32(mixed: Pair) -> None:
    alignment = Alignment.of(mixed)
    assert (alignment.stored_dtype, alignment.widest_dtype) == (torch.bfloat16, torch.float32)
    loaded = LoadedPair.load(mixed)
    rounded = exporting._rounded(loaded)
    assert rounded is not None
    kinds = {name: tensor.dtype for name, tensor in rounded.items()}
    assert [name for name, kind in kinds.items() if kind == torch.float32] == ["model.layers.0.input_layernorm.weight"]


def test_an_answer_in_other_words_is_another_and_attention_is_that_of_the_trial(
    mixed: Pair, export: Callable[[int], Exported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attention: list[str] = []
    answer = exporting.answers_of

    def watched(model: Any, *args: Any, **options: Any) -> Any:
        attention.append(model.config._attn_implementation)
        return answer(model, *args, **options)

    monkeypatch.setattr(exporting, "answers_of", watched)
    made = export(2)
    assert made.total > 2
    assert made.same <= made.total - 2
    assert attention == ["eager", "eager"], "the exported model, and the one in memory, rounded as it is stored"
    assert made.explained, "with the norm as it is stored, it answers as from disk"
    assert (made.merged_in, made.stored_in) == ("float32", "bfloat16")
    assert "\n    hpo-bench tune 'my pair'\n" in (tmp_path / "out" / "README.md").read_text()
    told = json.loads((tmp_path / "out" / "hpo_bench.json").read_text())
    assert (told["stored_in"], told["command"]) == ("bfloat16", "hpo-bench tune 'my pair'")
    assert told["fingerprint"] == Resident(LoadedPair.load(mixed)).merge(SETTING)
    assert "out_dtype: bfloat16" in (tmp_path / "out" / "mergekit.yaml").read_text()
