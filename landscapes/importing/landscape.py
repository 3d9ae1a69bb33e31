"""A landscape from anybody's table of settings and scores: a sweep, a tuner's trials, a grid from a paper."""

import re
import shutil
import unicodedata
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landscapes import card as cards
from landscapes import catalogue, outcomes, vlm_answers
from landscapes import grid as grids
from landscapes.card import Card, CardParameter, is_slug
from landscapes.errors import FlatLandscapeError, InvalidCardError, UnwritableError
from landscapes.files import replacing_folder
from landscapes.grid import RecordedGrid
from landscapes.importing.reading import Reading
from landscapes.importing.sweep import Sweep, read_sweep
from landscapes.landscape import Landscape

VLM = {"vl_weight": 1.0, "exp_weight": 0.0}
"""The VLM as it is, as a setting of Task Arithmetic (`hpo_bench.merging.setting.BASE`, which lies above)."""


def import_table(
    path: Path,
    reading: Reading,
    *,
    name: str,
    root: Path,
    command: str,
    replace: bool = False,
    about: dict[str, str] | None = None,
) -> Landscape:
    """Make a landscape of a table: check it, write it whole or not at all, and read it again.

    The box is what the settings span: beyond them a surrogate would extrapolate.

    Args:
        path: The table, .csv or .parquet.
        reading: How to read it.
        name: PAIR/METHOD, which also says where it goes below `root`.
        root: Folder of landscapes.
        command: What made it, for the card.
        replace: Whether a landscape of that name may be replaced.
        about: Further keys of the card: domain, benchmark, method, units, licence, notes.

    Raises:
        InvalidGridError: If the table cannot be used; the message says where and what to do.
        InvalidCardError: If the name or another key makes no sense.
        FlatLandscapeError: If all scores are equal.
        UnwritableError: If the landscape exists, would never be found, or cannot be written.
    """
    if name.count("/") != 1 or not all(map(is_slug, name.split("/"))):
        raise InvalidCardError(
            f"{name!r} cannot be a landscape's name; --name takes PAIR/METHOD, both of letters, digits, hyphens, dots "
            "and underscores"
        )
    if catalogue.is_shadowed(name, root):
        raise UnwritableError(
            f"{name} ships with the package and would always be found instead; give another name with --name, or "
            "another folder with --out"
        )
    sweep = read_sweep(path, reading)
    card = _card(path, reading, sweep, name=name, command=command, about=about or {})
    target = root / name
    if target.exists() and not replace:
        raise UnwritableError(f"{target} exists; give another name with --name, or replace it with --replace")
    try:
        return place(sweep, card, root)
    except FlatLandscapeError as error:
        raise FlatLandscapeError(
            f"{path}, column {reading.metric!r}: all scores are equal, and a flat landscape has no regret; there is "
            "nothing to be tuned here"
        ) from error


def place(sweep: Sweep, card: Card, root: Path) -> Landscape:
    """Write a landscape to `root`, whole or not at all, and read it again; one of that name is replaced.

    Args:
        sweep: What was recorded.
        card: What it is.
        root: Folder of landscapes.

    Raises:
        InvalidGridError: If there are too few settings, or they do not determine a surrogate; nothing is written.
        FlatLandscapeError: If all scores are equal; nothing is written.
        UnwritableError: If it cannot be written.
    """
    check(sweep, card)
    with replacing_folder(root, card.name) as folder:
        grids.write_grid(folder / grids.FILE, sweep.rows, sweep.box)
        if sweep.answers is not None:
            outcomes.write_outcomes(folder / outcomes.FILE, sweep.answers, sweep.box)
        if (own := _of_the_vlm(sweep, card)) is not None:
            vlm_answers.write_vlm_answers(folder / vlm_answers.FILE, own)
        card.write(folder / cards.FILE)
    return Landscape.read(root / card.name)


def check(sweep: Sweep, card: Card) -> None:
    """See that a sweep makes a landscape, before anything is written.

    Args:
        sweep: What was recorded.
        card: What it is.

    Raises:
        InvalidGridError: If there are too few settings, or they do not determine a surrogate.
        FlatLandscapeError: If all scores are equal.
    """
    Landscape(card, RecordedGrid.of(sweep.rows, sweep.box, path=card.path))


def _of_the_vlm(sweep: Sweep, card: Card) -> pd.DataFrame | None:
    """Answers of the VLM as it is: of rows of its own, or of Task Arithmetic, which has it among its settings."""
    if sweep.vlm is not None or sweep.answers is None or card.method != "ta" or {*VLM} != {*card.space.names}:
        return sweep.vlm
    own = np.logical_and.reduce([np.isclose(sweep.answers[name], value) for name, value in VLM.items()])
    return sweep.answers[own] if own.any() else None


def default_name(path: Path) -> str:
    """What to call the landscape of a table: TABLE/sweep, with plain letters for accented ones and hyphens for blanks.

    Raises:
        InvalidCardError: If the file's name does not do, as in other scripts.
    """
    letters = (c for c in unicodedata.normalize("NFKD", path.stem) if not unicodedata.combining(c))
    pair = re.sub(r"[^\w.-]+", "-", "".join(letters)).strip("-.")
    if not is_slug(pair):
        raise InvalidCardError(f"no landscape can be named after {path.name}; give a name with --name PAIR/METHOD")
    return f"{pair}/sweep"


def remove(name: str, root: Path) -> Path:
    """Delete a landscape that `import_table` made; recordings of real merges it leaves alone.

    Returns:
        The folder that was deleted.

    Raises:
        InvalidCardError: If there is no card.
        UnwritableError: If the landscape was not imported, or cannot be deleted.
    """
    folder = root / name
    if Card.read(folder / cards.FILE).design != "sweep":
        raise UnwritableError(f"{folder} was recorded and not added from a table; delete the folder yourself")
    try:
        shutil.rmtree(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
    except OSError as error:
        raise UnwritableError(f"{folder} cannot be deleted ({error.strerror or error})") from error
    return folder


def _card(
    path: Path,
    reading: Reading,
    sweep: Sweep,
    *,
    name: str,
    command: str,
    about: dict[str, str],
) -> Card:
    sign = "negated " if reading.minimise else ""
    keys: dict = {
        "domain": "other",
        "method": "other",
        "benchmark": path.stem,
        "units": f"{sign}{reading.metric}",
        "licence": "not stated",
        "notes": "",
        **about,
    }
    keys["notes"] = " ".join(filter(None, (keys["notes"], _left_out(sweep))))
    keys |= {
        **of_sweep(name, sweep),
        "base": "not stated",
        "merge_options": {},
        "metric": f"{sign}{reading.metric}, from {path.name}",
        "split_rule": f"column {reading.split!r}" if reading.split else "all rows are what was tuned on",
        "date": date.today().isoformat(),
        "command": command,
    }
    return Card.of(keys, path)


def of_sweep(name: str, sweep: Sweep) -> dict[str, Any]:
    """Keys of its card that follow from a sweep and its name, PAIR/WHAT."""
    tuned_on = sweep.rows[sweep.rows["split"] == "validation"]  # `Card.tuning_split` unless a card says otherwise
    return {
        "name": name,
        "pair": name.partition("/")[0],
        "parameters": tuple(
            CardParameter(p.name, p.low, p.high, _levels(tuned_on[p.name]), scale=p.scale, integer=p.integer)
            for p in sweep.box.parameters
        ),
        "checkpoints": {},
        "versions": {"hpo-bench": version("hpo-bench")},
        "design": "sweep",
        "n_examples": _counts(sweep),
    }


def _counts(sweep: Sweep) -> dict[str, dict[str, int]]:
    """How many examples of each category each split has."""
    if sweep.answers is None:
        most = sweep.rows.groupby("split")["n_examples"].max()
        return {str(split): {outcomes.EVERY: int(count)} for split, count in most.items()}
    found: dict[str, dict[str, int]] = {}
    for split, mine in sweep.answers.groupby("split"):
        by_category = mine.groupby("category")["id"].nunique()
        found[str(split)] = {str(category): int(count) for category, count in by_category.items()}
    return found


def _left_out(sweep: Sweep) -> str:
    if not sweep.dropped:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sweep.dropped.items())
    return f"Rows left out: {reasons}."


def _levels(values: pd.Series) -> tuple[float, ...]:
    """The values of a grid's axis; none where nearly every row has its own."""
    levels = np.unique(values.to_numpy(np.float64))
    return tuple(levels.tolist()) if len(levels) <= len(values) / 2 else ()
