"""The house rules: lint, format, types, and floors that only look down."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PACKAGES = ("optimizers", "surrogates", "landscapes", "hpo_bench")


@pytest.mark.parametrize(
    "tool",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("basedpyright",),
        ("lint-imports", "--no-cache"),
    ],
    ids=" ".join,
)
def test_tool_finds_nothing(tool: tuple[str, ...]) -> None:
    done = subprocess.run([str(BIN / tool[0]), *tool[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_house_has_the_rooms_its_owner_asked_for() -> None:
    rooms = ["pyproject.toml", "hpo_bench", "landscapes", "optimizers", "surrogates", "notebooks", "tests", "Makefile"]
    assert [room for room in rooms if not (ROOT / room).exists()] == []


def modules() -> dict[str, Path]:
    """Every module of the four packages, by its dotted name; a folder's `__init__` under the folder's own."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = [path.relative_to(ROOT).with_suffix("").parts for path in files]
    return {
        ".".join(name[:-1] if name[-1] == "__init__" else name): path for name, path in zip(names, files, strict=True)
    }


def imports() -> dict[str, set[str]]:
    """Which of our modules each of them imports: at the top, within functions, and for types alone."""
    known, found = modules(), {}
    for name, path in known.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {one if one in known else str(node.module) for one in inside}
        found[name] = wanted & known.keys() - {name}
    return found


@pytest.mark.parametrize("floors", [1, 2, 3, None], ids=lambda n: f"{n} deep" if n else "modules")
def test_imports_form_no_circle(floors: int | None) -> None:
    """Neither of packages, nor of rooms, nor of what is in a room (its files and folders), nor of modules."""
    graph: dict[str, set[str]] = {}
    for module, wanted in imports().items():
        ours = ".".join(module.split(".")[:floors])
        graph.setdefault(ours, set()).update({".".join(one.split(".")[:floors]) for one in wanted} - {ours})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_house_has_few_rooms_and_floors() -> None:
    """At most 24 rooms, 22 entries in `hpo_bench/`, and nine floors, of which `__main__` alone is one."""
    entries = {path.name for path in (ROOT / "hpo_bench").iterdir()} - {"__pycache__"}
    rooms = [name for name in entries if name.endswith(".py") or "." not in name]
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    floors = [set(floor.split(" | ")) for floor in contract["layers"]]
    listed = {Path(name).stem for name in rooms} - {"__init__", "__main__"}
    assert set().union(*floors) == {f"hpo_bench.{name}" for name in listed} | {*PACKAGES} - {"hpo_bench"}
    assert len(entries) <= 22
    assert len(rooms) + len(PACKAGES) - 1 <= 24
    assert len(floors) + 1 <= 9


def test_no_file_and_no_folder_is_larger_than_can_be_taken_in() -> None:
    folders = [folder for package in PACKAGES for folder in [ROOT / package, *(ROOT / package).rglob("*")]]
    files = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders if folder.is_dir()}
    lines = {name: path.read_text("utf-8").count("\n") for name, path in modules().items()}
    assert {name: count for name, count in files.items() if count > 20} == {}
    long = {name: count for name, count in lines.items() if count > 300}
    assert len(long) <= 5, f"part one of these along an idea: {long}"
    assert max(lines.values()) <= 400


def test_a_class_name_stands_for_one_thing() -> None:
    where: dict[str, list[str]] = {}
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(module)
    twice = {name: found for name, found in where.items() if len(found) > 1}
    assert twice == {}


def test_every_command_helps_with_examples() -> None:
    from click.testing import CliRunner

    from hpo_bench.cli import COMMANDS, cli

    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
    for name in COMMANDS:
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert f"hpo-bench {name}" in shown.output, f"{name} --help has no example"


def test_the_map_names_every_room_and_nothing_that_is_not_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    shown = set(re.findall(r"`([\w./]+(?:/|\.py))`", text))
    rooms = {
        f"hpo_bench/{path.name}{'/' if path.is_dir() else ''}"
        for path in (ROOT / "hpo_bench").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir())
    } | {f"{package}/" for package in PACKAGES if package != "hpo_bench"}
    assert rooms - shown == set()
    inside = [path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*")]
    ends = {str(path.relative_to(ROOT)) for path in inside} | {path.name for path in inside} | {*PACKAGES, "docs"}
    assert {one for one in shown if "NAME" not in one and one.rstrip("/") not in ends} == set()


def test_links_of_what_is_read_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))]
    assert len(links) > 20
    made = ROOT / "docs" / "commands.md"  # at every build of the documentation
    places = [(page.name, link, (page.parent / link).resolve()) for page, link in links if "://" not in link]
    broken = [(name, link) for name, link, place in places if place != made and not place.exists()]
    assert broken == []
