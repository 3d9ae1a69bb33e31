"""What README and the pages under docs show: their blocks of code, and the command lines in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1``` *$", re.M | re.S)
SHELL = ("", "sh", "console")
PROGRAM = "hpo-bench"


@dataclass(frozen=True)
class Block:
    """A block of code on a page.

    `title` is the name of the file that a reader saves it as, if it has one.
    """

    line: int
    language: str
    title: str
    code: str


def pages() -> list[Path]:
    """README, CONTRIBUTING and all pages under docs."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of code of a page, in their order."""
    for found in FENCE.finditer(text):
        indent, language, options, code = found.groups()
        title = re.search(r'title="(.+?)"', options)
        code = "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))
        yield Block(text.count("\n", 0, found.start()) + 1, language, title[1] if title else "", code)


def titled(page: str, title: str) -> str:
    """The file of that title on a page below the project's root."""
    (code,) = (block.code for block in blocks((ROOT / page).read_text("utf-8")) if block.title == title)
    return code


def commands(block: Block) -> Iterator[list[str]]:
    """What follows the program's name in each line that calls it, without comments, pipes and where output goes."""
    if block.language not in SHELL or block.title:
        return
    for line in re.sub(r"\\\n\s*", "", block.code).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
        lexer.whitespace_split = True
        words = list(lexer)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            del words[0]
        if words and words[0].rpartition("/")[2] == PROGRAM:
            ends = (place for place, word in enumerate(words) if set(word) <= set("|>&;"))
            yield words[1 : next(ends, len(words))]


def mentioned(text: str) -> Iterator[list[str]]:
    """What follows the program's name where the running text calls it."""
    for found in re.findall(rf"(?<!`)`{PROGRAM} ([^`]+)`(?!`)", FENCE.sub("", text)):
        yield shlex.split(found.replace("\n", " "), comments=True)


def tables(text: str) -> dict[str, list[str]]:
    """What stands in code in the first column of the table below each heading, in its order; the first table alone."""
    found: dict[str, list[str]] = {}
    heading, rows = "", 0
    for line in FENCE.sub("", text).splitlines():
        if line.startswith("#"):
            heading, rows = line.lstrip("# "), 0
        elif line.startswith("|"):
            rows += 1
            first = re.split(r"(?<!\\)\|", line)[1]
            if rows > 2:
                found.setdefault(heading, []).extend(re.findall(r"`([^`]+)`", first))
        elif rows and line:
            heading = line  # the text before a further table
            rows = 0
    return found
