"""What MkDocs adds to the pages: the command reference, and what has its home in README.md or CITATION.cff.

`commands.md` is made of the tree of commands at every build. In any page

    <!-- README: Your own optimiser -->     becomes that section of README, without its heading
    <!-- README: results -->                becomes what `make readme` puts there
    <!-- CITATION.cff -->                   becomes BibTeX

so that each has one home and is read in both places.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from hpo_bench.cli.tree import SECTIONS, cli

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
COMMANDS = "commands.md"
INTERVAL = re.compile(r"\[([-<>.\d]+), ([-<>.\d]+)\]")
OPTION = r"(?<![\w`-])(--[a-z][\w-]*)(?![^`\n]*`(?:[^`\n]*`[^`\n]*`)*[^`\n]*$)"
"""Stands in running text, and not in code already."""


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the command reference."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, COMMANDS, content=commands()))
    return files


def on_page_markdown(markdown: str, *, page: "Page", **_: Any) -> str:
    """Put in what has its home elsewhere."""
    return filled(markdown, page.file.src_uri)


def filled(markdown: str, place: str) -> str:
    """A page with what its comments stand for.

    Args:
        markdown: The page as it is written.
        place: Its path below docs.

    Raises:
        KeyError: If README has no such section.
    """
    top = "../" * place.count("/")
    markdown = re.sub(r"<!-- README: (.+?) -->", lambda found: section(found[1], top), markdown)
    markdown = re.sub(r"<!-- CITATION\.cff -->", lambda _: f"```bibtex\n{bibtex()}```", markdown)
    # An interval in a narrow column goes below its estimate, and is not broken itself.
    return re.sub(r"^\|[^`\n]*$", lambda row: INTERVAL.sub("[\\1,\u00a0\\2]", row[0]), markdown, flags=re.M)


def section(title: str, top: str) -> str:
    """A section of README, or its results.

    Args:
        title: Its heading, or "results".
        top: How docs is named in links from the page that it goes into.

    Raises:
        KeyError: If there is none of that title.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if title == "results":
        found = re.search(r"<!-- results -->\n(.*?)<!-- /results -->", text, re.S)
    else:
        found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    if found is None:
        raise KeyError(f"README.md has no section {title!r}")
    text = re.sub(r"\s+More: \[[^\]]+\]\([^)]+\)\.", "", found[1])  # which leads from there to here
    return text.strip().replace("](docs/", f"]({top}") + "\n"


def commands() -> str:
    """The command reference as a page: every command with its arguments, options and examples."""
    parts = ["# Commands", inspect.cleandoc(cli.help or ""), "Made of what `hpo-bench COMMAND --help` says."]
    top = click.Context(cli, info_name="hpo-bench")
    for title, names in SECTIONS.items():
        parts += [f"## {title}", *_commands(cli, top, names, level=3)]
    return "\n\n".join(parts) + "\n"


def _commands(group: click.Group, above: click.Context, names: Iterable[str], *, level: int) -> Iterator[str]:
    for name in names:
        if command := group.get_command(above, name):
            yield from _command(command, click.Context(command, parent=above, info_name=name), level=level)


def _command(command: click.Command, context: click.Context, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}"
    yield re.sub(OPTION, r"`\1`", inspect.cleandoc(command.help or "").partition("\f")[0])
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    records = filter(None, (one.get_help_record(context) for one in command.params))  # --help aside
    rows = [f"| {_code(names)} | {_cell(about)} |" for names, about in records if about]
    yield "\n".join(["| option | |", "|---|---|", *rows])
    if command.epilog:
        examples = inspect.cleandoc(command.epilog.replace("\b", "")).removeprefix("Examples:")
        examples = re.sub(r"^(\S.*?\S {2,})(?=\S)", r"\1# ", inspect.cleandoc(examples), flags=re.M)
        yield f"```sh\n{examples}\n```"
    if isinstance(command, click.Group):
        yield from _commands(command, context, command.list_commands(context), level=level + 1)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")


def _cell(text: str) -> str:
    text = re.sub(r"\s+", " ", text).replace("<", "&lt;")
    text = re.sub(r"([|*\[\]])", r"\\\1", text)
    return re.sub(OPTION, r"`\1`", text)


def bibtex() -> str:
    """This software and the study that it implements, as CITATION.cff names them."""
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (study,) = cff["references"]
    software = {
        "title": f"{{{cff['title']}}}",
        "author": " and ".join(map(_author, cff["authors"])),
        "year": str(cff["date-released"])[:4],
        "version": cff["version"],
    }
    arxiv = study["url"].rpartition("/")[2]
    article = {
        "title": f"{{{study['title']}}}",
        "author": " and ".join(map(_author, study["authors"])),
        "year": study["year"],
        "eprint": arxiv,
        "archivePrefix": "arXiv",
        "url": study["url"],
    }
    first = study["authors"][0]["family-names"].lower()
    return (
        _entry("software", "hpo-bench", software) + "\n" + _entry("misc", f"{first}{study['year']}injection", article)
    )


def _author(person: dict[str, str]) -> str:
    return f"{{{person['name']}}}" if "name" in person else f"{person['family-names']}, {person['given-names']}"


def _entry(kind: str, key: str, fields: dict[str, Any]) -> str:
    lines = "".join(f"  {name:<13} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}\n"
