"""Whether a serving engine multiplies by the weights that were merged: what it gives back, beside what it should."""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hpo_bench.errors import EvaluationError

FUSED = {
    "self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj"),
}
"""vLLM's matrices that are several of the checkpoint's, one below the other."""
_SPLIT_BY_COLUMN = ("o_proj", "down_proj")
"""Of these each of several GPUs has some columns, and all their rows."""


def layers_to_read(names: Sequence[str]) -> list[int]:
    """The first, the middle and the last layer of a language model, by the names of its tensors."""
    found = sorted({int(part) for name in names if (part := _layer(name)).isdigit()})
    return sorted({found[0], found[len(found) // 2], found[-1]}) if found else []


def check_same(
    given: Sequence[Mapping[str, Sequence]],
    language: Mapping[str, Tensor],
    *,
    stored: Mapping[str, torch.dtype],
    computed: torch.dtype,
) -> int:
    """Refuse an engine that has other weights than were handed over.

    Args:
        given: Of every worker, what its `read_back` says: by module the columns, how many rows, and the fingerprint.
        language: Merged weights, by language model name.
        stored: In what dtype each was handed over, by the same name.
        computed: In what dtype the engine has them.

    Returns:
        How many matrices were compared, at least 1.

    Raises:
        EvaluationError: If a matrix is another, or none could be compared.
    """
    known = {_from_layer(name.removesuffix(".weight")): name for name in language}
    compared = 0
    for worker in given:
        for module, (columns, rows, fingerprint) in worker.items():
            names = _parts(_from_layer(module), known)
            if not names or (len(given) > 1 and not module.endswith(_SPLIT_BY_COLUMN)):
                continue
            parts = [language[name][:, columns].to(stored[name]).to(computed).float() for name in names]
            if fingerprint != _fingerprint(torch.cat(parts)[:rows].T):
                raise EvaluationError(
                    f"the engine answers with other weights than were merged: {module} is not that of this merge",
                    kind="stale",
                )
            compared += 1
    if not compared:
        raise EvaluationError(
            "the engine gives none of its weights back, so that its answers prove nothing", kind="stale"
        )
    return compared


def _parts(module: str, known: Mapping[str, str]) -> list[str]:
    """Language model names of the matrices that a module of vLLM's is."""
    if module in known:
        return [known[module]]
    whole = next((module.replace(fused, "{}") for fused in FUSED if module.endswith(fused)), "")
    if whole:
        parts = next(parts for fused, parts in FUSED.items() if module.endswith(fused))
        names = [whole.format(part) for part in parts]
        return [known[name] for name in names] if all(name in known for name in names) else []
    return [known["embed_tokens"]] if module == "lm_head" and "embed_tokens" in known else []


def _from_layer(name: str) -> str:
    """A name without what differs between classes: from its layers on, or its last part."""
    _, found, behind = name.rpartition("layers.")
    return f"{found}{behind}" if found else name.rpartition(".")[2]


def _layer(name: str) -> str:
    return name.partition("layers.")[2].partition(".")[0]


def _fingerprint(values: Tensor) -> str:
    return hashlib.sha256((values + 0.0).cpu().contiguous().numpy().tobytes()).hexdigest()
