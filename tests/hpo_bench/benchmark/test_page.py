import json
import re
import shutil
import subprocess
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
import pytest
import synthetic
from PIL import Image
from readable import unreadable
from rich.console import Console

from hpo_bench.analyses import paper
from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.figures import answer
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.benchmark.terminal import show
from hpo_bench.display import figures, landscape_map
from hpo_bench.display.looks import colours
from hpo_bench.display.page import report
from hpo_bench.workers import Local
from landscapes import catalogue

NAMES = ("smooth-a/ta", "rugged-b/dare")


def execute(root, path, *names, patterns=(), surrogate=None, **options):
    contenders = tuple(Contender.find(name) for name in names)
    plan = Plan(
        contenders, tuple(catalogue.load_all(patterns, surrogate=surrogate, root=root)), 2, **{"budget": 12, **options}
    )
    return pipeline.execute(plan, ResultsFolder(path), workers=Local(1), report=True, progress=Console(quiet=True))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("grids")
    synthetic.record(root, NAMES[0], benchmark="<script>alert(1)</script>")
    synthetic.record(root, NAMES[1], kind="rugged", domain="maths", tier="pretrained")
    return root


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """The results, and what cannot be read in their figures."""
    path, found = tmp_path_factory.mktemp("report") / "results", []

    def encode(figure, source):
        encoded = figures.encode(figure, source)
        found.append(unreadable(figure))
        return encoded

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report, "encode", encode)
        execute(root, path, "random", "sobol", "pattern-search")
    return path, found


@pytest.fixture(scope="module")
def results(made):
    return made[0]


@pytest.fixture(scope="module")
def page(results):
    return (results / "index.html").read_text(encoding="utf-8")


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "link", "br", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_self_contained_and_well_formed(results, page):
    elements = Elements(page)
    names = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in elements.found:
        assert tag not in {"link", "iframe"}
        assert "src" not in attributes or tag == "img"
        if tag == "a" and not attributes["href"].startswith("#"):
            assert (results / attributes["href"]).is_file(), "it lies beside the page"
            continue
        for name in ("src", "href", "srcset", "poster", "data"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
            if attributes.get(name, "").startswith("#"):
                assert attributes[name][1:] in names
    text = re.sub(r'"data:[^"]*"', '""', page)
    assert "http" not in text
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(names)


def test_every_figure_and_table_lies_beside_the_page_in_three_formats(results, page):
    linked = {attributes["href"] for tag, attributes in Elements(page).found if tag == "a" and "download" in attributes}
    figures = {path.stem for path in (results / "figures").iterdir()}
    tables = {path.stem for path in (results / "tables").iterdir()}
    assert {"table_answer", "table_headline", "table_comparisons", "study_1"} <= tables
    # A page shows many maps; each is a file for print, and `landscapes show` writes the PNG.
    drawn = {name: ("svg", "csv") if name.startswith("landscape_") else ("png", "svg", "csv") for name in figures}
    assert linked == {f"figures/{name}.{kind}" for name, kinds in drawn.items() for kind in kinds} | {
        f"tables/{name}.{kind}" for name in tables for kind in ("md", "tex", "csv")
    }
    content = json.loads((results / "summary.json").read_text())
    assert linked <= set(content["files"]), "the summary vouches for them"
    ratios = pd.read_csv(results / "figures" / "ror.csv")
    mine = ratios[(ratios["at"] == "end") & (ratios["optimizer"] == "sobol")]["regret_over_random"]
    assert mine.median() == pytest.approx(content["optimizers"]["sobol"]["at"]["end"]["median_ror_all"]["value"])
    assert (results / "tables" / "table_headline.tex").read_text().startswith(r"\begin{tabular}")


def test_the_answer_comes_first_and_says_what_was_real(page):
    first = page[: page.index("Contents</h2>")]
    for words in ("What to use", "loss on unseen examples", "Real: 125 merges"):
        assert words in first
    assert "regret over random: an optimiser’s\ndistance" in first
    assert first.count('<div class="scroll"') == first.count("<figure") == 1


def test_every_picture_has_words(page):
    found = Elements(page).found
    drawn = [attributes["aria-label"] for _, attributes in found if attributes.get("role") == "img"]
    pictures = [attributes["alt"] for tag, attributes in found if tag == "img"]
    assert (len(drawn), len(pictures)) == (6 + 3, len(NAMES))
    assert all(len(words) > 60 for words in drawn + pictures)


@pytest.mark.parametrize(
    "what",
    [
        "SYNTHETIC", "Pattern Search", ">pretrained</td>", "pretrained and elsewhere", "By tier",
        "luck alone", "prefers-color-scheme: dark",
        "smooth-a/ta", "rugged-b/dare",
        "Table 12", "MIA-Q2", "the study’s protocol", "12 evaluations with 2 hyperparameters", "runs.parquet",
        "Student’s t on the\nlogarithm", "In summary.json", "0.001 of the range", "order statistics",
    ],
)  # fmt: skip
def test_the_page_says(page, what):
    assert what in page


def test_the_terminal_promises_intervals_where_there_are_some(results):
    content, said = json.loads((results / "summary.json").read_text()), StringIO()
    show(content, Console(file=said, width=160))
    assert "Regret over random on all 2 landscapes" in said.getvalue()
    show(content | {"landscapes": content["landscapes"][:1], "seeds": 3}, Console(file=said, width=160))
    assert "Regret over random [95% interval over the seeds of one pair] on 1 landscape" in said.getvalue()


def test_of_noise_moments_and_intervals_the_page_says_what_there_was(root, page, tmp_path):
    assert "The expectation is exact" in page
    assert "Optimisers see no noise here" in page
    assert "Each at t\u00a0=\u00a010 and at the end, and for the regret\naveraged" in page
    assert "radial basis functions (thin plate spline)" in page
    assert "intervals over pairs in brackets" not in page, "of two pairs"
    assert "95% interval over" not in page
    execute(root, tmp_path / "results", "random", patterns=["ta"], surrogate="gp", noisy=True, budget=5)
    noisy = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    for words in ("The expectation is exact", "see no noise", "without noise (", "basis functions", "GP-BO fits"):
        assert words not in noisy, words
    assert "score of what is recommended after t evaluations" in noisy
    assert "Each at the end.</dd>" in noisy
    assert "as a Gaussian process through the recorded ones has it" in noisy


def test_what_cards_say_is_escaped(page):
    assert page.count("<script>") == 1, "our own"
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_the_headline_table_has_the_figures_of_the_summary(results, page):
    content = json.loads((results / "summary.json").read_text())
    value = content["optimizers"]["pattern-search"]["at"]["10"]["median_ror_all"]["value"]
    row = re.search(r"Pattern Search</th><td>([^<]*)</td>", page[page.index('id="table_headline"') :])
    assert row[1].startswith(f"{value:.2f}" if value >= 0.005 else "&lt;0.01")


def test_figures_are_there_and_not_blank(results, page):
    names = {path.stem for path in (results / "figures").glob("*.svg")}
    assert names == {
        "answer", "ror", "regret_curves", "profiles", "ranks", "ror_by_group", "landscape_smooth-a_ta",
        "landscape_rugged-b_dare", "study_restrictions", "study_optima", "study_transfer",
    }  # fmt: skip
    maps = [BytesIO(b64decode(one)) for one in re.findall(r"data:image/webp;base64,([^\"]+)", page)]
    drawn = [results / "figures" / f"{name}.png" for name in names if not name.startswith("landscape_")]
    assert len(maps) == 2
    for one, width in (*((one, 400) for one in maps), *((one, 500) for one in drawn)):
        with Image.open(one) as picture:
            assert picture.width > width
            assert len(picture.convert("RGB").getcolors(1_000_000)) > 50


@pytest.mark.usefixtures("quick_page")
def test_an_unchanged_report_is_not_drawn_again_and_a_lost_one_is(root, tmp_path):
    page = tmp_path / "results" / "index.html"
    execute(root, tmp_path / "results", "random", "sobol")
    before = page.stat().st_mtime_ns
    execute(root, tmp_path / "results", "random", "sobol")
    assert page.stat().st_mtime_ns == before
    page.unlink()
    execute(root, tmp_path / "results", "random", "sobol")
    assert page.exists()


@pytest.mark.usefixtures("quick_page")
@pytest.mark.parametrize("box", ["smooth-a/ta-wide", "smooth-a/ta"])
def test_test_scores_that_change_are_noticed_in_both_boxes(tmp_path, box):
    synthetic.record(tmp_path / "grids", "smooth-a/ta")
    plane = synthetic.card("smooth-a/ta").parameters
    synthetic.record(tmp_path / "grids", "smooth-a/ta-wide", design="wide", method="ta", parameters=plane)
    inputs = []
    for _ in range(2):
        execute(tmp_path / "grids", tmp_path / "results", "random", patterns=["smooth-a/ta-wide"], budget=2)
        inputs.append(json.loads((tmp_path / "results" / "summary.json").read_text())["inputs"])
        path = tmp_path / "grids" / box / "grid.parquet"
        rows = pd.read_parquet(path)
        test = rows["split"] == "test"
        rows.loc[test, "score"] = rows.loc[test, "score"].to_numpy()[::-1]
        rows.to_parquet(path)
    assert inputs[0] != inputs[1]


def test_maps_of_landscapes_whose_names_nearly_agree_are_in_files_of_their_own(tmp_path):
    plane = synthetic.card("smooth-a/ta").parameters
    for name in ("a/b_c", "a_b/c"):
        synthetic.record(tmp_path / "grids", name, method="ta", parameters=plane)
    execute(tmp_path / "grids", tmp_path / "results", "random", budget=2)
    maps = sorted(path.stem for path in (tmp_path / "results" / "figures").glob("landscape_*.svg"))
    assert maps == ["landscape_a_b_c", "landscape_a_b_c_"]


def test_figures_of_landscapes_that_are_not_in_the_report_go(root, results, tmp_path):
    shutil.copytree(results, tmp_path / "results")
    assert any("rugged-b" in path.name for path in (tmp_path / "results" / "figures").iterdir())
    execute(root, tmp_path / "results", "random", patterns=["ta"])
    names = {path.name for path in (tmp_path / "results" / "figures").iterdir()}
    assert "landscape_smooth-a_ta.svg" in names
    assert not any("rugged-b" in name for name in names)
    assert "rugged-b" not in (tmp_path / "results" / "index.html").read_text(encoding="utf-8")


def test_the_words_of_figures_can_be_read(made):
    assert made[1] == [[]] * 9


def test_losses_without_intervals_are_drawn_on_the_axis(results):
    content = json.loads((results / "summary.json").read_text())
    at = content["unseen"]["at"]
    for known in at.values():
        for one in known.values():
            one.update(low=None, high=None)
    panels = answer.draw(content).axes
    for panel, known in zip(panels, at.values(), strict=False):
        assert panel.get_xlim()[1] > max(one["value"] for one in known.values()) > 0


def test_ratios_far_beyond_1_are_drawn_inside_their_panels(results):
    """Marks are not clipped: beyond the end of an axis they would lie in the panel beside it."""
    content = json.loads((results / "summary.json").read_text())
    worst = next(iter(content["optimizers"].values()))["at"]
    for known in worst.values():
        known["median_ror_all"]["value"] = 7.0
    panels = answer.draw(content).axes[len(content["unseen"]["at"]) :]
    assert all(panel.get_xlim()[1] > 7 for panel in panels)


def test_figures_say_what_they_are_made_from(root):
    both = catalogue.load_all(root=root)
    assert figures.provenance(both) == "2 SYNTHETIC landscapes, made from a formula."
    object.__setattr__(both[0].card, "synthetic", False)
    object.__setattr__(both[0].card, "tier", "elsewhere")
    assert figures.provenance(both[:1]).startswith("Landscape from a folder of the user’s")
    object.__setattr__(both[0].card, "citation", "A paper")
    assert figures.provenance(both[:1]).startswith("Landscape of merges of models of full size that others published")
    object.__setattr__(both[0].card, "tier", "nano")
    assert "nano pair" in figures.provenance(both[:1])
    assert "not of full-size models; 1 SYNTHETIC" in figures.provenance(both)


def test_a_map_has_a_panel_for_each_recorded_density_and_one_for_the_optimum(root):
    flat, deep = (catalogue.load(name, root=root) for name in NAMES)
    # The colour bar is an axis too.
    assert len(landscape_map.draw(flat).axes) == 1 + 1
    best = deep.optimum.x[2]
    expected = 4 if np.isclose(best, [0.2, 0.4, 0.6, 0.8], atol=0.003).any() else 5
    titles = [axis.get_title() or axis.get_title(loc="left") for axis in landscape_map.draw(deep).axes]
    assert sum("density" in title for title in titles) == expected


def test_optimizers_keep_their_colours():
    few, many = colours(["random", "mine:Own"]), colours(["gp-bo", "random", "mine:Own", "other:Own"])
    assert few["random"] == many["random"]
    assert few["mine:Own"] == many["mine:Own"]
    assert len(set(many.values())) == 4


def test_the_study_is_copied_faithfully():
    table = paper.loocv()
    assert len(table) == 10
    assert table["CMMMU"] == {"DARE": 9.27, "TA": 7.77, "TIES": 15.99}
    assert table["WV-Q2"]["TIES"] == 4.58


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
LOOK = """<pre id="seen"></pre><script>
const look = (frame) => {
  const page = frame.contentDocument, found = (selector) => page.querySelectorAll(selector).length;
  const seen = { wide: page.documentElement.scrollWidth - frame.clientWidth };
  seen.maps = found(".picker figure:not(.unpicked)");
  page.querySelector(".filter input[value=sobol]").click();
  seen.off = found("[data-optimizer=sobol]") - found("[data-optimizer=sobol].off");
  const mark = page.querySelector("#ror [data-says]");
  mark.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }));
  seen.tip = page.querySelector(".tip").textContent;
  const select = page.querySelector(".picker select");
  select.selectedIndex = 1;
  select.dispatchEvent(new Event("change"));
  seen.map = page.querySelector(".picker figure:not(.unpicked)").id;
  frame.contentWindow.dispatchEvent(new Event("beforeprint"));
  seen.folded = found("details:not([open])");
  page.querySelectorAll("details").forEach((one) => (one.open = true));
  const all = (selector, holds) => [...page.querySelectorAll(selector)].filter(holds).length;
  seen.cut = all(".scroll", (one) => one.scrollWidth > one.clientWidth + 1);
  seen.large = all(".paper svg", (one) => one.clientWidth > 1.31 * 4 / 3 * one.viewBox.baseVal.width);
  seen.shown = all(".picker img", (one) => one.checkVisibility());
  seen.ground = frame.contentWindow.getComputedStyle(page.body).backgroundColor;
  return seen;
};
onload = () => {
  const all = [...document.querySelectorAll("iframe")].map(look);
  document.querySelector("#seen").textContent = JSON.stringify(all);
};
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize(("scheme", "ground"), [(1, "rgb(255, 255, 255)"), (0, "rgb(18, 24, 31)")])
def test_in_a_browser_it_fits_filters_shows_values_and_unfolds_for_print(results, tmp_path, scheme, ground):
    # As on a sheet of A4 between its margins: what is said of print is said of all media.
    sheet = (results / "index.html").read_text().replace("@media print", "@media all")
    (tmp_path / "sheet.html").write_text(sheet)
    shown = [
        (results / "index.html", 390),
        (results / "index.html", 768),
        (results / "index.html", 1440),
        (tmp_path / "sheet.html", 703),
    ]
    frames = "".join(f'<iframe src="{page}" width="{wide}" height="900"></iframe>' for page, wide in shown)
    (tmp_path / "look.html").write_text(frames + LOOK)
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}", f"--blink-settings=preferredColorScheme={scheme}",
            "--virtual-time-budget=4000", "--dump-dom", f"file://{tmp_path}/look.html",
        ],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    *screens, printed = json.loads(re.search(r'<pre id="seen">(.*?)</pre>', done.stdout)[1])
    assert (printed["cut"], printed["shown"]) == (0, 2), "on paper nothing is hidden"
    assert printed["ground"] == "rgb(255, 255, 255)"
    for seen in screens:
        assert (seen["large"], seen["shown"]) == (0, 1)
        assert seen["wide"] <= 0, "nothing runs out of the page"
        assert (seen["maps"], seen["map"]) == (1, "landscape_smooth-a_ta")
        assert seen["off"] == 0
        assert "smooth-a/ta" in seen["tip"] or "median" in seen["tip"]
        assert seen["folded"] == 0
        assert seen["ground"] == ground
