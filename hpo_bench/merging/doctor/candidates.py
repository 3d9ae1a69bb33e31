"""Bases that might be the one that VLM and expert come from, by how far both are from each."""

from dataclasses import dataclass, replace
from pathlib import Path

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.configuration import errors
from hpo_bench.merging.checkpoints.plausibility import Products, Progress, matrices, measure, total
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import HubModel


@dataclass(frozen=True, slots=True)
class Candidate:
    """A base, and how far VLM and expert are from it.

    Attributes:
        name: As the user gave it.
        vlm: Norm of the VLM's task vector relative to the base, over matrices of attention and feed-forward layers;
            NaN where it cannot be a base.
        expert: Likewise of the expert.
        reason: Why it cannot be a base, or "".
    """

    name: str
    vlm: float
    expert: float
    reason: str = ""

    @property
    def distance(self) -> float:
        """The larger of both, since a parent itself is at no distance from one; infinite for what cannot be a base."""
        return float("inf") if self.reason else max(self.vlm, self.expert)


def try_candidate(pair: Pair, name: str, source: Path | HubModel, trusted: bool, progress: Progress) -> Candidate:
    """Another base in the place of a pair's.

    Args:
        pair: Whose VLM and expert.
        name: What to call the base.
        source: Where it is.
        trusted: Whether code that comes with the VLM may run.
        progress: Told of every tensor.
    """
    other = replace(pair, sources={**pair.sources, "base": source})
    try:
        alignment = Alignment.of(other, trust_remote_code=trusted)
        if reasons := errors(alignment.findings):
            return Candidate(name, float("nan"), float("nan"), reason=reasons[0])
        return candidate_of(name, total(measure(alignment, matrices(alignment.merged), progress)))
    except MergeError as error:  # all that was read of the pair itself would be lost by it
        return Candidate(name, float("nan"), float("nan"), reason=str(error))


def candidate_of(name: str, products: Products) -> Candidate:
    """A base by what was measured against it."""
    return Candidate(name, vlm=products.size("vlm"), expert=products.size("expert"))
