"""The study's landscape analyses as figures: sum of coefficients, where optima lie, and validation against test."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from hpo_bench.analyses import paper
from hpo_bench.analyses.optima import Optimum
from hpo_bench.analyses.restrictions import LABELS, WITHIN, Cost
from hpo_bench.analyses.transfer import Transfer, optimizers_of
from hpo_bench.display import marks
from hpo_bench.display.figures import PAGE_INCHES, REGRETS, blank, house_style, log_axis
from hpo_bench.display.looks import BAND, FAINT, INK, looks
from hpo_bench.display.svg import tell
from hpo_bench.display.words import METHODS, counted, number

Array = NDArray[np.float64]

HERE, STUDY = "#0072B2", FAINT
SHADES = {"ta": "#0072B2", "dare": "#CC3F00", "ties": "#00A17A", "other": "#6B7280"}
LEAST = 1e-3
RESTRICTION_CAPTION = (
    "Relative regret of restricting the sum of both coefficients (the study’s Table 3, right of each pair in grey). "
    "Each mark is a landscape, the bar the median; hollow where the winners that validation picks differ on test by no "
    "more than two standard errors, or that was not recorded; square where the landscape is weak (†). In the "
    "study’s box, where it was recorded."
)
RESTRICTION_ALT = (
    "Strip plot. Columns are merge methods, the height is relative regret in per cent; one panel where both "
    "coefficients must add up to one, and one where they must be within 0.2 of it."
)
OPTIMA_CAPTION = (
    "Where optima lie: coefficients of the certified optimum on the test split, by method; the larger the mark, the "
    "higher the density; square where the landscape is weak (†). The dashed line is where both add up to one, the band "
    "where they are within 0.2 of it."
)
OPTIMA_ALT = (
    "Scatter plot of certified optima. Horizontal is the weight of the VLM, vertical that of the expert; colours are "
    "merge methods."
)
TRANSFER_CAPTION = (
    "Regret of the best setting so far by validation score: on validation (solid), and on test of the very same "
    "settings (dashed), each as a fraction of that split’s range; means over landscapes and seeds. The study’s "
    "Figure 4, on all landscapes."
)

TRANSFER_ALT = (
    "Step curves on a logarithmic axis: mean regret after each evaluation on validation and on test, a colour an "
    "optimiser, a panel a number of hyperparameters."
)


def restrictions(found: Sequence[Cost]) -> Figure:
    """Relative regret by method and restriction, ours and the study's."""
    theirs = paper.restriction_costs()
    present = [method for method in METHODS if any(cost.method == method for cost in found)]
    with house_style():
        figure = blank(PAGE_INCHES, 3.3)
        axes = figure.subplots(1, len(WITHIN), sharey=True, squeeze=False)[0]
        rng = np.random.default_rng(0)
        for axis, restriction in zip(axes, WITHIN, strict=True):
            for place, method in enumerate(present):
                ours = [cost for cost in found if (cost.method, cost.restriction) == (method, restriction)]
                label = METHODS[method]
                there = theirs[(theirs["method"] == label) & (theirs["restriction"] == restriction)]
                values = there["relative_regret_percent"].to_numpy(float)
                heights = np.array([cost.percent for cost in ours])
                solid = np.array([cost.visible for cost in ours], bool)
                weak = np.array([cost.weak for cost in ours], bool)
                _strip(axis, place - 0.18, heights, HERE, rng, solid=solid, weak=weak)
                _strip(axis, place + 0.18, values, STUDY, rng, solid=values == values, weak=values != values)
            axis.set_xticks(range(len(present)), [METHODS[method] for method in present])
            axis.set_title(LABELS[restriction], fontweight="normal", fontsize=9)
            axis.grid(visible=False, axis="x")
        axes[0].set_ylabel("relative regret in %")
        handles = [Line2D([], [], color=c, marker="o", ls="", label=n) for c, n in ((HERE, "here"), (STUDY, "study"))]
        handles += marks.handles(hollow="cost not visible", weak=np.array([cost.weak for cost in found]))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _strip(
    axis: Axes,
    x: float,
    heights: Array,
    colour: str,
    rng: np.random.Generator,
    *,
    solid: NDArray[np.bool_],
    weak: NDArray[np.bool_],
) -> None:
    if not len(heights):
        return
    around = x + rng.uniform(-0.1, 0.1, len(heights))
    marks.draw(axis, around, heights, filled=solid, weak=weak, colour=colour, size=4.5)
    middle = np.median(heights)
    axis.plot([x - 0.14, x + 0.14], [middle, middle], color=colour, lw=2.4)


def optima(found: Sequence[Optimum]) -> Figure:
    """Optima in the plane of both coefficients, of landscapes that have them."""
    with house_style():
        figure = blank(4.8, 4.6)
        axis = figure.subplots()
        line, near, far = np.array([-0.2, 1.6]), 0.0, 1.0
        axis.fill_between(line, 0.8 - line, 1.2 - line, color=BAND, alpha=0.6, lw=0)
        axis.plot(line, 1 - line, color=FAINT, lw=1.1, ls=(0, (4, 2.5)))
        for one in found:
            density = one.x[one.names.index("density")] if "density" in one.names else 1.0
            x, y = (one.x[one.names.index(name)] for name in ("vl_weight", "exp_weight"))
            (mark,) = axis.plot(
                x, y, marks.WEAK if one.weak else marks.SOUND, ms=3 + 8 * density, color=SHADES[one.method], alpha=0.55,
                mec=INK, mew=0.5, clip_on=False,
            )  # fmt: skip
            tell(mark, words=[", ".join([one.landscape, *map(_valued, one.names, one.x)])])
            near, far = min(near, x, y), max(far, x, y)
        axis.set_xlim(1.05 * near, 1.05 * far)
        axis.set_ylim(1.05 * near, 1.05 * far)
        axis.set_aspect(1)
        axis.set_xlabel("VLM weight")
        axis.set_ylabel("expert weight")
        methods = [method for method in METHODS if any(one.method == method for one in found)]
        handles = [Line2D([], [], color=SHADES[m], marker="o", ls="", alpha=0.7, label=METHODS[m]) for m in methods]
        handles += marks.handles(hollow="", weak=np.array([one.weak for one in found]))[1:]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _valued(name: str, value: float) -> str:
    return f"{name} {number(float(value))}"


def optima_data(found: Sequence[Optimum]) -> pd.DataFrame:
    """Where optima lie: one row a landscape."""
    return pd.DataFrame(
        {"landscape": one.landscape, "method": one.method, **dict(zip(one.names, one.x, strict=True)), "weak": one.weak}
        for one in found
    )


def transfer(found: Transfer, landscapes_by_dim: Mapping[int, Sequence[str]], labels: Mapping[str, str]) -> Figure:
    """Regret curves on both splits, a panel a number of hyperparameters; whose regret is least comes first."""
    look, panels = looks(labels), _panels(found, landscapes_by_dim)
    order = sorted(
        optimizers_of(found), key=lambda one: np.mean([own.validation[one].mean() for own in found.values()])
    )
    with house_style():
        figure = blank(PAGE_INCHES, 4.1)
        axes = figure.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)[0]
        for axis, (dim, names) in zip(axes, panels.items(), strict=False):
            for place, optimizer in enumerate(order):
                for split, dashes in (("validation", "-"), ("test", (0, (4, 2)))):
                    curve = _mean_curve(found, split, optimizer, names)
                    t, own = np.arange(1, len(curve) + 1), look[optimizer]
                    line = axis.step(
                        t, np.maximum(curve, LEAST), where="post", color=own.colour, ls=dashes, lw=1.4,
                        marker=own.marker, ms=3.5, markevery=(3 + place, 10),
                    )[0]  # fmt: skip
                    tell(line, optimizer=optimizer, words=[labels[optimizer]])
                    axis.set_xlim(1, t[-1])
            log_axis(axis, "y", REGRETS, (LEAST, 1))
            axis.set_xlabel("evaluations")
            count = counted(len(names), "landscape")
            axis.set_title(f"{counted(dim, 'hyperparameter')}, {count}", fontweight="normal", fontsize=9)
        axes[0].set_ylabel("mean regret")
        handles = [
            Line2D([], [], color=look[one].colour, marker=look[one].marker, ms=4, label=labels[one]) for one in order
        ]
        handles += [
            Line2D([], [], color=INK, label="validation"),
            Line2D([], [], color=INK, ls=(0, (4, 2)), label="test"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=5, columnspacing=1.4)
    return figure


def transfer_data(found: Transfer, landscapes_by_dim: Mapping[int, Sequence[str]]) -> pd.DataFrame:
    """What is drawn: one row a number of hyperparameters, optimiser, split and evaluation."""
    parts = []
    for dim, names in _panels(found, landscapes_by_dim).items():
        for optimizer in optimizers_of(found):
            for split in ("validation", "test"):
                mean = _mean_curve(found, split, optimizer, names)
                about = {"hyperparameters": dim, "optimizer": optimizer, "split": split}
                parts.append(pd.DataFrame({**about, "t": np.arange(1, len(mean) + 1), "mean_regret": mean}))
    return pd.concat(parts, ignore_index=True)


def _panels(found: Transfer, landscapes_by_dim: Mapping[int, Sequence[str]]) -> dict[int, list[str]]:
    panels = {dim: [n for n in names if n in found] for dim, names in sorted(landscapes_by_dim.items())}
    return {dim: names for dim, names in panels.items() if names}


def _mean_curve(found: Transfer, split: str, optimizer: str, names: Sequence[str]) -> Array:
    """Mean regret on a split over landscapes and seeds, of shape (budget,)."""
    return np.mean([getattr(found[name], split)[optimizer].mean(axis=0) for name in names], axis=0)
