"""What README and the pages under docs tell readers to type works."""

import re
import runpy
import shutil
from pathlib import Path

import click
import pytest
import yaml
from documents import ROOT, blocks, commands, mentioned, pages
from tuning_toys import open_here

import hpo_bench as hb
import optimizers
from hpo_bench.cli import tree
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import EVALUATORS
from hpo_bench.merging import find
from hpo_bench.merging.manifest import Manifest
from hpo_bench.merging.pair import Pair

HOOKS = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
MOMENTS = ("doctor", "merge", "plan", "landscapes list", "landscapes show", "landscapes add", "landscapes remove")
"""Commands that are run on every page, where all that a line names is there."""
SMALL = {"tune": ["--trials", "2", "--examples-each", "40"], "report": [], "export": []}
"""Commands that are run on one page alone, and what makes them small. All others are only parsed."""
ONE_PAGE = ROOT / "docs" / "quickstart.md"


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def as_read(page: Path) -> str:
    """A page with all that readers see on it."""
    text = page.read_text("utf-8")
    return HOOKS["filled"](text, str(page.relative_to(ROOT / "docs"))) if page.is_relative_to(ROOT / "docs") else text


def command_of(words: list[str]) -> tuple[str, click.Command, click.Context, list[str]]:
    """The command that a line calls, and what is left of the line."""
    context, path = click.Context(tree.cli, info_name="hpo-bench"), []
    command: click.Command = tree.cli
    words = list(words)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command is called {words[0]}"
        command, context = found, click.Context(found, parent=context, info_name=words[0])
        path.append(words.pop(0))
    return " ".join(path), command, context, words


def parse(words: list[str], *, whole: bool) -> None:
    """Let click read a line, which does not run it.

    Args:
        words: What follows the program's name.
        whole: Whether nothing may be missing, as where the line stands by itself.
    """
    _, command, context, rest = command_of(words)
    if isinstance(command, click.Group) and not rest:
        return
    try:
        command.make_context(context.info_name, rest, parent=context.parent)
    except click.exceptions.Exit:
        pass  # --help and --version
    except click.MissingParameter:
        if whole:
            raise
    except click.BadParameter as error:
        if not error.message.endswith("does not exist."):  # a file or folder that readers have
            raise


def is_here(words: list[str]) -> bool:
    """Whether a line names nothing that a reader puts there, or that lines before it did not make."""
    if any(re.fullmatch(r"[A-Z]+|my-.*|.*://.*|\S+:\d+", word) for word in words):
        return False
    files = (word for word in words if re.fullmatch(r"(path|tuning)/.*|.*\.(yaml|csv|parquet)", word))
    return all(Path(file).exists() for file in files)


@pytest.mark.parametrize("page", pages(), ids=names)
def test_every_command_line_is_one(page: Path) -> None:
    text = as_read(page)
    for block in blocks(text):
        for words in commands(block):
            parse(words, whole=True)
    for words in mentioned(text):
        parse(words, whole=False)


def test_the_examples_of_every_command_are_ones() -> None:
    found = [words for block in blocks(HOOKS["commands"]()) for words in commands(block)]
    assert len(found) > 60
    for words in found:
        parse(words, whole=True)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("hpo-bench tune --demo --trails 3", "No such option"),
        ("hpo-bench tune --demo --trials many", "not a whole number"),
        ("hpo-bench tuen --demo", "no command is called tuen"),
        ("hpo-bench merge ja-llama --out merged", "method"),
        ("hpo-bench report one two", "unexpected extra argument"),
    ],
)
def test_a_wrong_line_is_found(line: str, wrong: str) -> None:
    (block,) = blocks(f"```sh\n{line}  # a comment\n```\n")
    (words,) = commands(block)
    with pytest.raises((AssertionError, click.UsageError)) as found:
        parse(words, whole=True)
    told = found.value.format_message() if isinstance(found.value, click.UsageError) else str(found.value)
    assert wrong.lower() in told.lower()


@pytest.fixture(scope="module")
def few_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ships of pairs, with sixty examples each."""
    folder = tmp_path_factory.mktemp("shipped")
    shutil.copytree(find.SHIPPED, folder, dirs_exist_ok=True)
    for manifest in folder.glob("*/pair.yaml"):
        pair = Pair.read(manifest)
        write_examples(read_examples(pair.examples)[:60], pair.examples)
    return folder


@pytest.mark.usefixtures("quick_page")
@pytest.mark.parametrize("page", [page for page in pages() if any(blocks(as_read(page)))], ids=names)
def test_what_a_page_shows_runs(
    page: Path, few_questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are saved, Python runs in one namespace a page, and commands that take moments run, in the page's order."""
    monkeypatch.setattr(find, "SHIPPED", few_questions)
    monkeypatch.setattr("hpo_bench.tuning.run.open_workers", open_here)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace: dict = {"__name__": "__main__"}
    for block in blocks(as_read(page)):
        where = f"{names(page)}, line {block.line}"
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.code, "utf-8")
            if block.title.endswith("pair.yaml"):
                Manifest.read(Path(block.title))
        elif block.language == "python":
            exec(compile(block.code, where, "exec"), namespace)  # noqa: S102
        for words in commands(block):
            path = command_of(words)[0]
            if is_here(words) and (path in MOMENTS or (page == ONE_PAGE and path in SMALL)):
                assert tree.run([*words, *SMALL.get(path, [])]) == 0, (where, words)


def test_every_page_is_in_the_navigation() -> None:
    def files(node: object) -> list[str]:
        if isinstance(node, dict):
            node = list(node.values())
        return [node] if isinstance(node, str) else [file for one in node for file in files(one)]

    listed = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    there = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*there, HOOKS["COMMANDS"]])


def test_what_pages_take_from_elsewhere_is_there() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert not re.search("<!-- (README|CITATION)", as_read(page)), page
    with pytest.raises(KeyError, match="no section 'Prices'"):
        HOOKS["filled"]("<!-- README: Prices -->", "index.md")
    results = HOOKS["filled"]("<!-- README: results -->", "own/page.md")
    assert "](../intervals.md)" in results


def test_intervals_in_tables_stay_whole() -> None:
    row, code = "| GP-BO | 0.55 [0.40, 0.75] | <0.01 [<0.01, >-0.01] |", "box = [0.4, 0.8]"
    assert HOOKS["filled"](f"{row}\n\n{code}", "x.md") == f"{row.replace(', ', f',{chr(160)}')}\n\n{code}"


def test_the_api_reference_has_every_public_name() -> None:
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    shown = set(re.findall(r"^::: (.+)$", pages, re.M))
    homes = {name: f"{home}.{name}" for name, home in hb._HOMES.items()}
    homes |= {kind.__name__: f"{kind.__module__}.{kind.__name__}" for kind in optimizers.available().values()}
    assert {name for name, home in homes.items() if not {home, home.rpartition(".")[0]} & shown} == set()


def test_examples_in_docstrings_are_shown_as_code() -> None:
    """Which they are under this heading alone."""
    files = [
        file for top in ("optimizers", "surrogates", "landscapes", "hpo_bench") for file in (ROOT / top).rglob("*.py")
    ]
    assert [file for file in files if re.search(r"^ +Example:$", file.read_text("utf-8"), re.M)] == []


def test_bibtex_says_what_the_citation_file_says() -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    text = HOOKS["bibtex"]()
    assert cff["title"] in text
    assert cff["references"][0]["title"] in text
    assert "Xu, Zhiyu and Wang, Lean and " in text
    assert re.search(r"eprint +=\s*\{2605\.19523\}", text)


def test_the_command_reference_has_every_command_and_option() -> None:
    text = HOOKS["commands"]()
    for name in tree.COMMANDS:
        _, command, context, _ = command_of([name])
        assert f"### hpo-bench {name}\n" in text
        for option in command.params:
            record = option.get_help_record(context)
            assert record is None or not record[1] or f"`{record[0]}`".replace("|", r"\|") in text, (name, option.name)


def test_every_kind_of_evaluation_has_its_section_and_no_page_counts_them() -> None:
    text = (ROOT / "docs" / "evaluators.md").read_text("utf-8")
    for kind in EVALUATORS.built_in:
        assert f"\n## {kind}\n" in text, kind
        assert f"`{kind}`" in text.partition("\n## ")[0], kind
    counted = re.compile(r"(two|three|four|five|six|\d) (\[?kinds of evaluat|evaluators)|kind` is one of \w+,")
    assert not [names(page) for page in pages() if counted.search(page.read_text("utf-8"))]
