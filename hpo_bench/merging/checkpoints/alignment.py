"""Base, VLM and expert on disk, laid side by side: which tensor is which, row by row."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from hpo_bench.errors import MergeError, NotFiniteError
from hpo_bench.merging.architectures import BY_ROW, HEAD
from hpo_bench.merging.checkpoints.backbone import Backbone, explicit_backbone, find_backbone, language_names, strays_of
from hpo_bench.merging.checkpoints.configuration import Configuration, Finding, compare, compare_functions, errors
from hpo_bench.merging.checkpoints.misfits import (
    half_grown,
    incomplete,
    misshapen,
    missing_names,
    overruled,
    strangers,
    taken,
    unread_files,
    unused_tensors,
)
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.naming import Naming
from hpo_bench.merging.checkpoints.opening import open_models
from hpo_bench.merging.checkpoints.skeleton import Shape
from hpo_bench.merging.checkpoints.vocabulary import VocabularyMap, read_vocabulary

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair


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
        models: Of "base", "vlm" and "expert".
        configurations: The same.
        backbone: The VLM's language tensors, as they were found or given.
        names: What is called how in each.
        merged: Language model names of the tensors that are merged, in the VLM's order.
        vocabularies: Rows by token, of embeddings and head, as far as they are merged.
        findings: What is wrong or should be known.
    """

    models: Mapping[str, StoredModel]
    configurations: Mapping[str, Configuration]
    backbone: Backbone
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
        models = open_models(
            folders,
            {role: str(source) for role, source in pair.sources.items()},
            explicit=bool(pair.language_prefixes),
            trust_remote_code=trusted,
        )
        configurations = {role: model.configuration for role, model in models.items()}
        language: dict[str, Mapping[str, str]] = {role: language_names(models[role]) for role in ("base", "expert")}
        if pair.language_prefixes:
            backbone = explicit_backbone(models["vlm"], pair.language_prefixes)
        else:
            backbone = find_backbone(models["vlm"], _shapes(models["base"], language["base"]))
        language["vlm"] = backbone.names
        names = {role: Naming.of(model, language[role]) for role, model in models.items()}
        findings = [*overruled(configurations, names), *unread_files(models), *unused_tensors(models), *taken(models)]
        configurations = {role: each.as_stored(tied=names[role].tied) for role, each in configurations.items()}
        findings += compare(configurations)
        stored = names["vlm"].names
        if not names["vlm"].tied and HEAD not in stored and HEAD not in names["base"].names:
            said = "the VLM stores no head, and its configuration does not say `tie_word_embeddings: true`"
            findings.append(Finding("error", said))
        strays = {role: strays_of(model, language[role]) for role, model in models.items()}
        for role in ("base", "expert"):
            findings += missing_names(role, names, strays)
            findings += misshapen(role, models, names)
        if not errors(findings):
            findings += compare_functions(configurations)
        tensors = models["vlm"].tensors
        merged = tuple(
            name for name, ours in stored.items() if pair.merge.takes(name) and tensors[ours].dtype.is_floating_point
        )
        vocabularies: dict[str, VocabularyMap] = {}
        by_row = [name for name in BY_ROW if name in merged]
        if by_row and not errors(findings):
            tokens = {role: read_vocabulary(one.tokenizer) for role, one in models.items()}
            rows = {name: _rows(name, models, names) for name in by_row}
            for name in by_row:
                alike = next((other for other in vocabularies if rows[other] == rows[name]), None)
                vocabularies[name] = vocabularies[alike] if alike else VocabularyMap.of(**tokens, rows=rows[name])
            findings += strangers(vocabularies[by_row[0]])
        findings += half_grown(models, configurations, names)
        findings += incomplete(models["vlm"], {*backbone.names.values()})
        return cls(models, configurations, backbone, names, merged, vocabularies, tuple(findings))

    def check(self) -> None:
        """Refuse checkpoints that do not fit together.

        Raises:
            MergeError: With every reason.
        """
        if reasons := errors(self.findings):
            cure = (
                "mend language_prefixes in pair.yaml, or --language-prefix; without them names are found"
                if self.backbone.explicit
                else "give a VLM, its base and an expert of that base; `hpo-bench doctor` says how these differ"
            )
            raise MergeError(f"these checkpoints cannot be merged: {'; '.join(reasons)}; {cure}")

    def triple(self, name: str) -> Triple:
        """Read one tensor of all three, rows of embeddings and heads matched by token.

        Args:
            name: A language model name.

        Raises:
            NotFiniteError: If one holds NaN or infinity.
            MergeError: If one cannot be read.
        """
        base, vlm, expert = (self.read(role, self.names[role].place(name)) for role in ("base", "vlm", "expert"))
        if name in BY_ROW:
            if name not in self.vocabularies:
                raise MergeError(f"{name} is left out of this merge, so its rows were not matched")
            base, expert = self.vocabularies[name].align(vlm, base, expert)
        return Triple(base=base, vlm=vlm, expert=expert)

    def read(self, role: str, name: str) -> torch.Tensor:
        """Read one tensor of one model, by its name in memory.

        Raises:
            NotFiniteError: If it holds NaN or infinity.
            MergeError: If it cannot be read.
        """
        tensor = self.models[role].tensor(name)
        check_finite(tensor, f"{self.models[role].folder}: {self.models[role].place(name)}")
        return tensor

    def read_copied(self, stored: str) -> torch.Tensor:
        """Read one of the VLM's tensors that is not merged, by its name on disk; errors as for `read`."""
        checkpoint = self.models["vlm"].checkpoint
        tensor = checkpoint.tensor(stored)
        check_finite(tensor, f"{checkpoint.folder}: {stored}")
        return tensor

    @property
    def language(self) -> Mapping[str, str]:
        """Language model name to the VLM's name in memory, for every language tensor; a tied VLM has no head."""
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
        return tuple(name for name in self.models["vlm"].checkpoint.tensors if stored.get(name) not in merged)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the three checkpoints lie."""
        return tuple(model.folder for model in self.models.values())

    def stored_as(self, name: str) -> torch.dtype:
        """What the VLM stores one tensor in, by its language model name."""
        return self.models["vlm"].tensors[self.language[name]].dtype

    @property
    def stored_dtype(self) -> torch.dtype:
        """What most of the VLM's language weights are stored in: a norm of another type does not make it the VLM's."""
        weights: Counter[torch.dtype] = Counter()
        for name in self.language:
            weights[self.stored_as(name)] += self.elements([name])
        return max(weights, key=weights.__getitem__)

    @property
    def widest_dtype(self) -> torch.dtype:
        """What holds each of the VLM's language weights as it is stored; of double precision float32, as in merges."""
        dtypes = filter(lambda dtype: dtype.is_floating_point, map(self.stored_as, self.language))
        widest = max(dtypes, key=lambda dtype: torch.finfo(dtype).bits)
        return torch.float32 if widest == torch.float64 else widest

    def elements(self, names: Iterable[str]) -> int:
        """How many weights the tensors of these language model names have."""
        tensors = self.models["vlm"].tensors
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


def _shapes(model: StoredModel, language: Mapping[str, str]) -> dict[str, Shape]:
    return {
        name: model.tensors[ours].shape if ours in model.tensors else model.skeleton.shapes[ours]
        for name, ours in language.items()
    }


def _rows(name: str, models: Mapping[str, StoredModel], names: Mapping[str, Naming]) -> dict[str, int]:
    return {role: model.tensors[names[role].place(name)].shape[0] for role, model in models.items()}
