"""Figures of a study: the trajectory of its scores, and the box with the path that was walked."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpo_bench.display.figures import PAGE_INCHES, blank, house_style
from hpo_bench.display.looks import COLOURS, FAINT, INK, OTHERS
from hpo_bench.merging.methods import registry
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.outcome.front import TradeOff, hypervolumes
from hpo_bench.tuning.outcome.posterior import Recommendation, beliefs, near_optimal, predict
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.space import WEIGHTS
from hpo_bench.tuning.trial import Trial

CELLS = 60
LOST = "#B91C1C"
METHODS = (
    *(colour for identity, colour in COLOURS.items() if identity != "cma-es"),
    *(look.colour for look in OTHERS),
)
"""Of methods, in their order, and once more from the first where there are yet more; none is that of the star."""
ACROSS = 3
"""So many maps stand beside each other."""


def trajectory(trials: Sequence[Trial], chosen: Recommendation) -> Figure:
    """Every score with its standard error, the best so far, failures, and what is recommended.

    Args:
        trials: The study's.
        chosen: What it recommends.
    """
    done = [trial for trial in trials if trial.score is not None]
    with house_style():
        figure = blank(PAGE_INCHES, 3.4)
        axes = figure.add_subplot()
        numbers, scores = [t.number for t in done], np.array([t.score for t in done], dtype=float)
        errors = np.array([np.nan if t.standard_error is None else t.standard_error for t in done], dtype=float)
        for method, colour in zip(dict.fromkeys(t.setting.method for t in done), cycle(METHODS), strict=False):
            own = [i for i, trial in enumerate(done) if trial.setting.method == method]
            axes.errorbar(
                [numbers[i] for i in own], scores[own], errors[own], fmt="o", ms=4, lw=0.8, color=colour,
                label=registry.label(method),
            )  # fmt: skip
        lossy = [trial for trial in done if not trial.feasible]
        axes.plot(
            [trial.number for trial in lossy], [trial.score or 0.0 for trial in lossy], "x", ms=9, color=LOST,
            label="lost too much of what must be kept" if lossy else None,
        )  # fmt: skip
        allowed = np.maximum.accumulate(np.where([trial.feasible for trial in done], scores, -np.inf))
        allowed[np.isneginf(allowed)] = np.nan
        axes.step(numbers, allowed, where="post", color=INK, lw=1.2, label="highest score so far")
        axes.errorbar(
            [chosen.trial.number], [chosen.mean], [chosen.deviation], fmt="*", ms=13, color=COLOURS["cma-es"],
            label="recommended, posterior mean",
        )  # fmt: skip
        for place, trial in enumerate(one for one in trials if one.state == "failed"):
            axes.axvline(trial.number, color=LOST, lw=1.1, ls=":", label=None if place else "failed")
        axes.set(xlabel="trial", ylabel="validation score", title="Scores as they came in (bars: one standard error)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper center", ncols=3)  # Where no trial is.
    return figure


def front(found: Sequence[TradeOff], chosen: Recommendation, result: TuningResult) -> Figure:
    """Both goals of a study with an ability to keep: all trials, the front, the limit, and what there was before.

    Args:
        found: The trials in both goals.
        chosen: What the study recommends.
        result: What came of it.
    """
    keep = result.keep.category if result.keep else ""
    best = [choice for choice in found if choice.best]
    least = next(
        c.trial.kept - c.trial.margin for c in found if c.trial.kept is not None and c.trial.margin is not None
    )
    with house_style():
        figure = blank(PAGE_INCHES, 3.8)
        axes = figure.add_subplot()
        axes.scatter([c.kept for c in found], [c.score for c in found], s=16, color=FAINT, label="trials")
        axes.step([c.kept for c in best], [c.score for c in best], where="post", color=COLOURS["gp-bo"], lw=1.0)
        axes.scatter(
            [c.kept for c in best], [c.score for c in best], s=26, color=COLOURS["gp-bo"], label="Pareto front"
        )
        axes.axvline(
            least,
            color=LOST,
            lw=1.2,
            ls="--",
            label="the limit of what is recommended" if result.front else "the least that must be kept",
        )
        for line, marker in zip(result.merges[1:], cycle("sD^vPX"), strict=False):
            if line.kept is not None:
                axes.plot(line.kept.validation, line.validation, marker, ms=6, color=INK, mfc="white", label=line.name)
        own = next(choice for choice in found if choice.trial.number == chosen.trial.number)
        axes.plot(own.kept, own.score, "*", ms=14, color=COLOURS["cma-es"], label="recommended")
        axes.set(
            xlabel=f"score on category {keep} (validation)", ylabel="score on the others",
            title="What keeping costs (posterior means)",
        )  # fmt: skip
        figure.legend(loc="outside right upper")
    return figure


def hypervolume(found: Sequence[TradeOff]) -> Figure:
    """How much of both goals the trials dominate, after each of them.

    Args:
        found: The trials in both goals.
    """
    volumes = hypervolumes(found)
    with house_style():
        figure = blank(PAGE_INCHES, 2.6)
        axes = figure.add_subplot()
        axes.step(np.arange(1, len(volumes) + 1), volumes, where="post", color=COLOURS["gp-bo"], lw=1.4)
        axes.set(xlabel="trials told", ylabel="hypervolume", title="How the front grew (posterior means)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def landscapes(config: StudyConfig, trials: Sequence[Trial], chosen: Recommendation) -> Figure | None:
    """The posterior mean over both coefficients, a panel a method, the trials in order and the near-optimal settings.

    A method with too few trials for a posterior has its trials alone. Where there are further hyperparameters, such as
    a density, they are those of the method's best trial. A method without both coefficients has no panel.

    Args:
        config: The study.
        trials: Its trials.
        chosen: What it recommends.

    Returns:
        The figure; None where it would have no panel.
    """
    held = [one for one in beliefs(config, trials) if config.space(one.method).box.names[:2] == WEIGHTS]
    if not held:
        return None
    with house_style():
        # Wide enough for the box, which is square, and a bar beside it.
        across = min(ACROSS, len(held))
        down = -(-len(held) // across)
        figure = blank(min(PAGE_INCHES, 4.9 * across), (4.3 if across < ACROSS else 3.5) * down)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes in panels[len(held) :]:
            axes.remove()
        low, high = config.coefficients
        for axes, belief in zip(panels, held, strict=False):
            space, best = config.space(belief.method), belief.trials[belief.best]
            along = np.linspace(low, high, CELLS)
            if belief.model is not None and not config.sum_to_one:
                vl, expert = np.meshgrid(along, along, indexing="ij")
                unit = np.tile(space.point(best.setting), (vl.size, 1))
                unit[:, 0] = (vl.ravel() - low) / (high - low)
                unit[:, 1] = (expert.ravel() - low) / (high - low)
                means = predict(belief.model, unit)[0].reshape(vl.shape)
                mesh = axes.pcolormesh(
                    vl, expert, means.clip(0.0, 1.0), cmap="viridis", shading="gouraud", rasterized=True
                )
                # As high as the map, which a bar that the layout finds room for is not.
                bar = figure.colorbar(mesh, cax=axes.inset_axes((1.04, 0.0, 0.05, 1.0)), label="posterior mean")
                bar.outline.set_visible(False)
                near = near_optimal(config, belief)
                if near is not None:
                    edge = float(near.means.max() - near.extent.within)
                    if means.min() < edge < means.max():
                        axes.contour(vl, expert, means, levels=[edge], colors="white", linewidths=1.4)
                if belief.margins is not None:
                    left = predict(belief.margins, unit)[0].reshape(vl.shape)
                    if left.min() < 0.0 < left.max():
                        axes.contour(vl, expert, left, levels=[0.0], colors=LOST, linewidths=1.4, linestyles="--")
                        axes.contourf(vl, expert, left, levels=[left.min(), 0.0], colors="none", hatches=["//"])
            path = np.array([[t.setting.vl_weight, t.setting.exp_weight] for t in belief.trials])
            axes.plot(path[:, 0], path[:, 1], color=FAINT, lw=0.5, alpha=0.7)
            axes.scatter(
                path[:, 0], path[:, 1], c=np.arange(len(path)), cmap="Greys", s=18, edgecolor=INK, lw=0.4,
                clip_on=False, zorder=3,
            )  # fmt: skip
            if belief.method == chosen.setting.method:
                axes.plot(
                    chosen.setting.vl_weight, chosen.setting.exp_weight, "*", ms=14, color=COLOURS["cma-es"],
                    markeredgecolor="white", clip_on=False, zorder=4,
                )  # fmt: skip
            further = [f"{name} {value:.3g}" for name, value in best.setting.parameters.items() if name not in WEIGHTS]
            where = f" at {', '.join(further)}" if further else ""
            axes.set(xlabel="vl_weight", ylabel="exp_weight", title=f"{best.setting.label}{where}")
            axes.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
            axes.grid(visible=False)
    return figure
