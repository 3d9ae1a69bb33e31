"""One table in every form."""

import csv

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


def test_a_comma_within_a_cell_ends_none_in_csv() -> None:
    assert list(csv.reader(TABLE.to_csv().splitlines())) == [list(TABLE.columns), *map(list, TABLE.lines)]


def test_latex_has_rules_and_no_sign_that_it_does_not_know() -> None:
    text = TABLE.to_latex()
    assert text.startswith("\\begin{tabular}{lrr}\n\\toprule\noptimiser & median RoR, t~=~10 & random budget")
    assert r"GP-BO & 0.20 [0.10, 0.38] & $\geq$ 167$\times$ \\" in text
    assert r"luck \& chance" in text
    assert text.isascii()


def test_a_frame_goes_by_heads() -> None:
    assert TABLE.to_frame().loc["GP-BO", "random budget"] == "≥ 167×"


def test_printed_heads_are_folded_and_what_is_for_comparison_stands_apart() -> None:
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(TABLE.printed(title="A title", fold=12))
    lines = shown.get().splitlines()
    assert lines[0].strip() == "A title"
    assert any("random" in line and "budget" not in line for line in lines)
    assert [bool(line.strip(" ─")) for line in lines[-3:]] == [False, True, False]


def test_words_begin_at_the_left_and_groups_of_rows_are_apart() -> None:
    rows = (Row("a", ("x", "1")), Row("a", ("y", "2")), Row("b", ("x", "3"), apart=True))
    table = TextTable(("suite", "way", "ms"), rows, words=2)
    assert r"\begin{tabular}{llr}" in table.to_latex()
    printed = table.printed()
    assert [column.justify for column in printed.columns] == ["left", "left", "right"]
    assert [row.end_section for row in printed.rows] == [False, True, False]
