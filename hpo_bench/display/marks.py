"""How a landscape is drawn in plots of one mark a landscape: hollow under the noise, square if it is weak."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from hpo_bench.display.looks import INK
from hpo_bench.display.svg import tell

SOUND, WEAK = "o", "s"
LEGEND = (
    "hollow where Random’s own regret is under the noise of a comparison, so that tuning with so few examples would "
    "not show the ratio; square where the landscape is weak (†)"
)


def draw(
    axis: Axes,
    x: ArrayLike,
    y: ArrayLike,
    *,
    filled: NDArray[np.bool_],
    weak: NDArray[np.bool_],
    colour: str,
    size: float,
    words: Sequence[str] = (),
    optimizer: str | None = None,
) -> None:
    """One mark a landscape.

    Args:
        axis: Where.
        x: Of shape (n,), or one for all.
        y: Of shape (n,), or one for all.
        filled: Of shape (n,): which are not hollow.
        weak: Of shape (n,): which are square.
        colour: Of all of them.
        size: Of a circle, in points.
        words: What is said of each under the pointer, n texts; none by default.
        optimizer: Whose marks they are; None if nobody's.
    """
    places = np.stack(np.broadcast_arrays(x, y, filled)[:2])
    for full in (True, False):
        for square in (True, False):
            chosen = (filled == full) & (weak == square)
            if not chosen.any():
                continue
            marks = axis.plot(
                *places[:, chosen], WEAK if square else SOUND, ms=size * (0.88 if square else 1), color=colour,
                mfc=colour if full else "none", mew=0.8, alpha=0.75, ls="", clip_on=False, zorder=3,
            )  # fmt: skip
            # Whole marks on the edge; but a mark that is not clipped must not move the layout.
            marks[0].set_in_layout(False)
            tell(marks[0], optimizer=optimizer, words=[one for one, own in zip(words, chosen, strict=False) if own])


def handles(*, hollow: str, weak: NDArray[np.bool_], size: float = 4.5) -> list[Line2D]:
    """What the legend says of marks.

    Args:
        hollow: What a hollow one is; empty if none is.
        weak: Which landscapes are; squares are explained where there are any.
        size: Of a mark, in points.
    """

    def handle(marker: str, label: str, *, filled: bool = True) -> Line2D:
        look = {"mfc": INK if filled else "none", "alpha": 0.75}
        return Line2D([], [], marker=marker, ls="", color=INK, ms=size, label=label, **look)

    found = [handle(SOUND, "a landscape")]
    found += [handle(SOUND, hollow, filled=False)] if hollow else []
    return [*found, handle(WEAK, "a weak one (†)")] if weak.any() else found
