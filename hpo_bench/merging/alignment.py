"""Base, VLM and expert on disk, laid side by side: which tensor is which, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from hpo_bench.errors import MergeError, NotFiniteError
from hpo_bench.merging.backbone import EMBEDDINGS, HEAD, is_weight, language_tensors, prefixes_of
from hpo_bench.merging.checkpoint import Checkpoint
from hpo_bench.merging.configuration import Configuration, Finding, compare
from hpo_bench.merging.vocabulary import LEAST_SHARED, VocabularyMap, read_vocabulary
from hpo_bench.merging.wording import some

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair

_BY_ROW = (EMBEDDINGS, HEAD)


@dataclass(frozen=True, slots=True)
class Triple:
    """One tensor of base, VLM and expert, all of the VLM's shape, as they are stored."""

    base: torch.Tensor
    vlm: torch.Tensor
    expert: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Three checkpoints whose tensors are known to each other; only headers and tokenizers have been read.

    Attributes:
        checkpoints: Of "base", "vlm" and "expert".
        configurations: The same.
        prefixes: How names of the VLM begin, and those of the language model.
        language: Language model name to the VLM's name on disk, for every language tensor of the VLM.
        merged: Language model names of the tensors that are merged, in the VLM's order.
        vocabulary: Rows by token; None if neither embeddings nor head are merged.
        findings: What is wrong or should be known.
    """

    checkpoints: Mapping[str, Checkpoint]
    configurations: Mapping[str, Configuration]
    prefixes: Mapping[str, str]
    language: Mapping[str, str]
    merged: tuple[str, ...]
    vocabulary: VocabularyMap | None
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, pair: "Pair", *, trust_remote_code: bool = False) -> "Alignment":
        """Lay a pair's checkpoints side by side. What does not fit becomes a finding; see `check`.

        Raises:
            MergeError: If a checkpoint cannot be read, or the VLM's architecture is unknown.
        """
        trusted = trust_remote_code and pair.trust_remote_code
        folders = {"base": pair.base, "vlm": pair.vlm, "expert": pair.expert}
        checkpoints = {role: Checkpoint.open(folder) for role, folder in folders.items()}
        configurations = {
            role: Configuration.read(folder, trust_remote_code=trusted) for role, folder in folders.items()
        }
        findings = compare(configurations)
        prefixes = prefixes_of(configurations["vlm"].model_type, pair.language_prefixes)
        language = language_tensors(checkpoints["vlm"].tensors, prefixes)
        tied = {role: configuration.tied for role, configuration in configurations.items()}
        if tied["vlm"]:
            language.pop(HEAD, None)
        for role in ("base", "expert"):
            findings += _missing(role, language, checkpoints[role], tied=tied)
            findings += _misshapen(role, language, checkpoints["vlm"], checkpoints[role])
        merged = tuple(name for name in language if pair.merge.takes(name))
        vocabulary = None
        if any(name in _BY_ROW for name in merged) and not any(f.severity == "error" for f in findings):
            vocabulary = VocabularyMap.of(
                **{role: read_vocabulary(folder) for role, folder in folders.items()},
                rows={role: _rows(role, checkpoints[role], language) for role in folders},
            )
            findings += _strangers(vocabulary)
        return cls(checkpoints, configurations, prefixes, language, merged, vocabulary, tuple(findings))

    def check(self) -> None:
        """Refuse checkpoints that do not fit together.

        Raises:
            MergeError: With every reason.
        """
        if reasons := [finding.message for finding in self.findings if finding.severity == "error"]:
            raise MergeError("these checkpoints cannot be merged: " + "; ".join(reasons))

    def triple(self, name: str) -> Triple:
        """Read one tensor of all three, rows of embeddings and heads matched by token.

        Args:
            name: A language model name.

        Raises:
            NotFiniteError: If one holds NaN or infinity.
            MergeError: If one cannot be read.
        """
        vlm = self.read("vlm", self.language[name])
        base, expert = (self.read(role, self._name_in(role, name)) for role in ("base", "expert"))
        if name in _BY_ROW:
            if self.vocabulary is None:
                raise MergeError(f"{name} is left out of this merge, so its rows were not matched")
            base, expert = self.vocabulary.align(vlm, base, expert)
        return Triple(base=base, vlm=vlm, expert=expert)

    def read(self, role: str, name: str) -> torch.Tensor:
        """Read one tensor of one checkpoint, by its name on disk.

        Raises:
            NotFiniteError: If it holds NaN or infinity.
            MergeError: If it cannot be read.
        """
        tensor = self.checkpoints[role].tensor(name)
        check_finite(tensor, f"{self.checkpoints[role].folder}: {name}")
        return tensor

    @property
    def copied(self) -> tuple[str, ...]:
        """Names on disk of the VLM's tensors that are not merged, language or not: a merge has them bit for bit."""
        merged = {self.language[name] for name in self.merged}
        return tuple(name for name in self.checkpoints["vlm"].tensors if name not in merged)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the three checkpoints lie."""
        return tuple(checkpoint.folder for checkpoint in self.checkpoints.values())

    @property
    def stored_dtype(self) -> torch.dtype:
        """What the VLM's language tensors are stored in; the widest, should they differ."""
        tensors = self.checkpoints["vlm"].tensors
        dtypes = {tensors[name].dtype for name in self.language.values()}
        return max(dtypes, key=lambda dtype: torch.finfo(dtype).bits)

    def elements(self, names: Iterable[str]) -> int:
        """How many weights the tensors of these language model names have."""
        tensors = self.checkpoints["vlm"].tensors
        return sum(torch.Size(tensors[self.language[name]].shape).numel() for name in names)

    def _name_in(self, role: str, name: str) -> str:
        # A tied model has no head of its own on disk, or one that is not used.
        tied = name == HEAD and self.configurations[role].tied
        return EMBEDDINGS if tied else name


def check_finite(tensor: torch.Tensor, what: str) -> None:
    """Refuse weights that are no numbers.

    Raises:
        NotFiniteError: If there are any.
    """
    finite = torch.isfinite(tensor)
    if not finite.all():
        bad = int((~finite).sum())
        raise NotFiniteError(f"{what} holds {bad} weights that are NaN or infinite; fetch it anew, or ask its authors")


def _rows(role: str, checkpoint: Checkpoint, language: Mapping[str, str]) -> int:
    name = language[EMBEDDINGS] if role == "vlm" else EMBEDDINGS
    return checkpoint.tensors[name].shape[0]


def _missing(
    role: str, language: Mapping[str, str], checkpoint: Checkpoint, *, tied: Mapping[str, bool]
) -> list[Finding]:
    """Names without a counterpart. A tied head is the embeddings, on whichever side."""
    ours = set(language)
    theirs = {name for name in checkpoint.tensors if is_weight(name)}
    if tied["vlm"]:
        theirs -= {HEAD}
    elif tied[role]:
        theirs |= {HEAD}
    findings = []
    if extra := ours - theirs:
        findings.append(Finding("error", f"language tensors of the VLM that the {role} lacks: {some(extra)}"))
    if missing := theirs - ours:
        findings.append(Finding("error", f"tensors of the {role} that no tensor of the VLM maps to: {some(missing)}"))
    return findings


def _misshapen(role: str, language: Mapping[str, str], vlm: Checkpoint, other: Checkpoint) -> list[Finding]:
    findings = []
    for name, ours in language.items():
        if name not in other.tensors:
            continue
        here, there = vlm.tensors[ours].shape, other.tensors[name].shape
        if name in _BY_ROW:
            here, there = here[1:], there[1:]
        if here != there:
            findings.append(
                Finding(
                    "error",
                    f"{name} is {vlm.tensors[ours].shape} in the VLM and {other.tensors[name].shape} in the {role}",
                )
            )
    if len(findings) > 3:
        more = len(findings) - 3
        findings = [*findings[:3], Finding("error", f"and {more} more tensors have other shapes in the {role}")]
    return findings


def _strangers(vocabulary: VocabularyMap) -> list[Finding]:
    return [
        Finding(
            "error",
            f"the {role} shares only {vocabulary.share(role):.0%} of its tokens with the VLM; vocabularies of one "
            f"family share at least {LEAST_SHARED:.0%}, so this is another family's model",
        )
        for role in ("base", "expert")
        if vocabulary.share(role) < LEAST_SHARED
    ]
