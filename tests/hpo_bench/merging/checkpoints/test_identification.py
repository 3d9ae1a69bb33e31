"""What is no full model is said to be what it is, with its base and what to do; random weights (SYNTHETIC)."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import random_models
import torch
from safetensors.torch import load_file, save_file

from hpo_bench.errors import MergeError
from hpo_bench.merging import processor as processors
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import stream_merge

SETTING = MergeSetting("ta", 0.5, 0.5)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("kinds"), "llava", shard="10MB")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def reconfigure(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def adapter_beside_the_model(folder: Path) -> None:
    described = {"peft_type": "LORA", "base_model_name_or_path": "owner/parent", "r": 8}
    (folder / "adapter_config.json").write_text(json.dumps(described))
    step = {f"base_model.model.lora_{which}.weight": torch.zeros(2, 2) for which in "AB"}
    save_file(step, folder / "adapter_model.safetensors")


def adapter(folder: Path) -> None:
    for file in (*folder.glob("model*"), folder / "config.json"):
        file.unlink()
    adapter_beside_the_model(folder)


def without_weights(folder: Path, *further: str) -> None:
    for file in folder.glob("model*"):
        file.unlink()
    for name in further:
        (folder / name).write_bytes(b"GGUF")


def card(folder: Path) -> None:
    (folder / "README.md").write_text("---\nbase_model:\n- owner/parent\n---\n\n# A model\n")


def gguf(folder: Path) -> None:
    without_weights(folder, "model-Q4_K_M.gguf")
    (folder / "config.json").unlink()
    card(folder)


def gguf_with_configuration(folder: Path) -> None:
    without_weights(folder, "ggml-model-f16.gguf")
    card(folder)


def pickles(folder: Path) -> None:
    without_weights(folder, "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json")


def original(folder: Path) -> None:
    without_weights(folder, "consolidated.safetensors", "params.json")
    (folder / "config.json").unlink()


def pickled_original(folder: Path) -> None:
    without_weights(folder, "consolidated.00.pth", "params.json")
    (folder / "config.json").unlink()


def one_below(folder: Path) -> None:
    inside = folder / "checkpoint-500"
    inside.mkdir()
    for file in [path for path in folder.iterdir() if path.is_file()]:
        file.rename(inside / file.name)


def quantised(**settings: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        reconfigure(folder, quantization_config=settings)
        card(folder)

    change.__name__ = str(settings.get("quant_method"))
    return change


def in_text_configuration(folder: Path) -> None:
    reconfigure(folder, text_config={"quantization_config": {"quant_method": "awq", "bits": 4}})


def mlx(folder: Path) -> None:
    reconfigure(folder, quantization={"group_size": 64, "bits": 4})


def by_an_old_quantiser(folder: Path) -> None:
    (folder / "quantize_config.json").write_text('{"bits": 4}')


def stored_in_eight_bits(folder: Path) -> None:
    file = folder / "model.safetensors"
    tensors = {
        name: tensor.to(torch.float8_e4m3fn) if tensor.dim() > 1 else tensor for name, tensor in load_file(file).items()
    }
    save_file(tensors, file, metadata={"format": "pt"})


def tensorflow(folder: Path) -> None:
    without_weights(folder, "tf_model.h5")


def onnx(folder: Path) -> None:
    without_weights(folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"")


def variant(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")


MERGED_IN = r"merge it in \(peft's `merge_and_unload`, then `save_pretrained`\) and give that folder"
KINDS = [
    (
        adapter,  # which an expert may be, of this base
        rf"is (a LoRA adapter of owner/parent and no model of its own; {MERGED_IN}|no LoRA of this base: .* of own)",
    ),
    (adapter_beside_the_model, rf"a LoRA adapter of owner/parent, which transformers adds .*; {MERGED_IN}, or move"),
    (
        gguf,
        r"no config\.json; model-Q4_K_M\.gguf is in GGUF, .*, of owner/parent; use .*, or name the file itself",
    ),
    (gguf_with_configuration, r"ggml-model-f16\.gguf is in GGUF, .*, of owner/parent; use the original weights"),
    (pickles, r"pytorch_model-00001-of-00002\.bin is a pickle, .* convert it to safetensors"),
    (original, r"consolidated\.safetensors is the original format of the model's authors; use its conversion"),
    (pickled_original, r"consolidated\.00\.pth is the original format of the model's authors; use its conversion"),
    (one_below, r"no config\.json; one is in checkpoint-500: is that the model's folder\?"),
    (
        quantised(quant_method="bitsandbytes", load_in_4bit=True),
        r"is quantised \(bitsandbytes, 4 bits\), of owner/parent; .* use the original weights",
    ),
    (quantised(quant_method="gptq", bits=4), r"is quantised \(gptq, 4 bits\), of owner/parent; "),
    (quantised(quant_method="fp8"), r"is quantised \(fp8\), of owner/parent; "),
    (quantised(quant_method="compressed-tensors"), r"is quantised \(compressed-tensors\), of owner/parent; "),
    (in_text_configuration, r"is quantised \(awq, 4 bits\)"),
    (mlx, r"is quantised \(MLX, 4 bits\)"),
    (by_an_old_quantiser, r"is quantised \(gptq\)"),
    (stored_in_eight_bits, "is stored as F8_E4M3; quantised checkpoints cannot be merged, use the original weights"),
    (tensorflow, r"tf_model\.h5 is in TensorFlow's format; use the original weights in safetensors"),
    (onnx, r"onnx/model\.onnx is in ONNX; use the original weights in safetensors"),
    (variant, r"model\.fp16\.safetensors is a variant, .*; rename it to model\.safetensors"),
]


@pytest.mark.parametrize("role", ["base", "vlm", "expert"])
@pytest.mark.parametrize(("change", "message"), KINDS, ids=[change.__name__ for change, _ in KINDS])
def test_it_is_said_what_it_is_of_what_and_what_to_do(
    folder: Path, role: str, change: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    change(folder / role)
    for use in (diagnose, LoadedPair.load, lambda pair: stream_merge(pair, SETTING, tmp_path / "out")):
        with pytest.raises(MergeError, match=message) as caught:
            use(Pair.read(folder))
        assert "\n" not in str(caught.value)
        assert str(folder / role) in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (quantised(quant_method="bitsandbytes", load_in_4bit=True), "`quantization_config` from config.json"),
        (in_text_configuration, "`text_config.quantization_config` from config.json"),
        (mlx, "`quantization` from config.json"),
        (by_an_old_quantiser, "quantize_config.json"),
    ],
)
def test_plain_weights_with_a_quantisers_settings_are_said_to_need_that_alone_removed(
    folder: Path, change: Callable[[Path], None], key: str
) -> None:
    """A QLoRA that was merged in and saved whole keeps the settings that it was trained under."""
    change(folder / "expert")
    with pytest.raises(MergeError, match=f"if these are plain, .*, remove {re.escape(key)}, which is left over"):
        diagnose(Pair.read(folder))


@pytest.mark.parametrize(
    ("role", "said"),
    [("base", "the VLM's language layers are the base's"), ("expert", "the expert's layers are the VLM's")],
)
def test_the_vlm_itself_as_base_or_expert_is_told_of(folder: Path, role: str, said: str) -> None:
    shutil.rmtree(folder / role)
    shutil.copytree(folder / "vlm", folder / role)
    told = " ".join(finding.message for finding in diagnose(Pair.read(folder)).findings)
    assert f"the {role} is itself a VLM (llava), of which the language part is taken" in told
    assert said in told


def test_a_language_model_is_no_vlm(folder: Path) -> None:
    given = {"base": "base", "vlm": "expert", "expert": "vlm"}
    pair = Pair.of(**{role: str(folder / place) for role, place in given.items()})
    with pytest.raises(
        MergeError, match=r"given as the VLM and is a language model \(llama\); are VLM and expert swap"
    ):
        diagnose(pair)
    pair = Pair.of(base=str(folder / "base"), vlm=str(folder / "expert"), expert=str(folder / "expert"))
    with pytest.raises(MergeError, match=r"is a language model \(llama\); give the vision-language model"):
        diagnose(pair)


def test_a_file_is_no_folder(folder: Path) -> None:
    file = folder / "model.gguf"
    file.write_bytes(b"GGUF")
    pair = Pair.of(base=str(folder / "base"), vlm=str(folder / "vlm"), expert=str(file))
    with pytest.raises(
        MergeError,
        match=r"model\.gguf(: cannot be read| is a GGUF file, which needs the package gguf.*or give the folder)",
    ):
        diagnose(pair)


def test_the_doctor_says_that_torchvision_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "vlm" / "processor_config.json").write_text("{}")

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Pixtral requires the Torchvision library but it was not found in your environment.")

    monkeypatch.setattr("transformers.AutoProcessor.from_pretrained", missing)
    monkeypatch.setattr(processors, "_kind", lambda _folder: None)
    diagnosis = diagnose(Pair.read(folder))
    (message,) = [f.message for f in diagnosis.findings if f.severity == "error"]
    assert "pip install 'hpo-bench[vision]'" in message
    assert not diagnosis.fit


def test_the_doctor_says_that_there_is_no_processor(folder: Path) -> None:
    diagnosis = diagnose(Pair.read(folder))
    assert diagnosis.fit
    assert any(f.severity == "warning" and "holds no processor" in f.message for f in diagnosis.findings)
