"""What goes with a model's weights into another folder: configuration, tokenizer, processor, template, licence."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hpo_bench.errors import MergeError
from hpo_bench.merging.source import LICENCES
from landscapes.written import check_regular

ALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.py", "tokenizer*", *LICENCES, "additional_chat_templates/*")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*")
# Indices say where weights are, and those are written anew.
_WITH_WEIGHTS = "*.index.json"


def auxiliary_files(folder: Path, patterns: Sequence[str] = ALL) -> list[Path]:
    """Files that may be copied, by patterns; what a model's folder merely links to is not part of the model.

    The hub's cache is made of links: a snapshot's lead to the blobs of the same repository, and those are the model's.

    Raises:
        MergeError: If one is a link out of the folder, or may not be read.
    """
    homes = [folder.resolve()]
    if homes[0].parent.name == "snapshots":
        homes.append(homes[0].parent.parent / "blobs")
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    files = [path for path in files if not path.match(_WITH_WEIGHTS)]
    for path in files:
        check_regular(path, wrong=MergeError)
        target = path.resolve()
        if not any(target.is_relative_to(home) for home in homes):
            raise MergeError(
                f"{path} is a link to {target}, outside the model's folder, and would be published with the merge; "
                "put the file itself there, or remove the link"
            )
    return files


def copy_auxiliary(folder: Path, to: Path, patterns: Sequence[str] = ALL) -> None:
    """Copy those files, content alone, into another folder.

    Raises:
        MergeError: If one is a link out of the folder, or may not be read.
    """
    for path in auxiliary_files(folder, patterns):
        target = to / path.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
