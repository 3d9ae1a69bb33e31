"""Finds the best merge of a vision-language model with an expert, and says which optimiser finds it soonest.

Everything a user needs is here, and nothing is imported before it is used:

    import hpo_bench as hb

    landscape = hb.load_landscape("ja-llama/ta")        # a recorded merge, made continuous
    result = hb.run_benchmark(["gp-bo", "random"], landscapes="ja-*", seeds=10)
    best = hb.maximize(function, {"lr": (1e-5, 1e-1, "log"), "density": (0, 1)}, trials=40)
    pair = hb.load_pair("ja-llama")
    hb.merge(pair, "ta", vl_weight=0.6, exp_weight=0.8, out="merged")
    hb.plan(pair, gpu_hours=2).to_frame()               # how they are best spent
    study = hb.tune(pair, methods=["ta"], trials=40)    # real merges, asked real questions
    study.to_frame(), study.result, study.export("tuned")

`help(hb.maximize)` and so on say the rest; on the command line `hpo-bench --help`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_bench.api import check_pair as check_pair
    from hpo_bench.api import load_landscape as load_landscape
    from hpo_bench.api import load_pair as load_pair
    from hpo_bench.api import load_study as load_study
    from hpo_bench.api import merge as merge
    from hpo_bench.api import plot_landscape as plot_landscape
    from hpo_bench.api import run_benchmark as run_benchmark
    from hpo_bench.benchmark.outcome import BenchmarkResult as BenchmarkResult
    from hpo_bench.errors import HpoBenchError as HpoBenchError
    from hpo_bench.evaluation.base import Evaluator as Evaluator
    from hpo_bench.evaluation.before_after import before_after as before_after
    from hpo_bench.merging.methods.base import MergeMethod as MergeMethod
    from hpo_bench.merging.pair import Pair as Pair
    from hpo_bench.merging.setting import MergeSetting as MergeSetting
    from hpo_bench.merging.writing.put_back import graft as graft
    from hpo_bench.search import Maximum as Maximum
    from hpo_bench.search import maximize as maximize
    from hpo_bench.tuning.planning.outlook import plan as plan
    from hpo_bench.tuning.planning.spending import plan_spending as plan_spending
    from hpo_bench.tuning.study import Study as Study
    from hpo_bench.tuning.trial import Trial as Trial
    from hpo_bench.tuning.tune import tune as tune
    from landscapes.landscape import Landscape as Landscape
    from landscapes.space import SearchSpace as SearchSpace
    from optimizers.base import Optimizer as Optimizer

    __version__: str

_HOMES = {
    "BenchmarkResult": "hpo_bench.benchmark.outcome",
    "Evaluator": "hpo_bench.evaluation.base",
    "HpoBenchError": "hpo_bench.errors",
    "Landscape": "landscapes.landscape",
    "Maximum": "hpo_bench.search",
    "MergeMethod": "hpo_bench.merging.methods.base",
    "MergeSetting": "hpo_bench.merging.setting",
    "Optimizer": "optimizers.base",
    "Pair": "hpo_bench.merging.pair",
    "SearchSpace": "landscapes.space",
    "Study": "hpo_bench.tuning.study",
    "Trial": "hpo_bench.tuning.trial",
    "before_after": "hpo_bench.evaluation.before_after",
    "check_pair": "hpo_bench.api",
    "graft": "hpo_bench.merging.writing.put_back",
    "load_landscape": "hpo_bench.api",
    "load_pair": "hpo_bench.api",
    "load_study": "hpo_bench.api",
    "maximize": "hpo_bench.search",
    "merge": "hpo_bench.api",
    "plan": "hpo_bench.tuning.planning.outlook",
    "plan_spending": "hpo_bench.tuning.planning.spending",
    "plot_landscape": "hpo_bench.api",
    "run_benchmark": "hpo_bench.api",
    "tune": "hpo_bench.tuning.tune",
}
"""Where each name is defined; the imports above say the same to type checkers."""

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("hpo-bench")
    if name not in _HOMES:
        # By name and module Python suggests the nearest name.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
