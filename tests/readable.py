"""Whether what a figure says can be read."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

TOUCHING = 1.0
"""So many pixels may two words share: boxes are a little larger than their letters."""


def unreadable(figure: Figure) -> list[str]:
    """Words that lie upon other words, and words that run out of the figure. Slanted ones are left out."""
    figure.draw_without_rendering()
    renderer, whole = FigureCanvasAgg(figure).get_renderer(), figure.bbox.padded(TOUCHING)
    said = [(text.get_text(), text.get_window_extent(renderer)) for text in _words(figure)]
    found = [
        f"out of the figure: {words}"
        for words, box in said
        if box.x0 < whole.x0 or box.y0 < whole.y0 or box.x1 > whole.x1 or box.y1 > whole.y1
    ]
    for (one, box), (other, beside) in combinations(said, 2):
        shared = box.intersection(box, beside)
        if shared is not None and min(shared.width, shared.height) > TOUCHING:
            found.append(f"upon each other: {one} | {other}")
    return found


def _words(figure: Figure) -> Iterator[Text]:
    held = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in _all(figure.axes):
        titles = [one for one in axes.get_children() if isinstance(one, Text)]
        held += [*titles, axes.xaxis.label, axes.yaxis.label]
        held += legend.get_texts() if (legend := axes.get_legend()) else []
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            held += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            held += [tick.label2 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return (text for text in held if text.get_visible() and text.get_text().strip() and text.get_rotation() % 90 == 0)


def _all(axes: Sequence[Artist]) -> Iterator[Axes]:
    for one in axes:
        if isinstance(one, Axes) and one.get_visible():
            yield one
            yield from _all(one.child_axes)
