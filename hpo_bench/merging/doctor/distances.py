"""How far VLM and expert are from their base, beside pairs that were published, and what that suggests."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpo_bench.merging.architectures import KINDS, Kind, kind_of
from hpo_bench.merging.checkpoints.configuration import Finding
from hpo_bench.merging.checkpoints.plausibility import FAR, Products, matrices, total

_UNEQUAL = 3.0
"""A task vector this many times as long as the other takes a merge at equal weights for itself."""
_SHORT = 0.002
"""Below this share of the base, as much as rounding to bfloat16 moves it, a task vector is nearly nothing.

Short ones are not: in turkish-smollm2, where both are 1%, of the upper layers alone, coefficients decide everything.
"""


@dataclass(frozen=True, slots=True)
class Published:
    """Task vectors of a published VLM, as shares of its base's norm, measured on the weights that the hub holds.

    Attributes:
        name: Of the VLM and its base.
        sizes: Smallest and largest share, by kind of tensor.
    """

    name: str
    sizes: Mapping[Kind, tuple[float, float]]

    def shown(self, kind: Kind) -> str:
        """A kind's share in per cent; "" where it is not known."""
        if kind not in self.sizes:
            return ""
        low, high = self.sizes[kind]
        return f"{100 * high:.2g}%" if low == high else f"{100 * low:.2g} to {100 * high:.2g}%"


PUBLISHED = (
    Published(
        "Qwen3-VL-8B",
        {
            "embeddings": (0.19, 0.19), "attention": (0.24, 0.24), "mlp": (0.20, 0.20), "norms": (0.02, 0.02),
            "head": (0.24, 0.24),
        },
    ),
    Published(
        "Qwen2.5-VL-7B",
        {"embeddings": (0.66, 0.66), "attention": (0.42, 0.68), "mlp": (0.61, 0.61), "head": (0.74, 0.74)},
    ),
    Published("nano pairs", {"attention": (0.16, 0.23), "mlp": (0.16, 0.23)}),
    Published("SmolLM2-135M", {"attention": (0.011, 0.012), "mlp": (0.010, 0.011), "norms": (0.006, 0.006)}),
)  # fmt: skip
"""From Qwen3-8B, from Qwen2.5-7B-Instruct, and those that `hpo-bench nano build` makes, of VLM and expert:
tiny ones, and turkish-smollm2, of whose 30 layers the upper 6 are tuned."""


def by_kind(products: Mapping[str, Products]) -> dict[Kind, Products]:
    """Inner products by kind of tensor, of kinds that there are."""
    found: dict[Kind, Products] = {}
    for kind in KINDS:
        if names := [name for name in products if kind_of(name) == kind]:
            found[kind] = total(products, names)
    return found


def suggest(products: Mapping[str, Products]) -> list[Finding]:
    """What the lengths of both task vectors suggest for a merge.

    Args:
        products: Of every merged tensor.
    """
    over = total(products, matrices(products))
    vlm, expert = over.size("vlm"), over.size("expert")
    if not (over.bb and vlm and expert):
        return []  # which is told of as a fault
    found = []
    long, short, ratio = ("expert", "VLM", expert / vlm) if expert > vlm else ("VLM", "expert", vlm / expert)
    if ratio > _UNEQUAL:
        weight = "exp_weight" if long == "expert" else "vl_weight"
        found.append(
            f"the {long}'s task vector is {ratio:.1f} times as long as the {short}'s, so at equal weights a merge is "
            f"mostly the {long}: good settings may lie at a small {weight}"
        )
    for name, size, weight in (("VLM", vlm, "vl_weight"), ("expert", expert, "exp_weight")):
        if size < _SHORT:
            found.append(
                f"the {name}'s task vector is {size:.2%} of the base's norm, no more than rounding to bfloat16 would "
                f"make, so {weight} will hardly change what a merge answers"
            )
    if FAR >= vlm > PUBLISHED[0].sizes["attention"][1] * 1.25:
        found.append(
            f"the VLM is as far from this base as a long training takes it ({vlm:.0%}; Qwen3-VL-8B is 24%, "
            "Qwen2.5-VL-7B 42% to 68%): see whether a later base is nearer (`--candidate-base`)"
        )
    return [Finding("note", message) for message in found]
