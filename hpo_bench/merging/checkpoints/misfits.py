"""What does not fit between three checkpoints, or should be known of them."""

from collections.abc import Collection, Mapping
from typing import Any

from hpo_bench.display.words import some
from hpo_bench.merging.architectures import BY_ROW, EMBEDDINGS, HEAD
from hpo_bench.merging.checkpoints.configuration import Configuration, Finding
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.naming import Naming
from hpo_bench.merging.checkpoints.vocabulary import LEAST_SHARED, VocabularyMap


def overruled(configurations: Mapping[str, Configuration], names: Mapping[str, Naming]) -> list[Finding]:
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


def unread_files(models: Mapping[str, StoredModel]) -> list[Finding]:
    """Files of a folder that transformers does not load."""
    checkpoints = {role: model.checkpoint for role, model in models.items()}
    return [
        Finding(
            "warning",
            f"the {role}'s folder also holds {some(checkpoint.unread)}, which transformers does not load beside "
            f"{some(checkpoint.files)}, and neither does a merge: {checkpoint.folder} may be a mixture of two models",
        )
        for role, checkpoint in checkpoints.items()
        if checkpoint.unread
    ]


def taken(models: Mapping[str, StoredModel]) -> list[Finding]:
    """What base and expert are, where that is not plainly a language model."""
    findings = []
    for role in ("base", "expert"):
        if note := models[role].note:
            findings.append(Finding("note", f"the {role} is {note}"))
        if models[role].configuration.sees:
            kind = models[role].configuration.model_type
            findings.append(
                Finding("note", f"the {role} is itself a VLM ({kind}), of which the language part is taken")
            )
    return findings


def unused_tensors(models: Mapping[str, StoredModel]) -> list[Finding]:
    """What transformers leaves out when it loads: old buffers, layers that guess further tokens, and faults."""
    return [
        Finding(
            "note",
            f"the {role} stores {len(model.unused)} tensors that its class in transformers does not take, and a merge "
            f"{'keeps as they are' if role == 'vlm' else 'leaves out'}: {some([*model.unused.values()])}",
        )
        for role, model in models.items()
        if model.unused
    ]


def missing_names(role: str, names: Mapping[str, Naming], strays: Mapping[str, set[str]]) -> list[Finding]:
    """Names without a counterpart. A tied head is the embeddings, on whichever side."""
    ours, theirs = (set(names[each].names) | strays[each] for each in ("vlm", role))
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


def misshapen(role: str, models: Mapping[str, StoredModel], names: Mapping[str, Naming]) -> list[Finding]:
    """Tensors of the VLM that have another shape in base or expert; rows of a vocabulary may be more or fewer."""
    findings = []
    for name, ours in names["vlm"].names.items():
        if name not in names[role].names:
            continue
        here, there = models["vlm"].tensors[ours].shape, models[role].tensors[names[role].names[name]].shape
        alike = here[1:] == there[1:] and len(here) == len(there) if name in BY_ROW else here == there
        if not alike:
            findings.append(Finding("error", f"{name} is {here} in the VLM and {there} in the {role}"))
    if len(findings) > 3:
        more = len(findings) - 3
        findings = [*findings[:3], Finding("error", f"and {more} more tensors have other shapes in the {role}")]
    return findings


def incomplete(vlm: StoredModel, language: Collection[str]) -> list[Finding]:
    """What a VLM's checkpoint lacks outside its language model, or has in other shapes than its class.

    Args:
        vlm: The VLM.
        language: Names in memory of its language tensors, which are held against the base's.
    """
    shapes = vlm.skeleton.shapes
    absent = [name for name in vlm.skeleton.needs(vlm.tensors) if name not in language]
    other = [name for name, info in vlm.tensors.items() if name not in language and info.shape != shapes[name]]
    findings = []
    if absent:
        what = f"the VLM's checkpoint lacks weights of its own architecture: {some(absent)}"
        findings.append(Finding("error", f"{what}; fetch {vlm.folder} anew"))
    if other:
        here, there = vlm.tensors[other[0]].shape, shapes[other[0]]
        what = (
            f"{some(other)} of the VLM have other shapes than its configuration says (of the first {here}, not {there})"
        )
        findings.append(Finding("error", f"{what}; fetch both anew, from one place"))
    return findings


def half_grown(
    models: Mapping[str, StoredModel], configurations: Mapping[str, Configuration], names: Mapping[str, Naming]
) -> list[Finding]:
    """Embeddings, head and configuration that do not have the same vocabulary, which transformers cannot load."""
    findings = []
    for role, model in models.items():
        ours = {
            part: names[role].names[name]
            for part, name in (("embeddings", EMBEDDINGS), ("head", HEAD))
            if name in names[role].names
        }
        # The class says how many rows there must be: Mllama's embeddings have eight more than its head.
        if all(model.tensors[name].shape[:1] == model.skeleton.shapes[name][:1] for name in ours.values()):
            continue
        rows: dict[str, Any] = {part: model.tensors[name].shape[0] for part, name in ours.items()}
        rows["configuration"] = configurations[role].facts["vocabulary"]
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


def strangers(vocabulary: VocabularyMap) -> list[Finding]:
    """Base or expert of another family, as its tokens tell."""
    return [
        Finding(
            "error",
            f"the {role} shares only {vocabulary.share(role):.0%} of its tokens with the VLM; vocabularies of one "
            f"family share at least {LEAST_SHARED:.0%}, so this is another family's model",
        )
        for role in ("base", "expert")
        if vocabulary.share(role) < LEAST_SHARED
    ]
