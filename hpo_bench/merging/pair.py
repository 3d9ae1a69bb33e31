"""A VLM, an expert and their common base: where they lie, and all three in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD, language_tensors
from hpo_bench.merging.checkpoints.alignment import Alignment, check_finite
from hpo_bench.merging.doctor.plausibility import check_base
from hpo_bench.merging.engine.devices import check_device
from hpo_bench.merging.engine.memory import check_memory, weight_bytes
from hpo_bench.merging.manifest import FILE, ROLES, TEXTS, read_manifest
from hpo_bench.merging.processor import load_processor
from hpo_bench.merging.scope import DTYPES, MergeScope
from hpo_bench.merging.source import HubModel, parse_path, parse_source
from hpo_bench.merging.wording import first_line, gib, some


@dataclass(frozen=True, slots=True)
class Pair:
    """Three models that can be merged, as a `pair.yaml` or three paths say.

    Attributes:
        folder: What its paths start from; a `pair.yaml` names nothing outside it, but for models on the hub.
        name: What landscapes recorded from it are called by.
        sources: Where "base", "vlm" and "expert" lie: a folder, or a model on the hub.
        file: The YAML file that it was read from; None if it is of three places.
        examples_file: The benchmark's examples, a parquet file; None if it has none of its own.
        domain: "language", "maths" or "instructions", or "".
        benchmark: Name of the benchmark, or "".
        licence: Of the examples and weights, or "".
        notes: What a user of its scores should know, or "".
        traps: What is easily got wrong with these models.
        merge: What of the language backbone is merged, and in which dtype.
        evaluation: How merges are evaluated, as written in the file.
        calibration: Data for methods that look at activations or gradients, as written in the file.
        language_prefixes: For an architecture that is not built in: how names of the VLM's language tensors begin, in
            memory and on disk, and how the language model's do; `{model.language_model.: model., lm_head.: lm_head.}`.
        trust_remote_code: Whether code that comes with the VLM is needed; it runs only if the user allows it as well.
    """

    folder: Path
    name: str
    sources: Mapping[str, Path | HubModel]
    file: Path | None = None
    examples_file: Path | None = None
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

    @classmethod
    def read(cls, path: Path) -> "Pair":
        """Read a pair's description.

        Args:
            path: A YAML file, or a folder with a `pair.yaml`.

        Raises:
            UsageError: If the file is missing, is not YAML, lacks a key, has one that is unknown or of the wrong type,
                or names a path outside its folder.
        """
        file = path / FILE if path.is_dir() or path.suffix not in (".yaml", ".yml") else path
        content = read_manifest(file)
        folder = file.parent
        examples = content.get("examples")
        return cls(
            folder=folder,
            name=content["name"],
            file=file,
            sources={
                role: parse_source(content[role], folder, confined=True, where=f"{file}: {role}") for role in ROLES
            },
            examples_file=parse_path(examples, folder, confined=True, where=str(file)) if examples else None,
            traps=tuple(content.get("traps", ())),
            merge=MergeScope.parse(content.get("merge", {}), str(file)),
            evaluation=content.get("evaluation", {}),
            calibration=content.get("calibration", {}),
            language_prefixes=content.get("language_prefixes", {}),
            trust_remote_code=content.get("trust_remote_code", False),
            **{key: content.get(key, "") for key in TEXTS},
        )

    @classmethod
    def of(cls, *, base: str, vlm: str, expert: str, name: str = "pair", merge: MergeScope | None = None) -> "Pair":
        """A pair of three paths or hub models (`hf://owner/name`), which may lie anywhere.

        Raises:
            UsageError: If one does not exist.
        """
        here = Path.cwd()
        given = {"base": base, "vlm": vlm, "expert": expert}
        sources = {role: parse_source(text, here, confined=False, where=f"--{role}") for role, text in given.items()}
        return cls(folder=here, name=name, sources=sources, merge=merge or MergeScope())

    @property
    def base(self) -> Path:
        """Folder of the common base language model; fetched if it is on the hub and not here yet."""
        return self._local("base")

    @property
    def vlm(self) -> Path:
        """Folder of the vision-language model; fetched if it is on the hub and not here yet."""
        return self._local("vlm")

    @property
    def expert(self) -> Path:
        """Folder of the expert language model; fetched if it is on the hub and not here yet."""
        return self._local("expert")

    @property
    def examples(self) -> Path:
        """The benchmark's examples: the file that the evaluation names, or else the pair's own.

        Raises:
            UsageError: If neither names one, or what the evaluation names is not there.
        """
        named = self.evaluation.get("examples")
        if named is not None:
            where = f"{self.file or self.folder / FILE}, evaluation"
            if not isinstance(named, str):
                raise UsageError(f"{where}: examples must be a path, not {str(named)[:80]!r}")
            return parse_path(named, self.folder, confined=True, where=where)
        if self.examples_file is None:
            raise UsageError(
                f"pair {self.name!r} has no examples of its own; name a file as `examples` in its {FILE}, or "
                "another evaluator under `evaluation`"
            )
        return self.examples_file

    @property
    def arguments(self) -> str:
        """How a command is told of this pair."""
        return self.name if self.file else " ".join(f"--{role} {source}" for role, source in self.sources.items())

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of those models that are not on the hub."""
        return tuple(source for source in self.sources.values() if isinstance(source, Path))

    def described_sources(self) -> dict[str, str]:
        """Where each role's model is from; within the pair's folder, the path from there."""
        described = {}
        for role, source in self.sources.items():
            if isinstance(source, Path) and self.file is not None:
                source = source.relative_to(self.folder.resolve())  # a published file need not tell where that is
            described[role] = str(source)
        return described

    def file_hashes(self) -> dict[str, dict[str, str]]:
        """SHA-256 of every safetensors file of each role, and of the examples if there are any."""
        files = {role: sorted(self._local(role).glob("*.safetensors")) for role in ROLES}
        if self.examples_file is not None or "examples" in self.evaluation:
            files["examples"] = [self.examples]
        return {role: {path.name: _sha256(path) for path in paths} for role, paths in files.items()}

    def _local(self, role: str) -> Path:
        source = self.sources[role]
        return source if isinstance(source, Path) else source.fetch()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPair:
    """A pair in memory.

    Attributes:
        vlm: The live VLM, into whose parameters merges are written.
        processor: Its processor; None if its folder holds none.
        names: VLM name to language model name, for every parameter that is merged.
        base: State of the base, by language model name, with the VLM's vocabulary rows.
        tuned: The VLM's own language weights, by language model name; a copy that merging does not touch.
        expert: State of the expert, by language model name, with the VLM's vocabulary rows.
    """

    vlm: Any
    processor: Any
    names: dict[str, str]
    base: dict[str, torch.Tensor]
    tuned: dict[str, torch.Tensor]
    expert: dict[str, torch.Tensor]

    @classmethod
    def load(
        cls,
        pair: Pair,
        *,
        dtype: str | None = None,
        device: torch.device | str | None = None,
        trust_remote_code: bool = False,
    ) -> "LoadedPair":
        """Load all three models from safetensors, base and expert tensor by tensor.

        Args:
            pair: What to load.
            dtype: "float32", "bfloat16" or "stored"; by default what the pair says.
            device: Where everything goes; by default the CPU.
            trust_remote_code: Whether the user allows code that comes with the VLM to run; the pair must ask too.

        Raises:
            UsageError: If the dtype is unknown or the device not there.
            MergeError: If a checkpoint cannot be loaded or holds NaN, the three do not fit together, or memory does not
                suffice.
        """
        scope = dtype or pair.merge.dtype
        if scope not in DTYPES:
            raise UsageError(f"dtype must be one of {', '.join(DTYPES)}, not {scope!r}")
        if device is not None:
            device = check_device(device)
        alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
        alignment.check()
        kept = DTYPES[scope] or alignment.stored_dtype
        check_base(alignment)
        _check_fits(alignment, kept, device)
        trusted = trust_remote_code and pair.trust_remote_code
        vlm = _load_vlm(pair.vlm, kept, trusted).to(device) if device else _load_vlm(pair.vlm, kept, trusted)
        processor = load_processor(pair.vlm, trusted=trusted)
        state = vlm.state_dict()
        names = _names_in_memory(state, alignment)
        for ours, parameter in vlm.named_parameters():
            if ours not in names:  # what is merged is looked at as it is read below
                check_finite(parameter, f"{pair.vlm}: {ours}")
        base, tuned, expert = {}, {}, {}
        for ours, theirs in names.items():
            triple = alignment.triple(theirs)
            base[theirs] = triple.base.to(device=device, dtype=kept)
            expert[theirs] = triple.expert.to(device=device, dtype=kept)
            tuned[theirs] = state[ours].clone()
        return cls(vlm=vlm, processor=processor, names=names, base=base, tuned=tuned, expert=expert)

    def write_language(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put language weights, by language model name, into the live VLM in place."""
        state = self.vlm.state_dict()
        with torch.no_grad():
            for ours, theirs in self.names.items():
                state[ours].copy_(weights[theirs])

    def read_language(self) -> dict[str, torch.Tensor]:
        """The live VLM's present language weights, by language model name; not copied."""
        state = self.vlm.state_dict()
        return {theirs: state[ours] for ours, theirs in self.names.items()}


def _check_fits(alignment: Alignment, dtype: torch.dtype, device: torch.device | str | None) -> None:
    vlm, merged = alignment.checkpoints["vlm"].elements, alignment.elements(alignment.merged)
    needed = weight_bytes(vlm, merged, dtype)
    half = "" if dtype.itemsize < 4 else f"in bfloat16 it needs {gib(weight_bytes(vlm, merged, torch.bfloat16))}; "
    check_memory(
        needed,
        device=device,
        what="keeping base, VLM and expert at hand",
        instead=f"{half}a single merge can be streamed from disk to disk with `hpo-bench merge --stream`",
    )


def _load_vlm(folder: Path, dtype: torch.dtype, trusted: bool) -> Any:
    from transformers import AutoModelForImageTextToText

    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trusted,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a broken file makes transformers raise
        raise MergeError(f"{folder}: cannot be loaded: {first_line(error)}") from error
    vlm, info = loaded
    # transformers fills what is missing with random weights, and only warns.
    if absent := set(info["missing_keys"]):
        raise MergeError(
            f"{folder}: the checkpoint lacks weights of its own architecture: {some(absent)}; fetch it anew"
        )
    return vlm.eval()


def _names_in_memory(state: Mapping[str, torch.Tensor], alignment: Alignment) -> dict[str, str]:
    """VLM name in memory to language model name, of what is merged, in the order of the model."""
    found = language_tensors(state, alignment.prefixes)
    if EMBEDDINGS in found and HEAD in found:
        tied = state[found[EMBEDDINGS]].data_ptr() == state[found[HEAD]].data_ptr()
        if tied != alignment.names["vlm"].tied:
            raise MergeError(
                "the VLM's head and embeddings are stored with other values, which are the same in "
                f"{str(state[found[HEAD]].dtype).removeprefix('torch.')}; merge in float32 or as stored"
                if tied
                else "the VLM's architecture keeps its head apart from its embeddings, and its configuration says that "
                "they are tied; say `tie_word_embeddings: false` there, and store both"
            )
        if tied:
            found.pop(HEAD)
    if set(found) != set(alignment.language):
        live, stored = set(found), set(alignment.language)
        raise MergeError(
            "the VLM's language tensors have other names in memory than its files say: only in memory "
            f"{some(live - stored)}; only in its files {some(stored - live)}; "
            "give `language_prefixes` for both in pair.yaml"
        )
    return {found[theirs]: theirs for theirs in found if theirs in set(alignment.merged)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
