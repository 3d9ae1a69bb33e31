"""Base and expert as GGUF files."""

import json
from collections.abc import Sequence
from pathlib import Path

import backbones
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints import gguf as ours
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.writing.graft import extract

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write(
    folder: Path,
    file: Path,
    quantised: str = "F32",
    *,
    without: str = " ",
    further: Sequence[str] = (),
    sized: bool = True,
) -> Path:
    """A Qwen as llama.cpp stores it, of some kind where rows are as long as its blocks, else in float32.

    Args:
        folder: Of the model.
        file: What to write.
        quantised: A kind of gguf's.
        without: Tensors that are left out, by a part of their name.
        further: Names of tensors that are added.
        sized: Whether it says how large heads are, where the configuration does.
    """
    gguf = pytest.importorskip("gguf")
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(file, config["model_type"])
    if sized and "head_dim" in config:
        writer.add_key_length(config["head_dim"])
    for name in further:
        writer.add_tensor(name, np.ones(4, dtype=np.float32))
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(config["vocab_size"])
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_merges(["w 0"])
    writer.add_token_types([1] * len(vocabulary))
    for name, weight in AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict().items():
        own, kind = name.rsplit(".", 1)
        if own.startswith("model.layers."):
            _, _, layer, rest = own.split(".", 3)
            own = f"blk.{layer}.{NAMES[rest]}"
        else:
            own = NAMES[own]
        if without in own:
            continue
        data, stored = weight.numpy(), gguf.GGMLQuantizationType[quantised]
        if quantised != "F32" and data.ndim == 2 and data.shape[1] % 32 == 0:
            writer.add_tensor(f"{own}.{kind}", gguf.quants.quantize(data, stored), raw_dtype=stored)
        else:
            writer.add_tensor(f"{own}.{kind}", data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_a_gguf_file_merges_as_the_model_that_it_was_made_of(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen2-vl")
    file = write(folder / "expert", tmp_path / "expert.gguf")
    base, vlm = str(folder / "base"), str(folder / "vlm")
    plain = LoadedPair.load(Pair.of(base=base, vlm=vlm, expert=str(folder / "expert")))
    pair = Pair.of(base=base, vlm=vlm, expert=str(file))
    alignment = Alignment.of(pair)
    alignment.check()
    assert "the expert is a GGUF file" in [finding.message for finding in alignment.findings]
    loaded = LoadedPair.load(pair)
    for name, weight in plain.expert.items():
        torch.testing.assert_close(loaded.expert[name], weight, msg=name)
    assert set(pair.file_hashes()["expert"]) == {"expert.gguf"}


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_of_a_quantised_expert_it_is_said_how_much_rounding_adds(kind: str, tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen2-vl")
    file = write(folder / "expert", tmp_path / "expert.gguf", kind)
    base, vlm = str(folder / "base"), str(folder / "vlm")
    alignment = Alignment.of(Pair.of(base=base, vlm=vlm, expert=str(file)))
    alignment.check()
    exact = Alignment.of(Pair.of(base=base, vlm=vlm, expert=str(folder / "expert")))
    names = [one for one in exact.models["expert"].tensors if one.endswith("proj.weight") and "down" not in one]
    pairs = [(exact.models["expert"].tensor(one).double(), alignment.models["expert"].tensor(one)) for one in names]
    lost = sum(float(((was - now) ** 2).sum()) for was, now in pairs)
    rounding = (lost / sum(float((was**2).sum()) for was, _ in pairs)) ** 0.5
    (note,) = [one.message for one in alignment.findings if "GGUF" in one.message]
    assert f"quantised ({kind}): rounding adds about " in note
    assert float(note.split("about ")[1].split()[0]) == pytest.approx(rounding, rel=0.15)


def test_too_little_memory_to_unpack_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen2-vl")
    file = write(folder / "expert", tmp_path / "expert.gguf")
    monkeypatch.setattr("hpo_bench.merging.memory.available_memory", lambda *_: 1000)
    with pytest.raises(
        MergeError, match=r"expert.gguf, unpacked to float32, needs .* of memory, and .* are free; give"
    ):
        ours.open_gguf(file)


@pytest.mark.parametrize("role", ["base", "expert"])
def test_without_the_package_it_is_said_how_to_get_it(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "find_spec", lambda _: None)
    folder = backbones.build(tmp_path / "pair", "qwen2-vl")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    places = {each: str(folder / each) for each in ("base", "vlm", "expert")} | {role: str(tmp_path / "model.gguf")}
    with pytest.raises(MergeError, match=r"model.gguf is a GGUF file, which needs the package gguf: pip install"):
        Alignment.of(Pair.of(**places))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(MergeError, match=r"model.gguf: cannot be read: .*; use the original weights"):
        ours.open_gguf(tmp_path / "model.gguf")


def pair(folder: Path, **places: Path) -> Pair:
    base, vlm, expert = (str(places.get(role, folder / role)) for role in ("base", "vlm", "expert"))
    return Pair.of(base=base, vlm=vlm, expert=expert)


def test_what_a_file_leaves_out_is_not_told_as_a_difference(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    config = json.loads((folder / "vlm" / "config.json").read_text())
    config["text_config"]["rope_parameters"] |= {"rope_type": "linear", "factor": 2.0}
    config["text_config"]["hidden_act"] = "gelu"
    (folder / "vlm" / "config.json").write_text(json.dumps(config))
    files = {role: write(folder / role, tmp_path / f"{role}.gguf") for role in ("base", "expert")}
    alignment = Alignment.of(pair(folder, **files))
    alignment.check()
    told = [finding.message for finding in alignment.findings if "architecture" not in finding.message]
    assert sorted({one.split(":")[0] for one in told}) == [
        "the base is a GGUF file",
        "the expert is a GGUF file",
        "vocabulary",
    ]
    assert alignment.configurations["base"].facts["norm epsilon"] == 1e-6
    assert alignment.configurations["base"].facts["head size"] == 8


def test_heads_of_a_size_that_the_file_does_not_say_are_named(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    file = write(folder / "base", tmp_path / "base.gguf", sized=False)
    with pytest.raises(MergeError, match=r"base.gguf: transformers does not read how large model.layers.*k_norm"):
        ours.open_gguf(file)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    file = write(folder / "base", tmp_path / "base.gguf", without="blk.1.ffn_up")
    with pytest.raises(MergeError, match=r"base.gguf lacks weights .*: model.layers.1.mlp.up_proj.weight; use"):
        ours.open_gguf(file)


def test_weights_that_transformers_would_leave_out_are_told(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    ours.open_gguf(write(folder / "base", tmp_path / "llama3.gguf", further=["rope_freqs.weight"]))
    file = write(folder / "base", tmp_path / "base.gguf", further=["blk.0.attn_q.bias", "blk.1.attn_q.bias"])
    with pytest.raises(MergeError, match=r"base.gguf holds 8 weights that transformers does not take"):
        ours.open_gguf(file)


def test_a_lora_is_laid_over_a_gguf_base_and_both_are_written_for_other_tools(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    lora = backbones.lora(folder / "base", tmp_path / "lora")
    file = write(folder / "base", tmp_path / "BASE.GGUF")
    capfd.readouterr()
    alignment, plain = (Alignment.of(pair(folder, expert=lora, **more)) for more in ({"base": file}, {}))
    assert capfd.readouterr().err == ""
    for name in plain.merged:
        assert torch.equal(alignment.triple(name).expert.float(), plain.triple(name).expert.float())
    extract(alignment, tmp_path / "parts")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "parts" / "expert").state_dict()
    assert all(torch.equal(written[name], alignment.triple(name).expert) for name in alignment.merged)


def test_one_of_several_parts_is_told(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    file = tmp_path / "model-00001-of-00002.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(MergeError, match=r"is one part of a GGUF file; put them together \(`llama-gguf-split --merge`"):
        ours.open_gguf(file)
