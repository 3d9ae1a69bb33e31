"""How all figures look, and what all of them say about their data."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Literal

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from hpo_bench.display.looks import FAINT, INK, RULE, SOFT
from hpo_bench.display.svg import tidy
from landscapes.functions import Function
from landscapes.problem import Problem
from landscapes.terms import ELSEWHERE

if TYPE_CHECKING:
    import pandas as pd

PAGE_INCHES = 9.2
"""Width of a figure that spans the page."""
FOOT_INCHES = 0.3
"""Height of the foot, which has room for two lines."""
FOOT_LINE_INCHES = 0.11
FOOT_LETTERS = 19
"""How many letters of the line at the foot fit into an inch."""
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Fixed, so that the same figures give the same bytes.
    "svg.hashsalt": "hpo-bench",
}


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A figure, and what is said of it.

    Attributes:
        name: Of its files.
        figure: The figure, begun with `blank`.
        caption: What stands below it.
        alt: The same in words, for those who cannot see it.
        data: What is drawn, as rows.
    """

    name: str
    figure: Figure
    caption: str
    alt: str
    data: "pd.DataFrame"


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style inside the block, and leave the user's settings alone outside."""
    with style.context(SETTINGS, after_reset=True):
        yield


def blank(width: float, height: float, *, shaped: bool = False) -> Figure:
    """An empty figure with room at its foot for the line on what the numbers come from.

    Args:
        width: In inches.
        height: In inches.
        shaped: Whether panels keep a shape of their own, so that room is left over between them.
    """
    foot = FOOT_INCHES / height
    engine = ConstrainedLayoutEngine(rect=(0, foot, 1, 1 - foot), compress=shaped)
    return Figure(figsize=(width, height), layout=engine)


def log_axis(axis: Axes, side: Literal["x", "y"], ticks: Mapping[float, str], ends: tuple[float, float]) -> None:
    """Draw a side on a logarithmic scale, with these ticks alone.

    Args:
        axis: What is drawn on.
        side: Which of its two.
        ticks: What stands at each value.
        ends: The least and the greatest value that are shown.
    """
    axis.set(**{f"{side}scale": "log", f"{side}lim": ends})
    getattr(axis, f"set_{side}ticks")(list(ticks), list(ticks.values()))
    axis.minorticks_off()


def label_below(row: Sequence[Axes], text: str) -> None:
    """Say once what lies along the horizontal axes of a row of panels, in its middle."""
    # Between two panels lies about a thirtieth of one's width.
    row[(len(row) - 1) // 2].set_xlabel(text, x=0.5 if len(row) % 2 else 1.03)


REGRETS = {1e-3: "0.001", 1e-2: "0.01", 1e-1: "0.1", 1: "1"}
"""Ticks of an axis of regrets."""
RATIOS = {0.01: "≤.01", 0.03: ".03", 0.1: ".1", 0.3: ".3", 1: "1"}
"""Ticks of an axis of ratios to Random's regret."""


def provenance(landscapes: Sequence[Problem]) -> str:
    """What the numbers come from, in a line that every figure carries."""
    kinds = [_kind(landscape) for landscape in landscapes]
    parts = []
    for kind, words in KINDS.items():
        if count := kinds.count(kind):
            parts.append(f"{count} {words[count > 1]}" if len(kinds) > 1 else words[0])
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


KINDS = {
    "nano": (
        "landscape recorded from real merges of a nano pair (about a million parameters, trained from scratch), not of "
        "full-size models",
        "landscapes recorded from real merges of nano pairs (about a million parameters, trained from scratch), not of "
        "full-size models",
    ),
    "pretrained": (
        "landscape recorded from real merges of a pair on a really pretrained language model",
        "landscapes recorded from real merges of pairs on really pretrained language models",
    ),
    "published": (
        "landscape of merges of models of full size that others published",
        "landscapes of merges of models of full size that others published",
    ),
    "own": ("landscape from a folder of the user’s", "landscapes from a folder of the user’s"),
    "function": ("test function, no merge", "test functions, no merges"),
    "synthetic": ("SYNTHETIC landscape, made from a formula", "SYNTHETIC landscapes, made from a formula"),
}


def _kind(landscape: Problem) -> str:
    if isinstance(landscape, Function):
        return "function"
    if landscape.card.synthetic:
        return "synthetic"
    if landscape.card.tier != ELSEWHERE:
        return landscape.card.tier
    return "published" if landscape.card.citation else "own"


METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
"""Of each format: nothing that differs from one day or version to the next."""


def encode(figure: Figure, source: str, formats: Sequence[str] = tuple(METADATA)) -> dict[str, bytes]:
    """A figure as PNG and SVG, with the line on what its numbers come from.

    Args:
        figure: The figure, begun with `blank`.
        source: That line.
        formats: Which of the two.

    Returns:
        The content of a file by its suffix.
    """
    encoded = {}
    with house_style():
        set_foot(figure, source)
        for suffix in formats:
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix, dpi=150, metadata=METADATA[suffix])
            encoded[suffix] = tidy(buffer.getvalue()) if suffix == "svg" else buffer.getvalue()
    return encoded


def set_foot(figure: Figure, source: str) -> None:
    """Write the line on what the numbers come from, and find room for all that there is, once for all formats.

    Args:
        figure: The figure, begun with `blank`.
        source: That line; in narrow figures it takes two or more.
    """
    height = figure.get_figheight()
    lines = fill(source, int(FOOT_LETTERS * figure.get_figwidth()))
    figure.text(0.012, 0.05 / height, lines, fontsize=6.5, color=SOFT)
    foot = (FOOT_INCHES + FOOT_LINE_INCHES * max(0, lines.count("\n") - 1)) / height
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(rect=(0, foot, 1, 1 - foot))
        engine.execute(figure)  # without drawing, which would take as long again
    figure.set_layout_engine(None)
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, foot, 1, 1 - foot))  # Above the foot; told before, no room would be found.
