"""Where commands put what they make, unless told otherwise: the benchmark in `results`, the others in folders of it."""

from pathlib import Path

RESULTS = Path("results")
OTHERS = ("cost", "methods", "peers", "ranking", "scale")
"""Commands with a folder of their own in `results`, which is no file of the benchmark's and does not concern it."""


def folder_of(command: str) -> Path:
    """The folder of one of `OTHERS`."""
    return RESULTS / OTHERS[OTHERS.index(command)]
