"""How experiments write their pages."""

from pathlib import Path

from matplotlib.figure import Figure

from hpo_bench.display.table import Row, TextTable
from hpo_bench.experiments.page import save_page


def test_paragraphs_tables_and_figures_are_a_page(tmp_path: Path) -> None:
    table = TextTable(("method", "score"), (Row("TA", ("0.5",)),))
    page = save_page(tmp_path / "out" / "one.md", ["# Title", "", table, "The end.\n"], {"map": (Figure(), "source")})
    assert page.read_text("utf-8") == "# Title\n\n| method | score |\n|---|---|\n| TA | 0.5 |\n\nThe end.\n"
    assert (page.parent / "map.png").read_bytes().startswith(b"\x89PNG")
