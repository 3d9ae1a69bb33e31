"""Rows of embeddings and heads, mapped by token and never by position.

Fine-tunes add tokens, pad their embeddings, or, as Mistral 7B v0.3 did, put 768 control tokens before all others: the
same row is then another word. The VLM's vocabulary rules, since its processor and its image tokens do:

| token of a VLM's row is in | base's row | expert's row | so that |
|---|---|---|---|
| all three | the base's for that token | the expert's for that token | both task vectors count |
| VLM and base | the base's | the base's | the expert's task vector is zero |
| VLM and expert, or VLM alone, or no token has that row | the VLM's | the VLM's | the row stays as the VLM has it |

Without a row of the base there is no task vector, so the third case copies the VLM's. Tokens that the VLM lacks are
left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.gguf import is_gguf, read_tokens
from landscapes.written import TEXT_LIMIT, check_regular, read_json

_FILE = "tokenizer.json"
_CONFIGURATION = "tokenizer_config.json"
_STEMS = ("tokenizer", "vocab", "merges", "added_tokens", "special_tokens")
"""How the names of a tokenizer's files begin."""
LEAST_SHARED = 0.9
"""Fine-tunes add or drop some tokens; vocabularies that share less of the smaller one come from two families."""


@dataclass(frozen=True, slots=True, eq=False)
class VocabularyMap:
    """Which row of another model belongs to each row of the VLM.

    Attributes:
        base: Row of the base for each row of the VLM, -1 where there is none; int64 of shape (rows,).
        expert: The same of the expert.
        counts: For `base` and `expert`: tokens `shared` with the VLM, `only_vlm`, `only_other`, and `moved`, which are
            shared but have another id.
        untokened: Rows of the VLM that no token has.
    """

    base: torch.Tensor
    expert: torch.Tensor
    counts: Mapping[str, Mapping[str, int]]
    untokened: int

    @classmethod
    def of(
        cls, vlm: Mapping[str, int], base: Mapping[str, int], expert: Mapping[str, int], rows: Mapping[str, int]
    ) -> "VocabularyMap":
        """Map rows by token.

        Args:
            vlm: Token to id.
            base: Token to id.
            expert: Token to id.
            rows: Rows of the embedding of "vlm", "base" and "expert"; an id beyond them has none.
        """
        ours = _with_rows(vlm, rows["vlm"])
        maps, counts = {}, {}
        for role, other in (("base", base), ("expert", expert)):
            theirs = _with_rows(other, rows[role])
            shared = [token for token in ours if token in theirs]
            table = torch.full((rows["vlm"],), -1, dtype=torch.int64)
            if shared:
                table[[ours[token] for token in shared]] = torch.tensor([theirs[token] for token in shared])
            maps[role] = table
            counts[role] = {
                "shared": len(shared),
                "only_vlm": len(ours) - len(shared),
                "only_other": len(theirs) - len(shared),
                "moved": sum(ours[token] != theirs[token] for token in shared),
            }
        untokened = rows["vlm"] - len(set(ours.values()))
        return cls(base=maps["base"], expert=maps["expert"], counts=counts, untokened=untokened)

    def share(self, role: str) -> float:
        """Tokens shared with the VLM, as a share of the smaller vocabulary, in [0, 1]."""
        counts = self.counts[role]
        smaller = counts["shared"] + min(counts["only_vlm"], counts["only_other"])
        return counts["shared"] / smaller if smaller else 0.0

    def align(self, vlm: torch.Tensor, base: torch.Tensor, expert: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of base and expert for the VLM's rows, by the table at the top of this module.

        Args:
            vlm: Of shape (rows, width).
            base: Of shape (rows of the base, width).
            expert: Of shape (rows of the expert, width).

        Returns:
            Base and expert, both of the VLM's shape; what was given where nothing moves, else in a dtype that holds
            both it and the VLM exactly.
        """
        started = _gather(base, self.base, vlm)
        return started, _gather(expert, torch.where(self.base < 0, -1, self.expert), vlm, otherwise=started)


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Token to id, with every added token.

    From `tokenizer.json` as it stands, where there is one: transformers' classes add special tokens of their own, under
    the first free id, which may be a row that the model's makers left without a token.

    Raises:
        MergeError: If the folder's tokenizer cannot be read.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    files = [path for path in folder.glob("*") if path.name.startswith(_STEMS)]
    try:
        for path in files:
            check_regular(path, at_most=TEXT_LIMIT)
        if (folder / _FILE).exists():
            return Tokenizer.from_file(str(folder / _FILE)).get_vocab(with_added_tokens=True) | _added(folder)
        if is_gguf(folder):
            return read_tokens(folder)
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False).get_vocab()
    except Exception as error:  # whatever a missing or broken file makes transformers raise
        # What transformers says of a missing one ends in the middle of a list.
        reason = first_line(error) if files or is_gguf(folder) else "there is none"
        raise MergeError(
            f"{folder}: its tokenizer cannot be read ({reason}); rows of embeddings are "
            "matched by token, so put the tokenizer's files there, or say `embeddings: false` and `head: false` under "
            "`merge:` in pair.yaml"
        ) from error


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer of its own."""
    return any((folder / name).is_file() for name in (_FILE, "tokenizer.model", "vocab.json"))


def _added(folder: Path) -> dict[str, int]:
    """Tokens that are in the tokenizer's configuration alone, as some fine-tunes leave theirs."""
    path = folder / _CONFIGURATION
    if not path.is_file():
        return {}
    listed = read_json(path).get("added_tokens_decoder") or {}
    return {entry["content"]: int(row) for row, entry in listed.items()}


def _with_rows(vocabulary: Mapping[str, int], rows: int) -> dict[str, int]:
    return {token: row for token, row in vocabulary.items() if 0 <= row < rows}


def _gather(
    tensor: torch.Tensor, rows: torch.Tensor, vlm: torch.Tensor, *, otherwise: torch.Tensor | None = None
) -> torch.Tensor:
    if len(tensor) == len(rows) and torch.equal(rows, torch.arange(len(rows))):
        return tensor
    taken = tensor[rows.clamp(min=0)].to(torch.promote_types(tensor.dtype, vlm.dtype))
    fallback = vlm if otherwise is None else otherwise
    absent = rows < 0
    taken[absent] = fallback[absent].to(taken.dtype)
    return taken
