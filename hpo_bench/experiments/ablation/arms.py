"""The choices that are compared, each against the default."""

from hpo_bench.errors import UsageError
from hpo_bench.experiments.ablation import variants
from hpo_bench.experiments.ablation.run import Arm
from optimizers.gp_bo import GpBo
from surrogates.nearest import offer

DEFAULT = "default"

ARMS = {
    arm.name: arm
    for arm in (
        Arm(DEFAULT, GpBo, "GP-BO as it is"),
        Arm("matern-3/2", variants.ThreeHalves, "kernel"),
        Arm("rbf", variants.Smooth, "kernel"),
        Arm("botorch-priors", variants.Hvarfner, "kernel and priors"),
        Arm("initial-2", GpBo, "initial design", options={"initial": 2}),
        Arm("initial-8", GpBo, "initial design", options={"initial": 8}),
        Arm("centre", GpBo, "start at the centre: knowledge about the box", centre=True),
        Arm("ucb", variants.Upper, "acquisition"),
        Arm("paired-ei", variants.Paired, "acquisition under noise"),
        Arm("ascent", variants.Polished, "search: gradient ascent in place of the last clouds"),
        Arm("twice", variants.Twice, "search: twice the candidates"),
        Arm("exploit", variants.Exploits, "the last tenth of the budget at the highest mean"),
        Arm("smoothed", variants.Smoothed, "noise: beyond the told errors it is luck, not roughness"),
        Arm("known-only", variants.KnownOnly, "noise: told standard errors, none learnt"),
        Arm("unaware", variants.Unaware, "noise: learnt, standard errors not heeded"),
        Arm("luckiest", variants.Luckiest, "recommends the highest score told"),
    )
}
"""By name; the first is what the others are compared with."""


def chosen(names: tuple[str, ...]) -> list[Arm]:
    """The arms of these names, the default first; all of them if none is named.

    Raises:
        UsageError: If there is no such arm.
    """
    for name in names:
        if name not in ARMS:
            raise UsageError(f"there is no arm called {name!r}; {offer(name, ARMS)}")
    return [arm for name, arm in ARMS.items() if not names or name in names or name == DEFAULT]
