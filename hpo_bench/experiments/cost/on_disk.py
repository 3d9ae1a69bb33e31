"""Merges that mergekit makes from folders to a folder, and the processor's seconds of a process and those it starts."""

import subprocess
import sys
import time
from os import times
from pathlib import Path
from typing import Any

import yaml

from hpo_bench.errors import MergeError
from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting


def run_merge(content: dict[str, Any], folder: Path) -> Path:
    """Merge as mergekit's configuration says, by its `run_merge` in this process; where the merge lies."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(copy_tokenizer=False, quiet=True, write_model_card=False)
    run_merge(MergeConfiguration.model_validate(content), str(folder / "merged"), options)
    return folder / "merged"


def run_command(content: dict[str, Any], folder: Path) -> Path:
    """The same by the command `mergekit-yaml`, which imports torch and mergekit each time.

    Raises:
        MergeError: If it fails.
    """
    (folder / "merge.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    program = Path(sys.executable).parent / "mergekit-yaml"
    options = ["--no-copy-tokenizer", "--no-write-model-card", "--quiet"]
    done = subprocess.run(  # noqa: S603
        [str(program), str(folder / "merge.yaml"), str(folder / "merged"), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MergeError(f"mergekit-yaml failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
    return folder / "merged"


def content_of(setting: MergeSetting, loaded: LoadedPair, parts: Path) -> dict[str, Any]:
    """What both are given to merge the language models in `parts`, one a role, in the type of those in memory."""
    places = {role: str(parts / role) for role in ("base", "vlm", "expert")}
    dtype = str(next(iter(loaded.base.values())).dtype).removeprefix("torch.")
    return mergekit.configuration(setting, **places, dtype=dtype)


def processor_seconds() -> float:
    """Of this process, and of those that it started and that have ended."""
    spent = times()
    return time.process_time() + spent.children_user + spent.children_system
