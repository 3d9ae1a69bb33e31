"""Whether the order of optimisers depends on the surrogate that made the landscapes continuous."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import kendalltau

from hpo_bench.benchmark import runner
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder, assemble
from hpo_bench.display.progress import Progress
from hpo_bench.errors import UsageError
from hpo_bench.statistics.ratios import median, ratio_of_means
from hpo_bench.workers import Workers
from landscapes.landscape import Landscape
from surrogates import registry


def sensitivity(
    main: Benchmark, folder: ResultsFolder, kernels: Sequence[str], *, workers: Workers, progress: Progress
) -> list[dict]:
    """Run everything again on the same recordings under other surrogates.

    Args:
        main: The benchmark itself.
        folder: Where to store the runs; must be open.
        kernels: Names of surrogates.
        workers: Who runs it.
        progress: Is told how far the work is.

    Returns:
        For the benchmark's own surrogate and each other one its name, each optimiser's ratio of means and median
        regret-over-random from the tenth evaluation on (at the end where budgets are shorter), and Kendall's rank
        correlation of the ratios of means with the benchmark's own; empty without other surrogates.

    Raises:
        UsageError: If the benchmark is not on landscapes.
    """
    if not kernels:
        return []
    recorded = [landscape for landscape in main.landscapes if isinstance(landscape, Landscape)]
    if len(recorded) < len(main.landscapes):
        raise UsageError("functions have no surrogate; leave out --sensitivity")
    own, own_name = _figures(main), str(recorded[0].surrogate.settings["kernel"])
    rows = [{"surrogate": own_name, "kendall_tau": 1.0, **own}]
    for kernel in kernels:
        if kernel == own_name:
            continue
        plan = replace(
            main.plan, landscapes=tuple(Landscape(ls.card, ls.grid, surrogate=registry.make(kernel)) for ls in recorded)
        )
        runner.run(plan, folder, workers=workers, progress=progress)
        runs = list(plan.runs())
        found = _figures(Benchmark(plan, assemble(folder.load(runs), runs=runs, landscapes=plan.landscapes)))
        ratios = [[one["ratio_of_means"][identity] for identity in main.labels] for one in (own, found)]
        # Undefined for a single optimiser, whose order is no question.
        tau = float(kendalltau(*ratios)[0]) if len(main.labels) > 1 else 1.0  # pyright: ignore[reportArgumentType]
        rows.append({"surrogate": kernel, "kendall_tau": float(np.nan_to_num(tau, nan=1.0)), **found})
    return rows


def _figures(finished: Benchmark) -> dict[str, dict[str, float]]:
    point = finished.overall or finished.end
    every = np.ones(len(point.random))
    return {
        name: {
            identity: float(ratio(point.regret[identity].mean(axis=1), point.random, every))
            for identity in finished.labels
        }
        for name, ratio in (("ratio_of_means", ratio_of_means), ("median_ror", median))
    }
