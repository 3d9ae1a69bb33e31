"""Notebooks run from top to bottom, and are committed with what they show."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelManager]:
    """One for all notebooks, which share the seconds that imports take, and no name."""
    manager = KernelManager()
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_was_committed_with_outputs(path: Path, kernel: KernelManager) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs for cell in cells), "commit the notebook with its outputs"
    committed = [_numbers(cell) for cell in cells]
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    NotebookClient(notebook, kernel, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    del notebook.cells[0]
    for cell, before in zip(cells, committed, strict=True):
        assert _numbers(cell) == pytest.approx(before, rel=0.02, abs=0.02), f"execute again: {cell.source}"


def _numbers(cell: nbformat.NotebookNode) -> list[float]:
    """The numbers that a cell shows; what programs print, with folders and times in it, is left out."""
    shown = "\n".join(one.data["text/plain"] for one in cell.outputs if one.output_type == "execute_result")
    return [float(number) for number in re.findall(r"(?<![\w.])-?\d+\.?\d*", shown)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_has_one_face_and_no_shell(path: Path) -> None:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert any("import hpo_bench as hb" in source for source in cells)
    assert [
        line for source in cells for line in source.splitlines() if re.match(r"\s*(!|%%|%(?!matplotlib))", line)
    ] == []


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
