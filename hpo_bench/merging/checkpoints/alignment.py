"""Base, VLM and expert on disk, laid side by side: which tensor is which, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from hpo_bench.display.words import some
from hpo_bench.errors import MergeError, NotFiniteError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD, prefixes_of
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.configuration import Configuration, Finding, compare, compare_functions
from hpo_bench.merging.checkpoints.identification import made_of
from hpo_bench.merging.checkpoints.naming import Naming
from hpo_bench.merging.checkpoints.vocabulary import LEAST_SHARED, VocabularyMap, read_vocabulary

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair

_BY_ROW = (EMBEDDINGS, HEAD, "lm_head.bias")


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
        names: What is called how in each.
        merged: Language model names of the tensors that are merged, in the VLM's order.
        vocabularies: Rows by token, of embeddings and head, as far as they are merged.
        findings: What is wrong or should be known.
    """

    checkpoints: Mapping[str, Checkpoint]
    configurations: Mapping[str, Configuration]
    prefixes: Mapping[str, str]
    names: Mapping[str, Naming]
    merged: tuple[str, ...]
    vocabularies: Mapping[str, VocabularyMap]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, pair: "Pair", *, trust_remote_code: bool = False) -> "Alignment":
        """Lay a pair's checkpoints side by side. What does not fit becomes a finding; see `check`.

        Raises:
            MergeError: If a checkpoint cannot be read, is not of the kind that its role asks for, or the VLM's
                architecture is unknown.
        """
        trusted = trust_remote_code and pair.trust_remote_code
        folders = {"base": pair.base, "vlm": pair.vlm, "expert": pair.expert}
        checkpoints = {role: Checkpoint.open(folder) for role, folder in folders.items()}
        configurations = {
            role: Configuration.read(folder, trust_remote_code=trusted) for role, folder in folders.items()
        }
        _check_roles(configurations, checkpoints, explicit=bool(pair.language_prefixes))
        prefixes = prefixes_of(configurations["vlm"].model_type, pair.language_prefixes)
        names = {
            role: Naming.of(
                checkpoint, says_tied=configurations[role].tied, prefixes=prefixes if role == "vlm" else None
            )
            for role, checkpoint in checkpoints.items()
        }
        findings = [*_overruled(configurations, names), *_unread(checkpoints)]
        configurations = {role: each.as_stored(tied=names[role].tied) for role, each in configurations.items()}
        findings += compare(configurations)
        language = names["vlm"].names
        if not names["vlm"].tied and HEAD not in language and HEAD not in names["base"].names:
            said = "the VLM stores no head, and its configuration does not say `tie_word_embeddings: true`"
            findings.append(Finding("error", said))
        for role in ("base", "expert"):
            findings += _missing(role, names)
            findings += _misshapen(role, language, checkpoints["vlm"], names[role], checkpoints[role])
        if not any(finding.severity == "error" for finding in findings):
            findings += compare_functions(configurations)
        merged = tuple(name for name in language if pair.merge.takes(name))
        vocabularies: dict[str, VocabularyMap] = {}
        by_row = [name for name in _BY_ROW if name in merged]
        if by_row and not any(f.severity == "error" for f in findings):
            tokens = {role: read_vocabulary(folder) for role, folder in folders.items()}
            rows = {name: _rows(name, checkpoints, names) for name in by_row}
            for name in by_row:
                alike = next((other for other in vocabularies if rows[other] == rows[name]), None)
                vocabularies[name] = vocabularies[alike] if alike else VocabularyMap.of(**tokens, rows=rows[name])
            findings += _strangers(vocabularies[by_row[0]])
        findings += _half_grown(checkpoints, configurations, names)
        return cls(checkpoints, configurations, prefixes, names, merged, vocabularies, tuple(findings))

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
        base, vlm, expert = (self.read(role, self.names[role].place(name)) for role in ("base", "vlm", "expert"))
        if name in _BY_ROW:
            if name not in self.vocabularies:
                raise MergeError(f"{name} is left out of this merge, so its rows were not matched")
            base, expert = self.vocabularies[name].align(vlm, base, expert)
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
    def language(self) -> Mapping[str, str]:
        """Language model name to the VLM's name on disk, for every language tensor; a tied VLM has no head."""
        return self.names["vlm"].names

    @property
    def vocabulary(self) -> VocabularyMap | None:
        """Rows of the embeddings by token, or of the head where it alone is merged; None if neither is."""
        return next(iter(self.vocabularies.values()), None)

    def merged_name(self, stored: str) -> str | None:
        """The language model name of what the VLM stores under a name, if that is merged."""
        name = self.names["vlm"].stored.get(stored)
        return name if name in self.merged else None

    @property
    def copied(self) -> tuple[str, ...]:
        """Names on disk of the VLM's tensors that are not merged, language or not: a merge has them bit for bit."""
        merged = set(self.merged)
        stored = self.names["vlm"].stored
        return tuple(name for name in self.checkpoints["vlm"].tensors if stored.get(name) not in merged)

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
        return sum(tensors[self.language[name]].elements for name in names)


def check_finite(tensor: torch.Tensor, what: str) -> None:
    """Refuse weights that are no numbers.

    Raises:
        NotFiniteError: If there are any.
    """
    finite = torch.isfinite(tensor)
    if not finite.all():
        bad = int((~finite).sum())
        raise NotFiniteError(f"{what} holds {bad} weights that are NaN or infinite; fetch it anew, or ask its authors")


def _check_roles(
    configurations: Mapping[str, Configuration], checkpoints: Mapping[str, Checkpoint], *, explicit: bool
) -> None:
    if not configurations["vlm"].sees and not explicit:
        swapped = next((role for role in ("expert", "base") if configurations[role].sees), None)
        raise MergeError(
            f"{checkpoints['vlm'].folder} is given as the VLM and is a language model "
            f"({configurations['vlm'].model_type}){made_of(checkpoints['vlm'].folder)}; "
            + (f"are VLM and {swapped} swapped?" if swapped else "give the vision-language model")
        )
    for role in ("base", "expert"):
        if configurations[role].sees:
            folder = checkpoints[role].folder
            taken_out = f"hpo-bench graft extract --base BASE --vlm {folder} --expert BASE --out parts"
            raise MergeError(
                f"{folder} is given as the {role} and is a vision-language model ({configurations[role].model_type})"
                f"{made_of(folder)}; give a language model, such as its language backbone, which `{taken_out}` writes "
                "as parts/vlm"
            )


def _rows(name: str, checkpoints: Mapping[str, Checkpoint], names: Mapping[str, Naming]) -> dict[str, int]:
    return {role: checkpoint.tensors[names[role].place(name)].shape[0] for role, checkpoint in checkpoints.items()}


def _overruled(configurations: Mapping[str, Configuration], names: Mapping[str, Naming]) -> list[Finding]:
    """Where the weights tell otherwise than the configuration."""
    return [
        Finding(
            "note",
            f"the {role}'s configuration says that its head is its embeddings, but it stores a head of other values; "
            "as in transformers, which then keeps them apart, the head is its own",
        )
        for role, configuration in configurations.items()
        if configuration.tied and not names[role].tied
    ]


def _unread(checkpoints: Mapping[str, Checkpoint]) -> list[Finding]:
    return [
        Finding(
            "warning",
            f"the {role}'s folder also holds {some(checkpoint.unread)}, which transformers does not load beside "
            f"{some(checkpoint.files)}, and neither does a merge: {checkpoint.folder} may be a mixture of two models",
        )
        for role, checkpoint in checkpoints.items()
        if checkpoint.unread
    ]


def _missing(role: str, names: Mapping[str, Naming]) -> list[Finding]:
    """Names without a counterpart. A tied head is the embeddings, on whichever side."""
    ours, theirs = set(names["vlm"].names), set(names[role].names)
    if names["vlm"].tied:
        theirs -= {HEAD}
    elif names[role].tied:
        theirs |= {HEAD}
    findings = []
    if extra := ours - theirs:
        findings.append(Finding("error", f"language tensors of the VLM that the {role} lacks: {some(extra)}"))
    if missing := theirs - ours:
        findings.append(Finding("error", f"tensors of the {role} that no tensor of the VLM maps to: {some(missing)}"))
    return findings


def _misshapen(
    role: str, language: Mapping[str, str], vlm: Checkpoint, naming: Naming, other: Checkpoint
) -> list[Finding]:
    findings = []
    for name, ours in language.items():
        if name not in naming.names:
            continue
        here, there = vlm.tensors[ours].shape, other.tensors[naming.names[name]].shape
        alike = here[1:] == there[1:] and len(here) == len(there) if name in _BY_ROW else here == there
        if not alike:
            findings.append(Finding("error", f"{name} is {here} in the VLM and {there} in the {role}"))
    if len(findings) > 3:
        more = len(findings) - 3
        findings = [*findings[:3], Finding("error", f"and {more} more tensors have other shapes in the {role}")]
    return findings


def _half_grown(
    checkpoints: Mapping[str, Checkpoint], configurations: Mapping[str, Configuration], names: Mapping[str, Naming]
) -> list[Finding]:
    """Embeddings, head and configuration that do not have the same vocabulary, which transformers cannot load."""
    findings = []
    for role, checkpoint in checkpoints.items():
        rows = {
            part: checkpoint.tensors[names[role].names[name]].shape[0]
            for part, name in (("embeddings", EMBEDDINGS), ("head", HEAD))
            if name in names[role].names
        }
        rows["configuration"] = configurations[role].facts["vocabulary"] or 0
        if len({*rows.values()} - {0}) < 2:
            continue
        counts = ", ".join(f"{part} {count}" for part, count in rows.items())
        what = f"the {role}'s embeddings, head and configuration do not have as many rows ({counts})"
        if role == "vlm":
            findings.append(
                Finding("error", f"{what}, so transformers cannot load it; `resize_token_embeddings` makes them alike")
            )
        else:
            findings.append(
                Finding(
                    "warning", f"{what}; a token without a row is taken for one that the {role} does not know there"
                )
            )
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
