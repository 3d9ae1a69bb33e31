"""What a folder that was given as a model holds, where that cannot be merged: what it is, of what, and what to do."""

from pathlib import Path
from typing import Any

from hpo_bench.display.words import first_line, some
from hpo_bench.errors import MergeError
from hpo_bench.merging.source import ADAPTER, INDEX
from landscapes.written import TEXT_LIMIT, check_regular, read_json

CONFIG = "config.json"
SINGLE = "model.safetensors"
_CARD = "README.md"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_GGUF = "*.gguf"
_OF_OTHERS = {
    _GGUF: "GGUF, which llama.cpp reads and which is mostly quantised",
    "*.onnx": "ONNX",
    "onnx/*.onnx": "ONNX",
    "*.h5": "TensorFlow's format",
    "*.msgpack": "Flax's format",
}
# Where quantisers leave their settings, in the configuration or beside it.
_QUANTISED_KEYS = ("quantization_config", "quantization", "compression_config")
_QUANTISED_FILES = {"quantize_config.json": "gptq", "quant_config.json": "awq", "hf_quant_config.json": "modelopt"}
_ORIGINAL = ("params.json", "consolidated.*")


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a folder, as it stands.

    Raises:
        MergeError: If there is none, or it is no mapping.
    """
    return read_mapping(folder / CONFIG)


_TEXTS = (".json", ".jinja", ".txt")


def check_is_model(folder: Path) -> None:
    """Refuse what is no folder of full weights in the layout of transformers.

    Raises:
        MergeError: If it is an adapter, quantised, or in another format; says which, of what, and what to do.
    """
    if folder.is_file():
        what = "a GGUF file" if folder.suffix.lower() == ".gguf" else "a file"
        raise MergeError(f"{folder} is {what}; give the folder of a model in safetensors, with its {CONFIG}")
    if (folder / ADAPTER).is_file():
        raise MergeError(f"{folder} {_adapter(folder)}")
    if not (folder / CONFIG).is_file():
        raise MergeError(f"{folder}: no {CONFIG}; {_without_configuration(folder)}")
    for path in sorted(folder.iterdir()):
        if path.suffix in _TEXTS:  # transformers opens them whatever they are, and a pipe never ends
            check_regular(path, at_most=TEXT_LIMIT, wrong=MergeError)
    if said := _quantised(folder):
        method, where = said
        raise MergeError(
            f"{folder} is quantised ({method}){made_of(folder)}; a quantised checkpoint cannot be merged, since steps "
            "between its values are larger than what a merge changes: use the original weights; if these are plain, "
            f"as of a model that was trained quantised and saved whole, remove {where}, which is left over"
        )


def describe_absent_weights(folder: Path) -> str:
    """What a folder without weights in safetensors holds instead, and what to do; for people."""
    if pickles := _found(folder, *_PICKLES):
        return (
            f"{pickles[0]} is a pickle, and loading a pickle runs whatever code its author put in it, so it is "
            "refused; convert it to safetensors (`save_pretrained` does), or use a revision that has them"
        )
    if other := _of_others(folder):
        return other
    if shards := _found(folder, "model-*-of-*.safetensors"):
        return f"has shards such as {shards[0]} but not their {INDEX}; fetch it"
    if files := _found(folder, *_ORIGINAL):
        return f"{files[0]} is {_ORIGINAL_FORMAT}"
    if variants := _found(folder, "model.*.safetensors", "model.*.safetensors.index.json"):
        return f"{variants[0]} is a variant, which is loaded only where it is asked for; rename it to {SINGLE}"
    if folder.resolve().parent.name == "snapshots":
        return (
            "it has no weights in safetensors on the hub; pickles, GGUF and others' formats are not fetched; a GGUF "
            "file that you fetch yourself may be named as base or expert"
        )
    return f"neither {SINGLE} nor {INDEX} is in it"


def _of_others(folder: Path) -> str:
    """What of another format a folder holds, and what to do; "" if nothing."""
    for pattern, what in _OF_OTHERS.items():
        if files := _found(folder, pattern):
            itself = ", or name the file itself, as base or expert" if pattern == _GGUF else ""
            return f"{some(files, 1)} is in {what}{made_of(folder)}; use the original weights in safetensors{itself}"
    return ""


_ORIGINAL_FORMAT = (
    "the original format of the model's authors; use its conversion for transformers, which their hub page links or is"
)


def _adapter(folder: Path) -> str:
    content = read_mapping(folder / ADAPTER)
    kind = str(content.get("peft_type") or "LoRA").replace("LORA", "LoRA")
    parent = content.get("base_model_name_or_path") or "a model that it does not name"
    merged = "merge it in (peft's `merge_and_unload`, then `save_pretrained`) and give that folder"
    if (folder / CONFIG).is_file() and _found(folder, SINGLE, INDEX):
        return (
            f"holds a model and, in {ADAPTER}, a {kind} adapter of {parent}, which transformers adds to the model when "
            f"it loads it, and a merge would not; {merged}, or move the adapter's files elsewhere"
        )
    return f"is a {kind} adapter of {parent} and no model of its own; {merged}"


def _without_configuration(folder: Path) -> str:
    if found := next(iter(sorted(folder.glob(f"*/{CONFIG}"))), None):
        return f"one is in {found.parent.name}: is that the model's folder?"
    if adapters := [path.parent.name for path in sorted(folder.glob(f"*/{ADAPTER}"))]:
        return f"adapters are in folders of it ({some(adapters)}): name the one that you mean, as the expert"
    if (folder / "model_index.json").is_file():
        return "this is a pipeline of diffusers, which holds several models"
    if other := _of_others(folder):
        return other
    if files := _found(folder, *_ORIGINAL):
        return f"{files[0]} is {_ORIGINAL_FORMAT}"
    return "is this the folder of a Hugging Face checkpoint?"


def _quantised(folder: Path) -> tuple[str, str] | None:
    """How the weights are quantised, and what says so; None if nothing does."""
    config = read_config(folder)
    parts = {"": config, **{f"{name}.": part for name, part in config.items() if isinstance(part, dict)}}
    for within, part in parts.items():
        if key := next((key for key in _QUANTISED_KEYS if part.get(key)), None):
            settings = part[key] if isinstance(part[key], dict) else {}
            method = settings.get("quant_method") or ("MLX" if "quantization" in part else "by an unnamed method")
            bits = settings.get("bits") or (
                4 if settings.get("load_in_4bit") else 8 if settings.get("load_in_8bit") else 0
            )
            return f"{method}, {bits} bits" if bits else str(method), f"`{within}{key}` from {CONFIG}"
    return next(((method, file) for file, method in _QUANTISED_FILES.items() if (folder / file).is_file()), None)


def made_of(folder: Path) -> str:
    """The words ", of MODEL", as the card or the configuration says; "" where neither does."""
    from huggingface_hub import ModelCard

    named: Any = None
    if (folder / _CARD).is_file():
        try:
            named = ModelCard.load(folder / _CARD).data.get("base_model")
        except Exception:  # a card is whatever its author wrote
            named = None
    if not named and (folder / CONFIG).is_file():
        config = read_config(folder)
        text = config.get("text_config")
        named = (text.get("_name_or_path") if isinstance(text, dict) else None) or config.get("_name_or_path")
    named = named[0] if isinstance(named, list) and named else named
    return f", of {first_line(ValueError(named))}" if isinstance(named, str) and named.strip() else ""


def _found(folder: Path, *patterns: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for pattern in patterns for path in folder.glob(pattern))


def read_mapping(path: Path) -> dict[str, Any]:
    """A file of JSON that holds a mapping.

    Raises:
        MergeError: If it does not.
    """
    content = read_json(path, wrong=MergeError)
    if not isinstance(content, dict):
        raise MergeError(f"{path}: is not a mapping; fetch it anew")
    return content
