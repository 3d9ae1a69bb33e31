"""What of the language backbone is merged, and in which dtype."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import torch

from hpo_bench.errors import UsageError
from hpo_bench.merging.architectures import kind_of
from surrogates.spelling import offer

Dtype = Literal["float32", "bfloat16", "stored"]
DTYPES: Mapping[str, torch.dtype | None] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "stored": None}


def check_dtype(dtype: str) -> None:
    """Refuse what is not a key of `DTYPES`.

    Raises:
        UsageError: If the dtype is unknown; the message names the nearest.
    """
    if dtype not in DTYPES:
        raise UsageError(f"no dtype is called {dtype!r}; {offer(dtype, DTYPES)}")


@dataclass(frozen=True, slots=True)
class MergeScope:
    """The section `merge:` of a pair.yaml. By default everything in the language backbone is merged, as mergekit does.

    Attributes:
        embeddings: Whether word embeddings are merged; if not, the VLM's stay. Tied embeddings are the head as well.
        head: Whether the head is merged.
        norms: Whether the norms' weights are merged.
        biases: Whether biases are merged; Qwen2 has them in attention.
        dtype: "float32", "bfloat16", or "stored" for the widest type that the VLM's language model is stored in, but no
            wider than float32: of the live VLM and of what is kept beside it.

    Raises:
        UsageError: If the dtype is unknown.
    """

    embeddings: bool = True
    head: bool = True
    norms: bool = True
    biases: bool = True
    dtype: Dtype = "float32"

    def __post_init__(self) -> None:
        check_dtype(self.dtype)

    def takes(self, name: str) -> bool:
        """Whether a tensor is merged, by its language model name."""
        kind = kind_of(name)
        return bool(asdict(self).get(kind, True))
