"""One table in every form."""

import csv
import io

import pytest
from rich.console import Console

from hpo_bench.display.table import Row, TextTable

TABLE = TextTable(
    ("optimiser", "median RoR, t\u00a0=\u00a010", "random budget"),
    (Row("GP-BO", ("0.20 [0.10, 0.38]", "≥ 167×"), "gp-bo"), Row("luck & chance", ("[0.89, 1.08]", ""), faint=True)),
)


def test_markdown_has_a_line_a_row() -> None:
    assert TABLE.to_markdown().splitlines() == [
        "| optimiser | median RoR, t\u00a0=\u00a010 | random budget |",
        "|---|---|---|",
        "| GP-BO | 0.20 [0.10, 0.38] | ≥ 167× |",
        "| luck & chance | [0.89, 1.08] |  |",
    ]


def test_nothing_within_a_cell_ends_it_in_markdown() -> None:
    table = TextTable.of(("a|b", "said"), [("one", "yes|no\nand more"), ("two", "")])
    assert table.to_markdown().splitlines() == [
        r"| a\|b | said |",
        "|---|---|",
        r"| one | yes\|no and more |",
        "| two |  |",
    ]


def test_a_comma_within_a_cell_ends_none_in_csv() -> None:
    assert list(csv.reader(TABLE.to_csv().splitlines())) == [list(TABLE.columns), *map(list, TABLE.lines)]


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+HYPERLINK(1)", "-2+3+cmd|' /C calc'!A0", "\t=1"])
def test_what_a_model_answers_is_no_formula_in_csv(cell: str) -> None:
    written = TextTable.of(("example", cell), [("one", cell)]).to_csv()
    assert list(csv.reader(io.StringIO(written))) == [["example", f"'{cell}"], ["one", f"'{cell}"]]


@pytest.mark.parametrize("cell", ["+0.125 ± 0.040", "-0.100 [-0.367, +0.167]", "-1e-05", "-inf", "1=1", "", "a-b"])
def test_a_figure_is_itself_in_csv(cell: str) -> None:
    assert list(csv.reader(io.StringIO(TextTable.of(("example", "score"), [("one", cell)]).to_csv())))[1][1] == cell


def test_latex_has_rules_and_no_sign_that_it_does_not_know() -> None:
    text = TABLE.to_latex()
    assert text.startswith("\\begin{tabular}{lrr}\n\\toprule\noptimiser & median RoR, t~=~10 & random budget")
    assert r"GP-BO & 0.20 [0.10, 0.38] & $\geq$ 167$\times$ \\" in text
    assert r"luck \& chance" in text
    assert text.isascii()
    small = TextTable.of(("a", "b"), [("one", "<0.01"), ("two", ">-0.01")]).to_latex()
    assert r"one & $<$0.01 \\" in small
    assert r"two & $>$-0.01 \\" in small


def test_a_frame_goes_by_heads() -> None:
    assert TABLE.to_frame().loc["GP-BO", "random budget"] == "≥ 167×"


def printed(table: TextTable, width: int, *, title: str | None = None) -> list[str]:
    console = Console(width=width)
    with console.capture() as shown:
        console.print(table.printed(title=title))
    return shown.get().splitlines()


def test_printed_heads_give_way_before_figures_and_what_is_for_comparison_stands_apart() -> None:
    wide, narrow = printed(TABLE, 80, title="A title"), printed(TABLE, 46, title="A title")
    assert wide[0].strip() == "A title"
    assert any("random budget" in line for line in wide)
    assert any("random" in line and "budget" not in line for line in narrow)
    assert any("0.20 [0.10, 0.38]" in line and "≥ 167×" in line for line in narrow)
    assert [bool(line.strip(" ─")) for line in wide[-3:]] == [False, True, False]


@pytest.mark.parametrize("width", [24, 45, 80, 200])
def test_no_figure_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    heads = [f"a head of {i} words" for i in range(8)]
    rows = [(f"landscape/{i}", *(f"{i}.{j} [1, 2]" for j in range(8))) for i in range(3)]
    lines = printed(TextTable.of(("landscape", *heads), rows), width, title="Many columns")
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    for _, *cells in rows:
        assert all(shown.count(cell) == 1 for cell in cells)
    assert ("…" in shown) == (width == 24), "of the rows' heads alone"
    assert shown.count("Many columns") == 1
    assert shown.count("landscape/2") == {24: 0, 45: 4, 80: 2, 200: 1}[width]


def test_every_part_of_a_table_tells_its_rows_apart() -> None:
    rows = [("pair", method, way, *("1.00 [0.50, 1.50]",) * 4) for method in ("ta", "ties") for way in ("new", "old")]
    lines = printed(TextTable.of(("pair", "method", "way", "w", "x", "y", "z"), rows, words=3), 66)
    parts = [line.split()[:3] for line in lines if "1.00" in line]
    assert len(parts) == 8
    assert parts[:4] == parts[4:] == [["pair", method, way] for _, method, way, *_ in rows]
    narrow = printed(TextTable.of(("pair", "method", "way", "w", "x"), [row[:5] for row in rows], words=3), 30)
    assert max(map(len, narrow)) <= 30


def test_words_begin_at_the_left_and_groups_of_rows_are_apart() -> None:
    rows = (Row("a", ("x", "1")), Row("a", ("y", "2")), Row("b", ("x", "3"), apart=True))
    table = TextTable(("suite", "way", "ms"), rows, words=2)
    assert r"\begin{tabular}{llr}" in table.to_latex()
    assert printed(table, 80)[1:] == [
        " suite   way   ms ",
        " ──────────────── ",
        " a       x      1 ",
        " a       y      2 ",
        "                  ",
        " b       x      3 ",
        "                  ",
    ]
