"""A pool whose best setting is known."""

import numpy as np

from hpo_bench.benchmark.replay.pool import Pool


def pool(*, examples: int = 800, noisy: bool = True, name: str = "one/ta", seed: int = 0) -> Pool:
    """7 x 7 settings around an optimum at (.5, .5); without noise the score alone decides, to the example."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, 7)
    X = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    worth = 0.6 - ((X - 0.5) ** 2).sum(axis=1)
    ease = rng.permutation((np.arange(examples) + 0.5) / examples)
    answers = (ease < worth[:, None] + (rng.normal(0, 0.05, (len(X), examples)) if noisy else 0)).astype(np.float32)
    return Pool(name, name.split("/")[0], "toys", X, answers, answers[0])
