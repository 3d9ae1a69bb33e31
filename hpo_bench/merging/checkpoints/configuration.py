"""What the configurations of base, VLM and expert say, and where they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EXPERTS, INSERTED
from hpo_bench.merging.checkpoints.identification import CONFIG, read_config
from hpo_bench.merging.checkpoints.same_function import numbers_apart, tells_apart

# Weights of equal shape mean something else when one of these differs.
_FATAL = ("layers", "hidden size", "attention heads", "key-value heads", "head size", "activation", "experts")
_NOT_IN_PARTS = ("activation", "rope scaling", "sliding window")
"""Facts that a file such as GGUF leaves to the architecture."""
# What `facts` hold, by the names that configurations have for it.
_COMPARED = (
    *("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act"),
    *("rope_parameters", "rope_theta", "sliding_window", "use_sliding_window", "rms_norm_eps", "tie_word_embeddings"),
    *("max_position_embeddings", "vocab_size", "intermediate_size"),
    *EXPERTS,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that whoever merges should know.

    Attributes:
        severity: "error" when a merge would be wrong, "warning" when it may be, "note" otherwise.
        message: What, where, and what to do.
    """

    severity: Literal["error", "warning", "note"]
    message: str


def errors(findings: Iterable[Finding]) -> list[str]:
    """What makes a merge wrong, of some findings."""
    return [finding.message for finding in findings if finding.severity == "error"]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What matters of one configuration.

    Attributes:
        parent: Where the file says that the language model came from, or "".
        facts: By name, what is compared.
        text: transformers' configuration of the language model.
        whole: That of the whole model.
        sees: Whether it is of a model that is also shown pictures.
        partial: Whether it is of a file that does not hold all, so that some are transformers' defaults.
    """

    parent: str
    facts: Mapping[str, Any]
    text: Any = field(repr=False)
    whole: Any = field(repr=False)
    sees: bool
    partial: bool = False

    @classmethod
    def read(cls, folder: Path, *, trust_remote_code: bool = False) -> "Configuration":
        """Read `config.json`, with transformers' defaults for what it leaves out.

        Raises:
            MergeError: If it is damaged, or of an architecture that transformers does not know.
        """
        from transformers import AutoConfig

        raw = read_config(folder)
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
        except Exception as error:  # unknown architectures and damaged values alike
            hint = ""
            if str(raw.get("model_type", "")).startswith("llava_"):
                hint = "; this is the LLaVA authors' own format: use the model's conversion under llava-hf"
            elif "auto_map" in raw and not trust_remote_code:
                hint = (
                    "; if you trust its authors, say `trust_remote_code: true` in a pair.yaml and give "
                    "--trust-remote-code (in Python trust_remote_code=True)"
                )
            raise MergeError(f"{folder / CONFIG}: {first_line(error).rstrip(' .')}{hint}") from error
        return cls.of(config, raw)

    @classmethod
    def of(cls, config: Any, raw: Mapping[str, Any] | None = None) -> "Configuration":
        """What matters of a configuration of transformers'.

        Args:
            config: The configuration.
            raw: As it is written; None if it is not.
        """
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as IMAGE_TEXT_TO_TEXT,
        )

        raw = raw or {}
        text = config.get_text_config()
        nested = raw.get("text_config") or {}
        heads = getattr(text, "num_attention_heads", None)
        hidden = getattr(text, "hidden_size", None)
        rope = {k: v for k, v in (getattr(text, "rope_parameters", None) or {}).items() if k != "mrope_section"}
        facts = {
            "architecture": text.model_type,
            "layers": _layers(text),
            "hidden size": hidden,
            "attention heads": heads,
            "key-value heads": getattr(text, "num_key_value_heads", None),
            "head size": getattr(text, "head_dim", None) or (hidden // heads if hidden and heads else None),
            "activation": getattr(text, "hidden_act", None),
            "experts": next(filter(None, (getattr(text, name, None) for name in EXPERTS)), None),
            "rope theta": rope.pop("rope_theta", getattr(text, "rope_theta", None)),
            "rope scaling": _scaling(rope),
            "sliding window": _window(text),
            "norm epsilon": getattr(text, "rms_norm_eps", None),
            "tied embeddings": bool(getattr(config, "tie_word_embeddings", False)),
            "context": getattr(text, "max_position_embeddings", None),
            "vocabulary": getattr(text, "vocab_size", None),
        }
        parent = nested.get("_name_or_path") or (raw.get("_name_or_path") if not nested else "") or ""
        sees = getattr(config, "vision_config", None) is not None or config.model_type in IMAGE_TEXT_TO_TEXT
        return cls(str(parent), facts, text, config, sees)

    @property
    def model_type(self) -> str:
        """As the file says; of a VLM, the whole model's."""
        return self.whole.model_type

    @property
    def tied(self) -> bool:
        """Whether it says that the head is the embeddings; what is stored may tell otherwise.

        It says so of the whole model or, where its class looks there, of its language model.
        """
        return self.facts["tied embeddings"]

    @property
    def plain(self) -> bool:
        """Whether it is a language model's, as its folder has it."""
        return not (self.sees or self.partial)

    def as_stored(self, *, tied: bool) -> "Configuration":
        """The same with what the weights tell of the head, which is what counts."""
        return replace(self, facts={**self.facts, "tied embeddings": tied})


def compare(configurations: Mapping[str, Configuration]) -> list[Finding]:
    """Where base or expert differ from the VLM.

    Args:
        configurations: Of "base", "vlm" and "expert".
    """
    ours = configurations["vlm"].facts
    findings = []
    for role in ("base", "expert"):
        unsaid = ("architecture", *(_NOT_IN_PARTS if configurations[role].partial else ()))
        for fact, theirs in configurations[role].facts.items():
            if theirs == ours[fact] or fact in unsaid:
                continue
            here, there = ("none" if value is None else value for value in (ours[fact], theirs))
            what = f"{fact}: {here} in the VLM, {there} in the {role}"
            if fact in _FATAL:
                findings.append(Finding("error", f"{what}; these are different architectures and cannot be merged"))
            elif fact == "vocabulary":
                findings.append(Finding("note", f"{what}; rows are matched by token"))
            elif fact == "tied embeddings":
                findings.append(Finding("warning", f"{what}; {_TIES[bool(ours[fact])].format(role=role)}"))
            elif fact == "context":
                findings.append(Finding("note", f"{what}; the VLM's is kept"))
            else:
                findings.append(_kept(what, role))
    return findings


def compare_functions(configurations: Mapping[str, Configuration]) -> list[Finding]:
    """Where base or expert compute otherwise than the VLM's language model, given the same weights.

    Args:
        configurations: Of "base", "vlm" and "expert", whose weights correspond in names and shapes.
    """
    ours = configurations["vlm"].text
    findings = []
    for role in ("base", "expert"):
        theirs = configurations[role].text
        if ours.model_type != theirs.model_type:
            what = f"architecture: {ours.model_type} in the VLM, {theirs.model_type} in the {role}"
            if why := tells_apart(ours, theirs):
                findings.append(Finding("error", f"{what}, {why}; these cannot be merged"))
                continue
            findings.append(Finding("note", f"{what}; they compute alike, as was tried on small models of both"))
        if configurations[role].partial:
            continue
        for name in numbers_apart(ours, theirs, besides=_COMPARED):
            what = f"{name}: {getattr(ours, name)} in the VLM, {getattr(theirs, name)} in the {role}"
            if name.endswith(("_act", "_activation")):
                findings.append(Finding("error", f"{what}; these are different architectures and cannot be merged"))
            else:
                findings.append(_kept(what, role))
    return findings


def _kept(what: str, role: str) -> Finding:
    return Finding("warning", f"{what}; the VLM's is kept, so the {role}'s skill may depend on it")


_TIES = {
    True: "the VLM's head is its embeddings, so the {role}'s own head is left out",
    False: "the {role}'s embeddings also serve as its head",
}


def _layers(text: Any) -> int | None:
    """Layers of the language model, without those that a VLM has between them."""
    count = getattr(text, "num_hidden_layers", None)
    return count - len(getattr(text, INSERTED, None) or ()) if count else count


def _scaling(rope: Mapping[str, Any]) -> str | None:
    """Rope parameters but for theta, as text; None for plain rope."""
    rest = {key: value for key, value in rope.items() if value is not None and key != "type"}
    # Qwen2-VL calls its rope "mrope" or "default"; on text alone both are plain.
    if rest.pop("rope_type", "default") in ("default", "mrope") and not rest:
        return None
    return ", ".join(f"{key} {value}" for key, value in sorted({**rope, **rest}.items()))


def _window(text: Any) -> int | None:
    # Qwen2 writes down a window that it does not use.
    return getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
