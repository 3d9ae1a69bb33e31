"""Listing and drawing landscapes from the command line."""

from pathlib import Path

import pytest
import synthetic
from click.testing import CliRunner
from PIL import Image

from hpo_bench.cli import cli
from landscapes.errors import UnknownLandscapeError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("smooth-a/ta", "smooth-a/dare"):
        synthetic.record(tmp_path, name)
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(cli, ["landscapes", *arguments], catch_exceptions=True)


def test_list_names_every_landscape_and_says_what_is_synthetic(folder: Path) -> None:
    shown = run("list", "--landscapes-dir", str(folder))
    assert shown.exit_code == 0, shown.output
    assert "smooth-a/ta (SYNTHETIC)" in shown.output
    assert "smooth-a/dare (SYNTHETIC)" in shown.output
    assert "smooth-a/dare" not in run("list", "ta", "--landscapes-dir", str(folder)).output


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_show_draws_a_file(folder: Path, suffix: str) -> None:
    out = folder / f"map.{suffix}"
    shown = run("show", "smooth-a/dare", "--landscapes-dir", str(folder), "--out", str(out))
    assert shown.exit_code == 0, shown.output
    assert str(out) in shown.output
    if suffix == "png":
        assert Image.open(out).size[0] > 600
    else:
        assert out.read_text().startswith("<?xml")


def test_show_refuses_other_formats_and_unknown_names(folder: Path) -> None:
    assert run("show", "smooth-a/ta", "--landscapes-dir", str(folder), "--out", "map.gif").exit_code == 2
    assert isinstance(run("show", "smooth-a/tta", "--landscapes-dir", str(folder)).exception, UnknownLandscapeError)
