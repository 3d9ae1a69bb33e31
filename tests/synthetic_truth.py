"""SYNTHETIC held-out recordings beside the SYNTHETIC landscapes of `synthetic`, in the real file format."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import synthetic
from scipy.stats import qmc

from landscapes.card import Card, CardParameter
from landscapes.grid import write_grid
from landscapes.outcomes import write_outcomes
from landscapes.recording import FOLDERS


def settings(about: Card, n: int) -> np.ndarray:
    """Evenly spread settings of the card's box, of shape (n, d)."""
    return about.space.from_unit(qmc.Sobol(about.space.dim, rng=np.random.default_rng(7)).random(n))


def hold_out(folder: Path, *, kind: str = "smooth", seed: int = 0, n: int = 64, **changes: object) -> Path:
    """Record evaluations off the grid beside a landscape of `synthetic.record`, by the same formula and examples."""
    about = Card.read(folder / "card.yaml")
    return write(folder, "held-out", settings(about, n), kind=kind, seed=seed, **changes)


def dense(folder: Path, *, kind: str = "smooth", seed: int = 0, side: int = 15) -> Path:
    """Record a dense grid over [0, 1.4]^2 beside a TA landscape."""
    axis = tuple(np.linspace(0, 1.4, side).tolist())
    X = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    box = tuple(CardParameter(name, 0.0, 1.4, axis) for name in ("vl_weight", "exp_weight"))
    return write(folder, "dense", X, kind=kind, seed=seed, parameters=box)


def write(
    folder: Path,
    design: str,
    X: np.ndarray,
    *,
    kind: str = "smooth",
    seed: int = 0,
    mask_seeds: Sequence[int] | None = None,
    mask_noise: float = 0.0,
    **changes: object,
) -> Path:
    """Write held-out files at some settings; with mask seeds, every setting once a seed, its chance moved by noise."""
    main = Card.read(folder / "card.yaml")
    keys: dict = {"design": design, "n_examples": {"test": main.n_examples["test"]}, **changes}
    about = replace(main, **keys)
    seeds = list(mask_seeds or [0])
    low, high = main.space.low, main.space.high
    chance = synthetic.probability(kind, seed=seed)((X - low) / (high - low))
    moved = np.random.default_rng([seed, 2]).normal(0, mask_noise, (len(X), len(seeds)))
    rng, frames = np.random.default_rng([seed, 1]), []
    for split, categories in main.n_examples.items():
        for category, count in categories.items():
            difficulty = rng.uniform(size=count)  # The very examples of `synthetic.outcomes`.
            if split != "test":
                continue
            for place, mask_seed in enumerate(seeds):
                frame = pd.DataFrame(np.repeat(X, count, axis=0), columns=list(main.space.names))
                frame["split"], frame["category"] = split, category
                frame["id"] = np.tile([f"{split}-{category}-{i:04d}" for i in range(count)], len(X))
                frame["correct"] = (difficulty[None, :] < (chance + moved[:, place])[:, None]).ravel()
                frames.append(frame.assign(mask_seed=mask_seed) if mask_seeds else frame)
    answers = pd.concat(frames, ignore_index=True)
    names = [*about.space.names, *(["mask_seed"] if mask_seeds else [])]
    grid = answers.groupby(["split", *names])["correct"].agg(score="mean", n_examples="size").reset_index()
    grid["standard_error"] = np.sqrt(grid["score"] * (1 - grid["score"]) / grid["n_examples"])
    place_ = folder / FOLDERS[design]
    write_grid(place_ / "grid.parquet", grid.assign(merge_seconds=0.05, eval_seconds=0.3), about.space)
    write_outcomes(place_ / "outcomes.parquet", answers, about.space)
    about.write(place_ / "card.yaml")
    return place_
