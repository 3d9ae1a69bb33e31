"""SYNTHETIC landscapes in the real file format, for tests alone: their numbers come from a formula, not from any model.

folder = synthetic.record(tmp_path, "smooth-a/ta")                 # 5 x 5, files in tmp_path/smooth-a/ta
folder = synthetic.record(tmp_path, "rugged-b/dare", kind="rugged")  # 5 x 5 x 4, dare and ties have a density
landscapes = catalogue.load_all(root=tmp_path)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from landscapes.card import Card, CardParameter
from landscapes.grid import write_grid
from landscapes.landscape import Landscape
from landscapes.outcomes import write_outcomes
from landscapes.vlm_answers import FILE, write_vlm_answers

COEFFICIENTS = (0.2, 0.4, 0.6, 0.8, 1.0)
DENSITIES = (0.2, 0.4, 0.6, 0.8)
EXAMPLES = {"validation": {"skill": 48, "general": 32}, "test": {"skill": 192, "general": 128}}
KINDS = ("smooth", "rugged", "flat")


def card(name: str = "smooth-a/ta", **changes: object) -> Card:
    """A complete card, marked as synthetic; `changes` replace its keys."""
    pair, method = name.split("/")
    axes = [("vl_weight", COEFFICIENTS), ("exp_weight", COEFFICIENTS)]
    if method != "ta":
        axes.append(("density", DENSITIES))
    keys: dict = {
        "name": name,
        "pair": pair,
        "domain": "language",
        "benchmark": "synthetic-questions",
        "method": method,
        "parameters": tuple(CardParameter(axis, levels[0], levels[-1], levels) for axis, levels in axes),
        "base": "none",
        "checkpoints": {role: {"model.safetensors": "0" * 64} for role in ("base", "vlm", "expert")},
        "versions": {"hpo_bench": "0.1.0"},
        "merge_options": {"normalize": False, "mask_seed": 0, "dtype": "float32"},
        "metric": "exact match",
        "split_rule": "sha256 of the example id, lowest fifth is validation",
        "n_examples": EXAMPLES,
        "licence": "Apache-2.0",
        "date": "2025-01-01",
        "command": "tests/synthetic.py",
        "notes": "SYNTHETIC: made from a formula for tests.",
        "synthetic": True,
    }
    return Card(**{**keys, **changes})


def probability(kind: str, *, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """The chance of a right answer as a function of settings of shape (n, d) in [0, 1]^d; values in [0.05, 0.9]."""
    rng = np.random.default_rng(seed)
    peak, phase = rng.uniform(0.25, 0.75, size=6), rng.uniform(0, 2 * np.pi, size=6)

    def of(u: np.ndarray) -> np.ndarray:
        d = u.shape[1]
        hill = np.exp(-3 * ((u - peak[:d]) ** 2).sum(axis=1))
        ripple = np.cos(9 * u + phase[:d]).mean(axis=1)
        shape = {"smooth": hill, "rugged": 0.6 * hill + 0.2 * (1 + ripple), "flat": np.full(len(u), 0.5)}[kind]
        return 0.05 + 0.85 * shape

    return of


def outcomes(about: Card, *, kind: str = "smooth", seed: int = 0) -> pd.DataFrame:
    """Per-example outcomes at every setting: an example is right where the chance exceeds its difficulty.

    The difficulty is the example's own at every setting, as with real questions, so that neighbours err alike.
    """
    levels = [np.array(p.levels) for p in about.parameters]
    X = np.stack(np.meshgrid(*levels, indexing="ij"), axis=-1).reshape(-1, len(levels))
    return _answered(about, X, kind=kind, seed=seed)


def _answered(about: Card, X: np.ndarray, *, kind: str, seed: int) -> pd.DataFrame:
    space = about.space
    chance = probability(kind, seed=seed)((X - space.low) / (space.high - space.low))
    rng = np.random.default_rng([seed, 1])
    frames = []
    for split, categories in about.n_examples.items():
        for category, count in categories.items():
            difficulty = rng.uniform(size=count)
            ids = np.array([f"{split}-{category}-{i:04d}" for i in range(count)])
            frame = pd.DataFrame(np.repeat(X, count, axis=0), columns=list(space.names))
            frame["split"], frame["category"], frame["id"] = split, category, np.tile(ids, len(X))
            frame["correct"] = (difficulty[None, :] < chance[:, None]).ravel()
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def rows(about: Card, answers: pd.DataFrame) -> pd.DataFrame:
    """The grid rows that the outcomes add up to, with made-up seconds."""
    groups = answers.groupby(["split", *about.space.names])["correct"]
    grid = groups.agg(score="mean", n_examples="size").reset_index()
    grid["standard_error"] = np.sqrt(grid["score"] * (1 - grid["score"]) / grid["n_examples"])
    return grid.assign(merge_seconds=0.05, eval_seconds=0.3)


def record(root: Path, name: str = "smooth-a/ta", *, kind: str = "smooth", seed: int = 0, **changes: object) -> Path:
    """Write grid, outcomes and card of a synthetic landscape to `root/name`; the folder.

    A flat one has equal scores everywhere, which `Landscape` refuses.
    """
    about = card(name, **changes)
    answers = outcomes(about, kind=kind, seed=seed)
    folder = root / name
    write_grid(folder / "grid.parquet", rows(about, answers), about.space)
    write_outcomes(folder / "outcomes.parquet", answers, about.space)
    about.write(folder / "card.yaml")
    return folder


def ask_vlm(folder: Path, *, kind: str = "smooth", seed: int = 0) -> None:
    """Write what a synthetic landscape's VLM as it is answers, by the same formula and to the same examples."""
    about = Card.read(folder / "card.yaml")
    as_it_is = np.array([[1.0, 0.0, 1.0][: about.space.dim]])
    write_vlm_answers(folder / FILE, _answered(about, as_it_is, kind=kind, seed=seed))


def landscape(root: Path, name: str = "smooth-a/ta", *, kind: str = "smooth", seed: int = 0) -> Landscape:
    """A synthetic landscape, recorded under `root` and read back."""
    return Landscape.read(record(root, name, kind=kind, seed=seed))
