"""Reading `pair.yaml`: which keys there are, and what may stand under them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.merging.scope import MergeScope
from landscapes.written import Text, parse_record, read_yaml
from surrogates.spelling import offer

ROLES = ("base", "vlm", "expert")
FILE = "pair.yaml"
_CALIBRATION = ("examples", "vlm", "expert")
_MODEL = {"write": "a folder beside it, or hf://owner/name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What is known of a pair besides where its models lie.

    Attributes:
        name: What landscapes recorded from it are called by.
        tier: "nano", "pretrained" or "elsewhere", for the cards of its landscapes, or "".
        domain: "language", "maths" or "instructions", or "".
        benchmark: Name of the benchmark, or "".
        licence: Of the examples and weights, or "".
        notes: What a user of its scores should know, or "".
        traps: What is easily got wrong with these models.
        merge: What of the language backbone is merged, and in which dtype.
        evaluation: How merges are evaluated, as written in the file.
        calibration: Data for methods that look at activations or gradients, as written in the file.
        language_prefixes: How names of the VLM's language tensors begin, in memory or on disk, and how the language
            model's do, as in `{model.language_model.: model., lm_head.: lm_head.}`; empty where they are to be found.
        trust_remote_code: Whether code that comes with the VLM is needed; it runs only if the user allows it as well.
    """

    name: Text = field(metadata={"write": "the pair's name"})
    tier: str = ""
    domain: str = ""
    benchmark: str = ""
    licence: str = ""
    notes: str = ""
    traps: tuple[str, ...] = ()
    merge: MergeScope = field(default_factory=MergeScope)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    language_prefixes: Mapping[str, str] = field(default_factory=dict)
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(PairFacts):
    """What a `pair.yaml` says, as it is written there.

    Attributes:
        base: Where the common base language model lies.
        vlm: Where the vision-language model does.
        expert: Where the expert language model does.
        examples: Where the benchmark's examples are, or "".
    """

    base: Text = field(metadata=_MODEL)
    vlm: Text = field(metadata=_MODEL)
    expert: Text = field(metadata=_MODEL)
    examples: str = ""

    def __post_init__(self) -> None:
        for key in self.calibration:
            if key not in _CALIBRATION:
                raise UsageError(f"there is no key {key!r} in calibration; {offer(str(key), _CALIBRATION)}")

    @classmethod
    def read(cls, file: Path) -> "Manifest":
        """A pair's description, every key of which is known and of the right type.

        Raises:
            UsageError: If the file is missing, is not YAML, lacks a key, or has one twice, unknown
                or of the wrong type.
        """
        return parse_record(read_yaml(file, wrong=UsageError), cls, where=str(file), wrong=UsageError)


KEYS = tuple(one.name for one in fields(Manifest))
FACTS = tuple(one.name for one in fields(PairFacts))
