"""Base and expert as people have them: VLMs of the family, and LoRAs, compared with what peft makes of them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import backbones
import pytest
import torch
import transformers
from backbones import LORA_LAYERS, lora
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.adapter import AdaptedModel
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge, stream_merge


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    @cache
    def build(name: str, noise: float = 0.05, tied: bool = False) -> Path:
        return backbones.build(tmp_path_factory.mktemp("pair"), name, noise=noise, tied=tied)

    return build


def stored(folder: Path) -> StoredModel:
    return StoredModel.of(Checkpoint.open(folder), Configuration.read(folder))


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rank-stabilised": {"use_rslora": True},
    "patterns": {"alpha_pattern": {"q_proj": 3}, "rank_pattern": {r"layers\.1\.mlp\.down_proj": 2}},
    "head and norm of its own": {"modules_to_save": ["lm_head", "norm"]},
    "embeddings": {"target_modules": [*LORA_LAYERS, "embed_tokens"]},
    "biases": {"bias": "all"},
    "biases of its own layers": {"bias": "lora_only"},
    "every linear layer": {"target_modules": "all-linear"},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_lora_is_what_peft_makes_of_it(options: dict, made: Callable[..., Path], tmp_path: Path) -> None:
    base = made("qwen2-vl") / "base"
    folder = lora(base, tmp_path / "lora", **options)
    model = AdaptedModel.on(stored(base), folder, base_source="base")
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    merged: Any = PeftModel.from_pretrained(plain, folder).merge_and_unload()
    changed = 0
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(model.tensor(name).float(), weight, rtol=1e-6, atol=1e-7, msg=name)
        assert model.tensors[name].shape == tuple(weight.shape)
        changed += not torch.equal(weight, stored(base).tensor(name).float())
    assert changed >= 3


def test_a_step_is_scale_times_b_times_a(made: Callable[..., Path], tmp_path: Path) -> None:
    base = made("qwen2-vl") / "base"
    folder = lora(base, tmp_path / "lora", use_rslora=True)
    name = "model.layers.1.self_attn.v_proj.weight"
    weights = load_file(folder / "adapter_model.safetensors")
    a, b = (weights[f"base_model.model.model.layers.1.self_attn.v_proj.lora_{each}.weight"].double() for each in "AB")
    expected = stored(base).tensor(name).double() + 8 / 4**0.5 * b @ a
    found = AdaptedModel.on(stored(base), folder, base_source="base").tensor(name)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-7)


def test_by_how_much_a_lora_is_multiplied_is_among_what_decides_a_merge(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    base = made("qwen3-vl") / "base"
    folder = lora(base, tmp_path / "lora")
    pair = Pair.of(base=str(base), vlm=str(base), expert=str(folder))
    before = pair.file_hashes()
    reconfigure(folder, lora_alpha=999)
    after = pair.file_hashes()
    assert {role for role in before if before[role] != after[role]} == {"expert"}
    assert set(after["expert"]) == {"adapter_config.json", "adapter_model.safetensors"}


def test_layers_that_store_their_weights_transposed_are_known(tmp_path: Path) -> None:
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20, n_positions=16)
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    folder = lora(tmp_path / "base", tmp_path / "lora", target_modules=["c_attn"], fan_in_fan_out=True)
    model = AdaptedModel.on(stored(tmp_path / "base"), folder, base_source="base")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    merged: Any = PeftModel.from_pretrained(plain, folder).merge_and_unload()
    name = "transformer.h.0.attn.c_attn.weight"
    torch.testing.assert_close(model.tensor(name), merged.state_dict()[name])
    assert not torch.equal(model.tensor(name), stored(tmp_path / "base").tensor(name))


@pytest.mark.parametrize("tied", [False, True])
def test_a_lora_is_merged_as_the_expert_that_it_makes(made: Callable[..., Path], tied: bool, tmp_path: Path) -> None:
    pair = Pair.read(made("qwen3-vl", tied=tied))
    folder = lora(pair.base, tmp_path / "lora")
    merged = AutoModelForCausalLM.from_pretrained(pair.base, dtype=torch.float32)
    PeftModel.from_pretrained(merged, folder).merge_and_unload().save_pretrained(tmp_path / "full")  # type: ignore[reportCallIssue]
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pair.base / file, tmp_path / "full")
    sources = {"lora": folder, "full": tmp_path / "full"}
    pairs = {
        kind: Pair.of(base=str(pair.base), vlm=str(pair.vlm), expert=str(place)) for kind, place in sources.items()
    }
    diagnosis = diagnose(pairs["lora"])
    assert diagnosis.fit
    note = "the expert is a LoRA of rank 4 on the base: 6 matrices"
    assert note in [finding.message for finding in diagnosis.findings]
    setting = MergeSetting("ta", 0.5, 0.75)
    outs = {
        kind: Checkpoint.open(export_merge(each, LoadedPair.load(each), setting, tmp_path / f"of-{kind}"))
        for kind, each in pairs.items()
    }
    outs["streamed"] = Checkpoint.open(stream_merge(pairs["lora"], setting, tmp_path / "streamed"))
    for name in outs["lora"].tensors:
        assert torch.equal(outs["lora"].tensor(name), outs["full"].tensor(name)), name
        assert torch.equal(outs["lora"].tensor(name), outs["streamed"].tensor(name)), name


def reconfigure(folder: Path, **values: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"use_dora": True}, "this adapter is DoRA, which scales columns as well; merge it in"),
        ({"peft_type": "IA3"}, "this adapter is of the kind IA3; merge it in"),
        ({"init_lora_weights": "pissa"}, "began with pissa, which changes the base's own weights; merge it in"),
        ({"alora_invocation_tokens": [1, 2]}, "is an activated LoRA"),
        ({"layer_replication": [[0, 2]]}, "is a LoRA of repeated layers"),
    ],
)
def test_adapters_that_are_more_are_refused(
    values: dict, message: str, made: Callable[..., Path], tmp_path: Path
) -> None:
    base = made("qwen2-vl") / "base"
    folder = lora(base, tmp_path / "lora")
    reconfigure(folder, **values)
    with pytest.raises(MergeError, match=message):
        AdaptedModel.on(stored(base), folder, base_source="base")


@pytest.mark.parametrize(
    "values",
    [{"lora_alpha": "16"}, {"lora_alpha": None}, {"alpha_pattern": {"(": 1}}, {"alpha_pattern": {"q_proj": None}},
     {"alpha_pattern": ["q_proj"]}, {"auto_mapping": "Qwen2"}],
    ids=str,
)  # fmt: skip
def test_what_peft_would_not_write_is_named(values: dict, made: Callable[..., Path], tmp_path: Path) -> None:
    base = made("qwen2-vl") / "base"
    folder = lora(base, tmp_path / "lora")
    reconfigure(folder, **values)
    with pytest.raises(MergeError, match=r"adapter_config.json: .* is not what peft writes there"):
        AdaptedModel.on(stored(base), folder, base_source="base")


@pytest.mark.parametrize("half", ["lora_A", "lora_B"])
def test_a_step_of_one_matrix_is_no_step(half: str, made: Callable[..., Path], tmp_path: Path) -> None:
    base = made("qwen2-vl") / "base"
    folder = lora(base, tmp_path / "lora")
    tensors = load_file(folder / "adapter_model.safetensors")
    del tensors[next(name for name in tensors if half in name)]
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(MergeError, match="lacks the other matrix of its step"):
        AdaptedModel.on(stored(base), folder, base_source="base")


def test_steps_on_experts_one_by_one_are_told_from_another_base(made: Callable[..., Path], tmp_path: Path) -> None:
    """As peft wrote them where transformers 4 kept experts apart."""
    base = made("qwen3-vl-moe") / "base"
    folder = lora(base, tmp_path / "lora", target_modules=["q_proj"])
    module = "base_model.model.model.layers.0.mlp.experts.1.gate_proj"
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors |= {f"{module}.lora_A.weight": torch.ones(4, 32), f"{module}.lora_B.weight": torch.ones(12, 4)}
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(MergeError, match=r"gate_proj of it are layers that transformers keeps as one.*merge_and"):
        AdaptedModel.on(stored(base), folder, base_source="base")


def test_adapters_in_folders_of_the_expert_are_named(made: Callable[..., Path], tmp_path: Path) -> None:
    pair = Pair.read(made("qwen2-vl"))
    for step in ("checkpoint-5", "checkpoint-9"):
        lora(pair.base, tmp_path / "trained" / step)
    with pytest.raises(MergeError, match=r"adapters are in folders of it \(checkpoint-5, checkpoint-9\)"):
        Alignment.of(replace(pair, sources={**pair.sources, "expert": tmp_path / "trained"}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_modules": [*LORA_LAYERS, "lm_head"]}, "has a step on the head, which .* ties to the embeddings"),
        ({"modules_to_save": ["embed_tokens"]}, "has embeddings of its own, and no head, which .* ties"),
    ],
)
def test_a_lora_that_parts_what_is_tied_is_refused(
    options: dict, message: str, made: Callable[..., Path], tmp_path: Path
) -> None:
    tied, untied = (made("qwen2-vl", tied=each) / "base" for each in (True, False))
    with pytest.raises(MergeError, match=message):
        AdaptedModel.on(stored(tied), lora(tied, tmp_path / "tied", **options), base_source="base")
    assert AdaptedModel.on(stored(untied), lora(untied, tmp_path / "untied", **options), base_source="base")


@pytest.mark.parametrize("saved", [["embed_tokens", "lm_head"], ["lm_head"]])
def test_a_lora_with_a_head_of_its_own_unties_it(saved: list[str], made: Callable[..., Path], tmp_path: Path) -> None:
    base = made("qwen2-vl", tied=True) / "base"
    model = AdaptedModel.on(stored(base), lora(base, tmp_path / "lora", modules_to_save=saved), base_source="base")
    assert "lm_head.weight" in model.tensors


@pytest.mark.parametrize("under", [False, True], ids=["without what is under a step", "as peft writes it"])
@pytest.mark.parametrize("saved", [["embed_tokens", "lm_head"], ["lm_head"], []], ids=str)
@pytest.mark.parametrize("alias", [False, True], ids=["embeddings alone", "both stored"])
@pytest.mark.parametrize("tied", [False, True], ids=["own head", "tied VLM"])
def test_the_ends_of_a_lora_on_a_tied_base_are_those_that_peft_makes(
    tied: bool, alias: bool, saved: list[str], under: bool, made: Callable[..., Path], tmp_path: Path
) -> None:
    base = Path(shutil.copytree(made("qwen2-vl", tied=True) / "base", tmp_path / "base"))
    if alias:
        store_head(base)
    options = {"modules_to_save": saved} if saved else {"target_modules": ["q_proj", "embed_tokens"]}
    folder = lora(base, tmp_path / "lora", **options)
    if not under:  # which `save_embedding_layers=False` leaves out
        file = folder / "adapter_model.safetensors"
        save_file({name: each for name, each in load_file(file).items() if "base_layer" not in name}, file)
    pair = Pair.of(base=str(base), vlm=str(made("qwen2-vl", tied=tied) / "vlm"), expert=str(folder))
    alignment = Alignment.of(pair)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    merged: Any = PeftModel.from_pretrained(plain, folder).merge_and_unload()
    for name, module in (
        ("model.embed_tokens.weight", merged.get_input_embeddings()),
        ("lm_head.weight", merged.get_output_embeddings()),
    ):
        found = alignment.read("expert", alignment.names["expert"].place(name))
        torch.testing.assert_close(found.float(), module.weight.detach())
    assert alignment.names["expert"].tied is not bool(saved)


@pytest.mark.parametrize("tied", [False, True])
def test_a_lora_with_a_grown_vocabulary_is_what_peft_makes_of_it(
    tied: bool, made: Callable[..., Path], tmp_path: Path
) -> None:
    base = made("qwen2-vl", tied=tied) / "base"
    grown: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    grown.resize_token_embeddings(grown.config.vocab_size + 2)
    ends = ["embed_tokens", "lm_head"]
    model = get_peft_model(grown, LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=ends))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.05 * torch.randn_like(weight))
    model.save_pretrained(tmp_path / "lora")
    assert any(".original_module." in name for name in load_file(tmp_path / "lora" / "adapter_model.safetensors"))
    found = AdaptedModel.on(stored(base), tmp_path / "lora", base_source="base")
    merged: Any = model.merge_and_unload()
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(found.tensor(name).float(), weight)


def store_head(folder: Path) -> None:
    """Store the head of a tied model beside its embeddings, as some trainers do."""
    stored = {name: each for file in sorted(folder.glob("*.safetensors")) for name, each in load_file(file).items()}
    for file in folder.glob("model*.safetensors*"):
        file.unlink()
    head = {"lm_head.weight": stored["model.embed_tokens.weight"].clone()}
    save_file(stored | head, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_lora_of_another_base_is_refused(made: Callable[..., Path], tmp_path: Path) -> None:
    folder = lora(made("qwen2-vl") / "base", tmp_path / "lora")
    reconfigure(folder, base_model_name_or_path="owner/other")
    base = stored(made("qwen2-vl") / "base")
    assert AdaptedModel.on(base, folder, base_source="some/folder").steps
    assert AdaptedModel.on(base, folder, base_source="hf://Owner/other@main").steps
    with pytest.raises(
        MergeError,
        match=r"is a LoRA of owner/other, and the base is owner/base; merge it into its own.*"
        r"owner/base by another name, .* say so in adapter_config.json",
    ):
        AdaptedModel.on(base, folder, base_source="hf://owner/base")
    tensors = load_file(folder / "adapter_model.safetensors")
    wider = {name: torch.cat([each, each], 1) if "lora_A" in name else each for name, each in tensors.items()}
    save_file(wider, folder / "adapter_model.safetensors")
    with pytest.raises(
        MergeError, match=r"no LoRA of this base: .*down_proj.weight is \(32, 48\) in .*its step \(32, 96\)"
    ):
        AdaptedModel.on(base, folder, base_source="base")
    deeper = {name.replace("layers.1.", "layers.7."): each for name, each in tensors.items()}
    save_file(deeper, folder / "adapter_model.safetensors")
    with pytest.raises(MergeError, match=r"no LoRA of this base: model.layers.7.*it says that it is of owner/other"):
        AdaptedModel.on(base, folder, base_source="base")
    save_file(tensors, folder / "adapter_model.safetensors")
    for named in ("Qwen2ForCausalLM", "Qwen2VLForConditionalGeneration"):
        reconfigure(folder, auto_mapping={"base_model_class": named})
        assert AdaptedModel.on(base, folder, base_source="base").steps
    reconfigure(folder, auto_mapping={"base_model_class": "Gemma3ForCausalLM"})
    with pytest.raises(MergeError, match=r"is a LoRA of a Gemma3ForCausalLM, and the base .* is a Qwen2ForCausalLM"):
        AdaptedModel.on(base, folder, base_source="base")
    reconfigure(folder, auto_mapping=None)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(MergeError, match=r"lacks adapter_model.safetensors; an adapter in a pickle is refused"):
        AdaptedModel.on(base, folder, base_source="base")


@pytest.mark.parametrize("family", ["gemma3", "qwen2-vl", "mllama"])
def test_of_a_vlm_as_base_or_expert_the_language_part_is_taken(family: str, made: Callable[..., Path]) -> None:
    noisy, exact = made(family), made(family, noise=0.0)
    text = Pair.of(base=str(noisy / "base"), vlm=str(noisy / "vlm"), expert=str(noisy / "expert"))
    as_base = replace(text, sources={**text.sources, "base": exact / "vlm"})
    expected, found = Alignment.of(text), Alignment.of(as_base)
    found.check()
    assert "the base is itself a VLM" in " ".join(finding.message for finding in found.findings)
    assert found.merged == expected.merged
    words = slice(0, backbones.WORDS + 3)
    for name in found.merged:
        one, other = found.triple(name), expected.triple(name)
        rows = words if "embed_tokens" in name or "lm_head" in name else slice(None)
        assert torch.equal(one.base[rows], other.base[rows]), name
        assert torch.equal(one.vlm, other.vlm)
    as_expert = Alignment.of(replace(text, sources={**text.sources, "vlm": exact / "vlm", "expert": noisy / "vlm"}))
    as_expert.check()
    for name in as_expert.merged:
        rows = words if "embed_tokens" in name or "lm_head" in name else slice(None)
        assert torch.equal(as_expert.triple(name).expert[rows], expected.triple(name).vlm[rows]), name
