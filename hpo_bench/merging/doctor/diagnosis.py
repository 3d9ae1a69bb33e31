"""Everything that should be known of a pair before anything is spent on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from hpo_bench.display.words import gib
from hpo_bench.errors import MergeError, NotFiniteError
from hpo_bench.merging.architectures import KINDS, kind_of, layer_of
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.configuration import Finding, errors
from hpo_bench.merging.checkpoints.plausibility import (
    Products,
    Progress,
    judge,
    judge_rows,
    matrices,
    rows_of,
    total,
)
from hpo_bench.merging.doctor.candidates import Candidate, candidate_of, try_candidate
from hpo_bench.merging.doctor.distances import PUBLISHED, by_kind, suggest
from hpo_bench.merging.engine.footprint import resident_bytes
from hpo_bench.merging.manifest import ROLES
from hpo_bench.merging.memory import available_memory, free_disk
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import chat_template, disagreements, load_processor
from hpo_bench.merging.scope import DTYPES, check_dtype
from hpo_bench.merging.source import HubModel

_MOST_UNSOUND = 3


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """What the doctor found.

    Attributes:
        pair: Whom it is about.
        alignment: What maps to what.
        products: Of every merged tensor that holds numbers alone, by language model name; empty if the checkpoints do
            not fit together.
        candidates: The pair's base and others, the nearest first; empty if no other was asked about.
        memory: Bytes that live tuning by any method keeps in memory, by dtype.
        memory_free: Bytes of memory that are free now.
        disk: Bytes of an exported merge.
        disk_free: Bytes that are free where the user is.
        findings: All of them, the gravest first.
    """

    pair: Pair
    alignment: Alignment
    products: Mapping[str, Products]
    candidates: tuple[Candidate, ...]
    memory: Mapping[str, int]
    memory_free: int
    disk: int
    disk_free: int
    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether a merge would be right, as far as can be told."""
        return not errors(self.findings)

    def by_layer(self) -> dict[str, Products]:
        """Inner products by layer, in the model's order."""
        layers: dict[str, Products] = {}
        for name, products in self.products.items():
            layers[layer_of(name)] = layers.get(layer_of(name), Products()) + products
        order = {"embeddings": -1, "norm": 10**6, "head": 10**6 + 1}
        return dict(sorted(layers.items(), key=lambda item: order[item[0]] if item[0] in order else int(item[0])))

    def mapping(self) -> dict[str, dict[str, Any]]:
        """Of each kind of language tensor: how many, how many weights, whether merged, and one as a sample."""
        kinds = {}
        for kind in KINDS:
            names = [name for name in self.alignment.language if kind_of(name) == kind]
            if names:
                kinds[kind] = {
                    "tensors": len(names),
                    "weights": self.alignment.elements(names),
                    "merged": names[0] in self.alignment.merged,
                    "vlm": self.alignment.models["vlm"].place(self.alignment.language[names[0]]),
                    "language_model": names[0],
                }
        return kinds

    def kept(self) -> dict[str, Any]:
        """What is not language: how many tensors, how many weights, and how their names begin."""
        language = self.alignment.names["vlm"].stored
        rest = [name for name in self.alignment.models["vlm"].checkpoint.tensors if name not in language]
        starts = {".".join(name.split(".")[: 2 if name.startswith("model.") else 1]) for name in rest}
        weights = sum(self.alignment.models["vlm"].checkpoint.tensors[name].elements for name in rest)
        return {"tensors": len(rest), "weights": weights, "prefixes": sorted(starts)}

    def tensors(self) -> dict[str, str | None]:
        """Every tensor that the VLM stores, in its files' order: its language model name, or None if it is kept."""
        alignment = self.alignment
        return {name: alignment.merged_name(name) for name in alignment.models["vlm"].checkpoint.tensors}

    def as_dict(self, *, every: bool = False) -> dict[str, Any]:
        """Everything, as JSON can hold it.

        Args:
            every: Whether to name every tensor of the VLM.
        """
        vocabulary = self.alignment.vocabulary
        matrix = total(self.products, matrices(self.products))
        return {
            "pair": self.pair.name,
            "fit": self.fit,
            "findings": [{"severity": f.severity, "message": f.message} for f in self.findings],
            "traps": list(self.pair.traps),
            "checkpoints": {
                role: {
                    "source": str(self.pair.sources[role]),
                    "weights": model.checkpoint.elements,
                    "bytes": model.checkpoint.bytes,
                    "shards": len(model.checkpoint.files),
                    "parent": self.alignment.configurations[role].parent,
                }
                for role, model in self.alignment.models.items()
            },
            "language_prefixes": dict(self.alignment.backbone.prefixes),
            "mapping": self.mapping(),
            **({"tensors": self.tensors()} if every else {}),
            "kept": self.kept(),
            "vocabulary": None
            if vocabulary is None
            else {**{role: dict(c) for role, c in vocabulary.counts.items()}, "untokened": vocabulary.untokened},
            "configuration": {
                fact: {role: self.alignment.configurations[role].facts[fact] for role in ROLES}
                for fact in self.alignment.configurations["vlm"].facts
            },
            "layers": {layer: _numbers(products) for layer, products in self.by_layer().items()},
            "kinds": {kind: _numbers(each) for kind, each in by_kind(self.products).items()},
            "published": {one.name: {kind: list(ends) for kind, ends in one.sizes.items()} for one in PUBLISHED},
            "base": _numbers(matrix) if self.products else None,
            "candidates": [
                {"name": c.name, "vlm": c.vlm, "expert": c.expert}
                if not c.reason
                else {"name": c.name, "reason": c.reason}
                for c in self.candidates
            ],
            "memory": {"needed": dict(self.memory), "free": self.memory_free},
            "disk": {"needed": self.disk, "free": self.disk_free},
        }


def diagnose(
    pair: Pair,
    *,
    candidates: Mapping[str, Path | HubModel] | None = None,
    dtype: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress = lambda *_: None,
) -> Diagnosis:
    """Look at a pair without loading a model: headers first, then one tensor after the other.

    Args:
        pair: Whom to look at.
        candidates: Other bases to compare with, by the name to show.
        dtype: What live tuning would use; by default what the pair says.
        trust_remote_code: Whether the user allows code that comes with the VLM to run; the pair must ask for it too.
        progress: Told of every tensor.

    Raises:
        UsageError: If the dtype is unknown.
        MergeError: If a checkpoint cannot be read at all.
    """
    if dtype is not None:
        check_dtype(dtype)
    alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
    findings = list(alignment.findings)
    products: dict[str, Products] = {}
    compared: tuple[Candidate, ...] = ()
    if not errors(findings):
        products, unsound = _read(alignment, progress)
        findings += unsound
    if not errors(findings):
        judged = judge(total(products, matrices(products)))
        findings += judged if errors(judged) else [*judged, *judge_rows(total(products, rows_of(products)))]
        findings += suggest(products)
        own = candidate_of(str(pair.sources["base"]), total(products, matrices(products)))
        others = [
            try_candidate(pair, name, source, trust_remote_code, progress)
            for name, source in (candidates or {}).items()
        ]
        compared = tuple(sorted([own, *others], key=lambda candidate: candidate.distance)) if others else ()
        if compared and compared[0] is not own:
            nearest = compared[0]
            findings.append(
                Finding(
                    "warning",
                    f"{nearest.name} is nearer to both than {own.name}: the longer task vector is "
                    f"{nearest.distance:.1%} of the base's norm, against {own.distance:.1%}",
                )
            )
    trusted = trust_remote_code and pair.trust_remote_code
    findings += _processor(pair, alignment.configurations["vlm"].whole, trusted=trusted)
    vlm, stored = alignment.models["vlm"].checkpoint, alignment.widest_dtype
    sizes = [alignment.elements([name]) for name in alignment.merged]
    memory = {name: resident_bytes(vlm.elements, sizes, DTYPES[name] or stored) for name in DTYPES}
    free, disk_free = available_memory(), free_disk(Path.cwd())
    chosen = memory[dtype or pair.merge.dtype]
    if chosen > free:
        findings.append(
            Finding(
                "warning", f"tuning in memory needs {gib(chosen)}, and {gib(free)} are free; `--stream` merges without"
            )
        )
    if vlm.bytes > disk_free:
        findings.append(
            Finding("warning", f"an export needs {gib(vlm.bytes)} of disk, and {gib(disk_free)} are free here")
        )
    return Diagnosis(
        pair=pair,
        alignment=alignment,
        products=products,
        candidates=compared,
        memory=memory,
        memory_free=free,
        disk=vlm.bytes,
        disk_free=disk_free,
        findings=tuple(sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.severity))),
    )


def _processor(pair: Pair, config: Any, *, trusted: bool) -> list[Finding]:
    """What is wrong with the VLM's processor, without which it cannot be shown a picture."""
    try:
        processor = load_processor(pair.vlm, trusted=trusted)
    except MergeError as error:
        return [Finding("error", str(error))]
    if processor is None:
        missing = f"{pair.vlm} holds no processor, so the VLM cannot be shown pictures: fetch processor_config.json or"
        return [Finding("warning", f"{missing} preprocessor_config.json")]
    if apart := disagreements(processor, config):
        return [Finding("error", f"{pair.vlm}: {one}; fetch both anew, from one place") for one in apart]
    if chat_template(processor) is None:
        bare = (
            f"{pair.vlm} has no chat template (chat_template.jinja), so questions are asked as bare texts; a VLM that"
        )
        return [Finding("warning", f"{bare} was tuned on dialogues then answers badly: fetch its template")]
    return []


def _read(alignment: Alignment, progress: Progress) -> tuple[dict[str, Products], list[Finding]]:
    """Inner products of what is merged, and which tensors, merged or copied, hold NaN or infinity."""
    products: dict[str, Products] = {}
    unsound: list[str] = []
    merged, copied = alignment.merged, alignment.copied
    for done, name in enumerate((*merged, *copied), 1):
        try:
            if done <= len(merged):
                products[name] = Products.of(alignment.triple(name))
            else:
                alignment.read_copied(name)
        except NotFiniteError as error:
            unsound.append(str(error))
        progress(done, len(merged) + len(copied))
    shown = unsound[:_MOST_UNSOUND]
    if more := unsound[_MOST_UNSOUND:]:
        shown.append(f"and {len(more)} more tensors hold weights that are NaN or infinite")
    return products, [Finding("error", message) for message in shown]


def _numbers(products: Products) -> dict[str, float | None]:
    return {
        "base_norm": sqrt(products.bb),
        "vlm_task_vector": sqrt(products.vv),
        "expert_task_vector": sqrt(products.ee),
        "vlm_relative": products.size("vlm"),
        "expert_relative": products.size("expert"),
        "vlm_likeness": products.likeness("vlm"),
        "expert_likeness": products.likeness("expert"),
        "cosine": products.cosine,
    }
