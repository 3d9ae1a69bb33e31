"""A VLM, an expert and their common base on disk, and the benchmark that scores their merges."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.backbone import language_names

ROLES = ("base", "vlm", "expert")
_KEYS = ("name", "domain", "benchmark", *ROLES, "examples", "licence", "notes")


@dataclass(frozen=True, slots=True)
class Pair:
    """A folder with a `pair.yaml` that names what is in it.

    Attributes:
        folder: Where it lies; nothing outside it is read.
        name: What landscapes recorded from it are called by.
        domain: "language", "maths" or "instructions".
        benchmark: Name of the benchmark.
        base: Folder of the common base language model.
        vlm: Folder of the vision-language model.
        expert: Folder of the expert language model.
        examples: The benchmark's examples, a parquet file.
        licence: Of the examples and weights.
        notes: What a user of its scores should know.
    """

    folder: Path
    name: str
    domain: str
    benchmark: str
    base: Path
    vlm: Path
    expert: Path
    examples: Path
    licence: str
    notes: str

    @classmethod
    def read(cls, folder: Path) -> "Pair":
        """Read `pair.yaml` in a folder.

        Raises:
            UsageError: If the file is missing, is not YAML, lacks a key, or names a path outside the folder.
        """
        path = folder / "pair.yaml"
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise UsageError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from error
        if not isinstance(content, dict):
            raise UsageError(f"{path}: must be a mapping with the keys {', '.join(_KEYS)}")
        for key in _KEYS:
            if not isinstance(content.get(key), str):
                raise UsageError(f"{path}: key {key!r} is missing or not text")
        paths = {key: _inside(folder, content[key], path) for key in (*ROLES, "examples")}
        return cls(
            folder=folder,
            name=content["name"],
            domain=content["domain"],
            benchmark=content["benchmark"],
            licence=content["licence"],
            notes=content["notes"],
            **paths,
        )

    def file_hashes(self) -> dict[str, dict[str, str]]:
        """SHA-256 of every safetensors file of each role, and of the examples."""
        files = {role: sorted(getattr(self, role).glob("*.safetensors")) for role in ROLES}
        files["examples"] = [self.examples]
        return {role: {path.name: _sha256(path) for path in paths} for role, paths in files.items()}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPair:
    """A pair in memory, in float32.

    Attributes:
        vlm: The live VLM, into whose parameters merges are written.
        processor: Its processor.
        names: VLM name to language model name, for every language parameter.
        base: State of the base, by language model name.
        tuned: The VLM's own language weights, by language model name; a copy that merging does not touch.
        expert: State of the expert, by language model name.
    """

    vlm: Any
    processor: Any
    names: dict[str, str]
    base: dict[str, torch.Tensor]
    tuned: dict[str, torch.Tensor]
    expert: dict[str, torch.Tensor]

    @classmethod
    def load(cls, pair: Pair) -> "LoadedPair":
        """Load all three models from safetensors.

        Raises:
            MergeError: If a checkpoint cannot be loaded or the three do not fit together.
        """
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

        def load(auto: Any, path: Path) -> Any:
            try:
                return auto.from_pretrained(
                    path, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
                ).eval()
            except Exception as error:  # whatever a broken file makes transformers raise
                raise MergeError(f"{path}: cannot be loaded: {str(error).splitlines()[0]}") from error

        vlm = load(AutoModelForImageTextToText, pair.vlm)
        base = load(AutoModelForCausalLM, pair.base).state_dict()
        expert = load(AutoModelForCausalLM, pair.expert).state_dict()
        state = vlm.state_dict()
        names = language_names(vlm.config.model_type, state, base)
        language_names(vlm.config.model_type, state, expert)
        processor = AutoProcessor.from_pretrained(pair.vlm, local_files_only=True, trust_remote_code=False)
        tuned = {theirs: state[ours].clone() for ours, theirs in names.items()}
        return cls(vlm=vlm, processor=processor, names=names, base=base, tuned=tuned, expert=expert)

    def write_language(self, weights: dict[str, torch.Tensor]) -> None:
        """Put language weights, by language model name, into the live VLM in place."""
        state = self.vlm.state_dict()
        with torch.no_grad():
            for ours, theirs in self.names.items():
                state[ours].copy_(weights[theirs])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inside(folder: Path, name: str, source: Path) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UsageError(f"{source}: {name!r} leads out of the pair's folder")
    if not path.exists():
        raise UsageError(f"{source}: {name!r} does not exist in {folder}")
    return path
