"""Where a checkpoint lies: in a local folder, or on the Hugging Face hub."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError, UsageError

INDEX = "model.safetensors.index.json"
"""Beside a model's shards, says which tensor is in which."""
ADAPTER = "adapter_config.json"
"""Says of what, and by how much, an adapter's steps are added to a model."""
SCHEME = "hf://"
LICENCES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "Notice*", "USE_POLICY*")
"""What says under which terms a model may be passed on; some of them ask that it goes along."""
# Never a pickle, and not the second copy of the weights that some repositories hold in their vendor's own format.
_WANTED = (
    *("*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.model", "merges.txt", "vocab.txt"),
    *LICENCES,
    "README.md",  # says of which model it was made
)
_CODE = "*.py"
_UNWANTED = ("consolidated*", "original/*", "*.bin", "*.pt", "*.pth", "*.gguf")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# A model of the hub, almost: its page's address, the scheme misspelt, or none.
_NEARLY = re.compile(r"(?:https?://huggingface\.co/|hf:/*)?([A-Za-z0-9][\w.-]*/[\w.-]+)", re.IGNORECASE)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (folder / ADAPTER).is_file() and not any(folder.glob("model*.safetensors"))


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the Hugging Face hub, written `hf://owner/name` or `hf://owner/name@revision`.

    Attributes:
        repository: "owner/name".
        revision: A branch, tag or commit; a commit makes the pair reproducible. None is the newest.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    def fetch(self, *, code: bool = False) -> Path:
        """Download what is not in the hub's cache yet, and name its folder there.

        Args:
            code: Whether the code that comes with it is wanted as well; nothing runs it here.

        Raises:
            MergeError: If the hub cannot be reached, or does not give the model to this user.
        """
        from huggingface_hub import snapshot_download

        try:
            wanted = [*_WANTED, *([_CODE] if code else [])]
            return Path(
                snapshot_download(
                    self.repository, revision=self.revision, allow_patterns=wanted, ignore_patterns=[*_UNWANTED]
                )
            )
        except Exception as error:  # no network, no access, no such model: a dozen classes, all the hub's
            raise MergeError(
                f"{self}: cannot be fetched: {first_line(error)}; gated models need `hf auth login`, "
                "and a model that is already on this machine can be given as its folder"
            ) from error


def parse_source(text: str, folder: Path, *, confined: bool, where: str) -> Path | HubModel:
    """Read a model's place as a user writes it.

    Args:
        text: A path, or `hf://owner/name[@revision]`.
        folder: What relative paths start from.
        confined: Whether a path may not lead out of the folder, as in configuration.
        where: File or option it was read from, for messages.

    Raises:
        UsageError: If it is no hub id, leads out of the folder, or does not exist.
    """
    if text.startswith(SCHEME):
        repository, _, revision = text.removeprefix(SCHEME).partition("@")
        if not _REPOSITORY.fullmatch(repository):
            raise UsageError(
                f"{where}: {text!r} is no hub model; write {SCHEME}owner/name or {SCHEME}owner/name@revision"
            )
        return HubModel(repository, revision or None)
    return parse_path(text, folder, confined=confined, where=where)


def parse_path(text: str, folder: Path, *, confined: bool, where: str) -> Path:
    """Read a local path as a user writes it; arguments and errors as for `parse_source`."""
    path = Path(os.path.realpath(folder / text))  # which does not mind links in a circle
    if confined and not path.is_relative_to(folder.resolve()):
        raise UsageError(f"{where}: {text!r} leads out of the pair's folder; put what it names there")
    if not path.exists():
        near = _NEARLY.fullmatch(text)
        hint = f"for a model on the hub write {SCHEME}{near[1]}" if near else "check the path"
        raise UsageError(f"{where}: {text!r} does not exist in {folder}; {hint}")
    return path
