"""Figures as SVG that says what its marks are: hover texts, whose they are, and colours that follow a page's.

Matplotlib keeps one free word of an artist in its SVG, the group's id. `tell` writes there what a mark is about;
`tidy` turns it into titles, which browsers show under the pointer, and `inline` into a part of a page.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from xml.etree import ElementTree

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from hpo_bench.display.looks import BAND, DEEP_BAND, FAINT, INK, RULE, SOFT

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
VARIABLES = {
    INK: "--ink", FAINT: "--faint", SOFT: "--soft", BAND: "--band", DEEP_BAND: "--deep-band", RULE: "--line",
    "#FFFFFF": "--ground",
}  # fmt: skip
"""What of a figure takes the page's colours; those of its data stay as they are, legible on white and on dark."""
HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
NAMESPACE = re.compile(r' xmlns(:\w+)?="[^"]*"')
REFERENCE = re.compile(r"url\(#([^)]*)\)")
FINE = re.compile(r"(\d{2}\.\d\d)\d+")
"""Digits below a hundredth of a point, of numbers from ten on: of scales, which are small, every digit counts."""
GROUP, USE, HREF = f"{{{SVG}}}g", f"{{{SVG}}}use", f"{{{XLINK}}}href"


def tell(artist: Artist, *, optimizer: str | None = None, words: Sequence[str] = ()) -> None:
    """Say what an artist shows.

    Args:
        artist: One line, area, or row of marks.
        optimizer: Whose it is, so that a page can hide it with the others of that optimiser; None if nobody's.
        words: What a reader sees under the pointer: one text for all of it, or one for each mark.
    """
    artist.set_gid(json.dumps({"optimizer": optimizer, "words": list(words)}))


def tell_steps(
    axis: Axes, steps: Iterable[int], curves: Mapping[str, Sequence[float]], say: Callable[[float], str]
) -> None:
    """Say under the pointer what all curves come to after so many evaluations.

    Args:
        axis: What they are drawn on.
        steps: Numbers of evaluations.
        curves: By label, each with a value at every step.
        say: How a value is written.
    """
    for step, *values in zip(steps, *curves.values(), strict=True):
        said = "\n".join(
            [f"t = {step}", *(f"{label} {say(value)}" for label, value in zip(curves, values, strict=True))]
        )
        tell(axis.axvspan(step - 0.5, step + 0.5, fc="none", ec="none"), words=[said])  # with nothing to see


def tidy(svg: bytes) -> bytes:
    """The same figure with titles and plain ids in place of what `tell` wrote."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    numbers = count(1)
    for element in root.iter():
        name = element.get("id", "")
        if name.startswith("{"):
            told = json.loads(name)
            element.set("id", f"told_{next(numbers)}")
            if told["optimizer"]:
                element.set("data-optimizer", told["optimizer"])
            marks = list(element.iter(f"{{{SVG}}}use"))
            shown = marks if len(marks) == len(told["words"]) > 1 else [element]
            for mark, words in zip(shown, told["words"], strict=False):
                title = ElementTree.Element(f"{{{SVG}}}title")
                title.text = words
                mark.insert(0, title)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def inline(svg: bytes, name: str) -> str:
    """A tidy figure as a part of a page: its own ids, the page's ink and ground.

    Args:
        svg: The figure.
        name: Of the figure, which begins each of its ids: a page has each id once.
    """
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    _lighten(root)
    root.attrib.pop("height", None)
    root.set("style", f"--width: {root.attrib.pop('width')}")
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == HREF:
                del element.attrib[key]
                element.set("href", f"#{name}-{value[1:]}" if value.startswith("#") else value)
            elif key != "style" and "url(#" in value:
                element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))
        if (style := element.get("style")) and element is not root:
            element.set("style", HEX.sub(_variable, REFERENCE.sub(rf"url(#{name}-\1)", style)))
    root.set("aria-hidden", "true")  # What it shows is said in words beside it.
    # A page knows these names without being told where they come from.
    return NAMESPACE.sub("", ElementTree.tostring(root, encoding="unicode"))


def _lighten(root: ElementTree.Element) -> None:
    """Take out what a page does without: Matplotlib's SVG is twice as long as what it shows.

    Namely what is for other programs, grounds in white, ids that nothing refers to, digits that nobody sees, room
    between tags, and a style that every mark of a row repeats. What Matplotlib gives all lines, the page's style does.
    """
    values = [value for element in root.iter() for value in element.attrib.values()]
    referred = {found for value in values for found in REFERENCE.findall(value)} | {
        value[1:] for value in values if value[:1] == "#"
    }
    for element in [root, *root.iter()]:
        for child in list(element):
            if _is_needless(child) or (_is_ground(child) and element.get("id", "").startswith(("figure", "axes"))):
                element.remove(child)
        rows = list(element)
        if (
            element.tag == GROUP
            and len(rows) > 1
            and {(row.tag, row.get("style")) for row in rows} == {(USE, rows[0].get("style"))}
        ):
            element.set("style", "; ".join(filter(None, (element.get("style"), rows[0].get("style")))))
            for row in rows:
                row.attrib.pop("style", None)
    for element in root.iter():
        if element.get("id") not in referred:
            element.attrib.pop("id", None)
        for key in element.attrib.keys() & {"d", "x", "y", "transform"}:
            element.set(key, FINE.sub(r"\1", element.attrib[key]))
        element.text = element.text and element.text.strip()
        element.tail = None


def _is_needless(element: ElementTree.Element) -> bool:
    return element.tag == f"{{{SVG}}}metadata" or any(child.tag == f"{{{SVG}}}style" for child in element)


def _is_ground(element: ElementTree.Element) -> bool:
    return element.get("id", "").startswith("patch") and [child.get("style") for child in element] == ["fill: #ffffff"]


def _variable(found: re.Match[str]) -> str:
    colour = found[0].upper()
    return f"var({VARIABLES[colour]})" if colour in VARIABLES else found[0]
