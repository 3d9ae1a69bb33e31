"""What figures say under the pointer, and that they are read by everybody."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np

from hpo_bench.display.figures import blank, encode, house_style
from hpo_bench.display.looks import LOOKS, OTHERS
from hpo_bench.display.svg import SVG, inline, tell

GROUNDS = ("#FFFFFF", "#12181F")
# Machado, Oliveira and Fernandes (2009): how linear light is seen by those without the cones for green.
NO_GREEN = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def light(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    low, high = sorted(float(light(colour) @ TO_XYZ[1]) + 0.05 for colour in (one, other))
    return high / low


def lab(linear):
    x, y, z = np.cbrt(TO_XYZ @ np.clip(linear, 0, 1) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_optimizers_are_seen_on_white_and_dark_and_known_without_colour():
    looks = [*LOOKS.values(), *OTHERS]
    for look in looks:
        assert min(contrast(look.colour, ground) for ground in GROUNDS) >= 3
    for one, other in combinations(LOOKS.values(), 2):
        assert np.linalg.norm(lab(NO_GREEN @ light(one.colour)) - lab(NO_GREEN @ light(other.colour))) > 5
    for alike in (lambda look: look.marker, lambda look: str(look.dashes)):
        assert len({alike(look) for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.marker for look in looks}) == len(looks)


def test_marks_say_what_they_are_and_take_the_colours_of_a_page():
    with house_style():
        figure = blank(3, 2)
        axis = figure.subplots()
        tell(axis.plot([1, 2, 3], [1, 2, 3], "o")[0], optimizer="gp-bo", words=["a", "b <", "c"])
        tell(axis.axvspan(1, 2, fc="none", ec="none"), words=["hidden"])
        axis.contourf([[0.0, 1.0], [1.0, 2.0]], colors="none", hatches=["//"])
    svg = encode(figure, "made up")["svg"]
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert [title.text for title in root.iter(f"{{{SVG}}}title")] == ["hidden", "a", "b <", "c"]
    (marks,) = (one for one in root.iter() if one.get("data-optimizer"))
    assert (marks.get("data-optimizer"), len(marks.findall(f".//{{{SVG}}}title"))) == ("gp-bo", 3)
    shown = inline(svg, "mine")
    assert "xmlns" not in shown
    assert "var(--ink)" in shown
    assert "#1f2933" not in shown
    names = re.findall(r' id="([^"]*)"', shown)
    pointed = set(re.findall(r"url\(#([^)]+)\)", shown)) | set(re.findall(r'href="#([^"]+)"', shown))
    assert any("fill: url(#" in one for one in re.findall(r'style="([^"]*)"', shown)), "a hatch"
    assert len(set(names)) == len(names)
    assert pointed == set(names)
    assert all(name.startswith("mine-") for name in names)
    assert "b &lt;" in shown


def test_in_a_page_a_figure_has_the_same_marks_in_half_the_bytes():
    with house_style():
        figure = blank(9.2, 4)
        axis = figure.subplots()
        row = axis.plot(np.linspace(0, 1, 500), np.random.default_rng(0).random(500), "s", mec="#cc3f00")[0]
        tell(row, optimizer="cma-es", words=[f"mark {i}" for i in range(500)])
    svg = encode(figure, "made up")["svg"]
    shown = inline(svg, "mine")
    assert len(shown) < 0.6 * len(svg)
    assert "#ffffff" not in shown, "it stands on the page's ground"
    whole, light = ElementTree.fromstring(svg), ElementTree.fromstring(shown.replace("<svg", f'<svg xmlns="{SVG}"'))  # noqa: S314
    before, after = ([one for one in root.iter(f"{{{SVG}}}use") if len(one)] for root in (whole, light))
    assert [one[0].text for one in after] == [one[0].text for one in before] == [f"mark {i}" for i in range(500)]
    moved = [
        float(one.get(key)) - float(other.get(key)) for one, other in zip(before, after, strict=True) for key in "xy"
    ]
    assert np.abs(moved).max() <= 0.01, "points"
    (group,) = (one for one in light.iter(f"{{{SVG}}}g") if len(one) == 500)
    assert "stroke: #cc3f00" in group.get("style")
    assert "--width: 662.4pt" in light.get("style")
