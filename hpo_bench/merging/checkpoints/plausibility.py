"""Whether VLM and expert come from the base: sizes and directions of their task vectors.

A fine-tune stays close to where it started. Its weights keep pointing where the base's do: the cosine between both,
over the matrices of attention and feed-forward layers, stays above 0.9 even for the nano pairs, which are trained far
harder than real fine-tunes. Matrices of two models trained apart are nearly orthogonal: n independent weights have a
cosine of order n^-0.5, below 0.001 for a layer of a 7B model, and no task vector between them is shorter than the
base by much. So a cosine under one half, which at equal norms is a task vector as long as the base itself, says that
this is another base. Norms, biases and embeddings are left out: norms of all models point the same way.

Two fine-tunes of one base go ways of their own. Where one holds more than half of the other's task vector, that other
is nearer to it than the base is, as when base and expert are swapped, or when both were tuned from a third model.

Embeddings tell something else. Their rows were matched by token, and where that was right they point where the base's
do: a task vector of 0.66 of the base, as of Qwen2.5-VL-7B, is at right angles a cosine of 0.83. Rows of different words
point another way, though not at random: SmolLM2-135M's in a random order have a cosine of 0.45 with themselves. So
embeddings below the middle of both, of a model whose layers are the base's, have a tokenizer beside them that is not
theirs.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from math import sqrt

import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD, kind_of, layer_of
from hpo_bench.merging.checkpoints.alignment import Alignment, Triple
from hpo_bench.merging.checkpoints.configuration import Finding, errors

LEAST_LIKENESS = 0.5
"""Least cosine between a fine-tune's weights and its base's."""
_LEAST_OF_ROWS = 0.65
"""Likewise between embeddings of the same words."""
FAR = 0.5
"""Task vectors longer than this share of the base are unusual; nano pairs reach 0.3, Qwen3-VL-8B 0.24, and of published
VLMs that were looked at Qwen2.5-VL-7B alone is beyond (0.42 to 0.68 by kind of matrix)."""
SHARED = 0.5
"""A task vector that holds more than this share of the other is nearer to the other model than to the base."""
_ROUNDING = 1e-9
_LINE = 1 << 18

Progress = Callable[[int, int], None]
"""Called with tensors done and tensors in all."""


@dataclass(frozen=True, slots=True)
class Products:
    """Inner products over some tensors, for norms and cosines; b is the base, v and e are the task vectors."""

    bb: float = 0.0
    vv: float = 0.0
    ee: float = 0.0
    ve: float = 0.0
    bv: float = 0.0
    be: float = 0.0

    def __add__(self, other: "Products") -> "Products":
        return Products(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @classmethod
    def of(cls, triple: Triple) -> "Products":
        """Of one tensor, line by line: in float32 within a line, in double precision over lines."""
        total = cls()
        flat = [tensor.reshape(-1) for tensor in (triple.base, triple.vlm, triple.expert)]
        for start in range(0, flat[0].numel(), _LINE):
            base, vlm, expert = (tensor[start : start + _LINE].float() for tensor in flat)
            v, e = vlm - base, expert - base
            pairs = ((base, base), (v, v), (e, e), (v, e), (base, v), (base, e))
            total += cls(*(torch.dot(one, two).item() for one, two in pairs))
        return total

    def size(self, role: str) -> float:
        """Norm of a role's task vector, relative to the base's."""
        return sqrt(self._square(role) / self.bb) if self.bb else 0.0

    def likeness(self, role: str) -> float:
        """Cosine between a role's weights and the base's; 1 where nothing is to compare."""
        along = self.bb + (self.bv if role == "vlm" else self.be)
        square = 2 * along - self.bb + self._square(role)
        return along / sqrt(self.bb * square) if self.bb and square > 0 else 1.0

    def held(self, role: str) -> float:
        """What share of a role's task vector the other role's holds: its coefficient in the projection onto it."""
        square = self._square(role)
        return self.ve / square if square else 0.0

    @property
    def alike(self) -> bool:
        """Whether both task vectors are one, so that VLM and expert are the same."""
        return self.vv > 0 and abs(self.vv + self.ee - 2 * self.ve) <= _ROUNDING * self.vv

    @property
    def cosine(self) -> float | None:
        """Cosine between both task vectors; None if one is zero."""
        return self.ve / sqrt(self.vv * self.ee) if self.vv and self.ee else None

    def _square(self, role: str) -> float:
        return self.vv if role == "vlm" else self.ee


def measure(
    alignment: Alignment, names: Iterable[str] | None = None, progress: Progress = lambda *_: None
) -> dict[str, Products]:
    """Inner products of every tensor, read one after the other.

    Args:
        alignment: Of the pair.
        names: Language model names; by default of all that is merged.
        progress: Told of every tensor.

    Raises:
        MergeError: If a tensor cannot be read, or holds NaN or infinity.
    """
    chosen = list(alignment.merged if names is None else names)
    products = {}
    for done, name in enumerate(chosen, 1):
        products[name] = Products.of(alignment.triple(name))
        progress(done, len(chosen))
    return products


def matrices(names: Iterable[str]) -> list[str]:
    """Those of the names that tell models apart: matrices of attention and feed-forward layers."""
    return [name for name in names if kind_of(name) in ("attention", "mlp")]


def middle(alignment: Alignment) -> list[str]:
    """Those of the middle layer, which is soon read; empty if nothing of the layers is merged."""
    return next(iter(_from_the_middle(alignment)), [])


def _from_the_middle(alignment: Alignment) -> list[list[str]]:
    """Those of each layer: first the middle one, then upwards, then from it downwards."""
    layers: dict[int, list[str]] = {}
    for name in matrices(alignment.merged):
        layer = layer_of(name)
        layers.setdefault(int(layer) if layer.isdigit() else -1, []).append(name)
    order = sorted(layers)
    half = len(order) // 2
    return [layers[layer] for layer in (*order[half:], *reversed(order[:half]))]


def total(products: Mapping[str, Products], names: Iterable[str] | None = None) -> Products:
    """Over several tensors as one vector."""
    return sum((products[name] for name in (products if names is None else names)), Products())


def judge(products: Products) -> list[Finding]:
    """What sizes and directions say of the base.

    Args:
        products: Over matrices of attention and feed-forward layers.
    """
    findings = []
    for role in ("vlm", "expert"):
        size, likeness = products.size(role), products.likeness(role)
        name = "VLM" if role == "vlm" else "expert"
        if likeness < LEAST_LIKENESS:
            findings.append(
                Finding(
                    "error",
                    f"the {name} is not from this base: the cosine between their weights is {likeness:.2f}, where "
                    f"fine-tunes keep over 0.9 and unrelated models have 0; find its base, or compare with "
                    "`hpo-bench doctor --candidate-base`",
                )
            )
        elif size > FAR:
            findings.append(
                Finding(
                    "warning",
                    f"the {name} is far from this base: its task vector is {size:.0%} of the base's norm (Qwen3-VL-8B: "
                    "20% to 24%, Qwen2.5-VL-7B: 42% to 68%); see whether another base is nearer, by `hpo-bench doctor "
                    "--candidate-base`",
                )
            )
    for role, one, other in (("expert", "VLM", "expert"), ("vlm", "expert", "VLM")):
        if (held := products.held(role)) > SHARED and min(products.vv, products.ee) > 0 and not products.alike:
            findings.append(
                Finding(
                    "warning",
                    f"the {one} is nearer to the {other} than to the base, and holds {held:.0%} of its task vector: "
                    "are base and expert swapped, or is there a later base that both were tuned from?",
                )
            )
    if products.bb and not products.ee:
        findings.append(Finding("error", "the expert's layers are the base's, so there is no skill to inject"))
    if products.alike:
        findings.append(
            Finding(
                "error",
                "the expert's layers are the VLM's, so there is no skill to inject; give as expert a language model "
                "that was tuned from the base for itself",
            )
        )
    if products.bb and not products.vv:
        findings.append(
            Finding("warning", "the VLM's language layers are the base's, so its coefficient changes nothing in them")
        )
    return findings


def rows_of(merged: Collection[str]) -> list[str]:
    """Of what is merged, the tensor that tells whether rows were matched rightly: the embeddings, else the head."""
    return [name for name in (EMBEDDINGS, HEAD) if name in merged][:1]


def judge_rows(products: Products) -> list[Finding]:
    """What embeddings, matched by token, say of the tokenizers, of models whose layers are those of one base.

    Args:
        products: Over what `rows_of` names.
    """
    likeness = {role: products.likeness(role) for role in ("vlm", "expert")}
    if not (strange := [role for role, each in likeness.items() if each < _LEAST_OF_ROWS]):
        return []
    whose = "base" if len(strange) == 2 else strange[0].replace("vlm", "VLM")
    return [
        Finding(
            "error",
            f"the {whose}'s rows of embeddings or head, matched by token, are not those of the same words elsewhere "
            f"(cosine {likeness[strange[0]]:.2f}), though its layers fit: the tokenizer beside them is not theirs, or "
            f"they were trained anew; put the {whose}'s own tokenizer there, or say `embeddings: false` and `head: "
            "false` under `merge:` in pair.yaml",
        )
    ]


def check_base(alignment: Alignment) -> None:
    """Refuse a pair whose models are not from its base, or whose tokenizers are not theirs: seconds for a 7B model.

    By the matrices of its middle layer and the embeddings. Where the expert's matrices are the base's or the VLM's, as
    after a tuning of the upper layers alone, those above are read as well, and then those below, until there is a
    difference.

    Raises:
        MergeError: If they are not.
    """
    products = Products()
    for names in _from_the_middle(alignment):
        products += total(measure(alignment, names))
        if products.ee and not products.alike:
            break
    reasons = errors(judge(products)) or errors(judge_rows(total(measure(alignment, rows_of(alignment.merged)))))
    if reasons:
        raise MergeError("; ".join(reasons))
