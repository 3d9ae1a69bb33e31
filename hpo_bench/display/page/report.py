"""A report: one self-contained page, and beside it every figure and table as files."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Protocol

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from hpo_bench.display.figures import Drawn, encode
from hpo_bench.display.looks import looks
from hpo_bench.display.svg import inline
from hpo_bench.display.table import TextTable, inert

HERE = "hpo_bench.display.page"
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What HTML forbids in a page, and what no encoding has; models may answer with either."""
LONGEST = 2000
"""Characters of a cell that stand on the page; a model may answer with a hundred thousand."""
FORMATS = {"png": "PNG", "svg": "SVG", "csv": "CSV", "md": "Markdown", "tex": "LaTeX"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure or a table on the page.

    Attributes:
        name: Its anchor, and that of its files.
        content: What stands on the page.
        caption: What it shows.
        alt: A figure in words, for those who cannot see it; empty for tables.
        links: Address of its file, beside the page, by format.
    """

    name: str
    content: Markup | TextTable
    caption: str
    alt: str
    links: Mapping[str, str]


class FilesBeside(Protocol):
    """A folder that files are kept in, such as `hpo_bench.files.OutputFolder`."""

    folder: Path
    files: dict[Path, str]

    def keep(self, name: str, encoded: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Write a file a suffix, under one name."""
        ...

    def clear_others(self) -> None:
        """Remove what was not kept."""
        ...


class ReportPage:
    """A page under way.

    Figures stand in the page as SVG that takes its colours, or as small pictures, so that it needs no other file; the
    same figures as PNG, SVG and CSV (small pictures without the PNG), and the tables as Markdown, LaTeX and CSV, lie
    beside it, and it links to them.

    Args:
        page: Where it will be.
        figures: Folder of the figures, under that of the page.
        tables: Folder of the tables, under that of the page.
        source: What the numbers come from, in a line.
    """

    def __init__(self, page: Path, *, figures: FilesBeside, tables: FilesBeside, source: str) -> None:
        self.page, self.source = page, source
        self._figures, self._tables = figures, tables

    @property
    def files(self) -> dict[Path, str]:
        """Every file beside the page, with the SHA-256 of its content."""
        return {**self._figures.files, **self._tables.files}

    def figure(self, drawn: Drawn) -> Shown:
        """Keep a figure, and give what the page shows of it.

        Raises:
            ResultsError: If a file cannot be written.
        """
        data = drawn.data.map(lambda value: inert(value) if isinstance(value, str) else value)
        content = {**encode(drawn.figure, self.source), "csv": data.to_csv(index=False).encode()}
        links = self._keep(self._figures, drawn.name, content)
        svg = Markup(inline(content["svg"], drawn.name))  # noqa: S704, drawn and serialised here
        return Shown(drawn.name, svg, drawn.caption, drawn.alt, links)

    def picture(self, name: str, encoded: Mapping[str, bytes], *, caption: str, alt: str) -> Shown:
        """The same for a figure that was encoded elsewhere and is shown as a small picture.

        Args:
            name: Of its files.
            encoded: Its files by suffix; `webp` is for the page alone.
            caption: What stands below it.
            alt: The same in words.

        Raises:
            ResultsError: If a file cannot be written.
        """
        data = base64.b64encode(encoded["webp"]).decode()
        links = self._keep(self._figures, name, {kind: one for kind, one in encoded.items() if kind != "webp"})
        with Image.open(BytesIO(encoded["webp"])) as opened:
            width, height = opened.size
        picture = Markup(
            '<img src="data:image/webp;base64,{}" alt="{}" width="{}" height="{}" style="--width: {}px">'
        ).format(data, alt, width, height, width)
        return Shown(name, picture, caption, alt, links)

    def table(self, name: str, title: str, table: TextTable | None) -> Shown | None:
        """Keep a table, and give what the page shows of it; None if there is none.

        Raises:
            ResultsError: If a file cannot be written.
        """
        if table is None or not table.rows:
            return None
        texts = {"md": table.to_markdown() + "\n", "tex": table.to_latex(), "csv": table.to_csv()}
        links = self._keep(self._tables, name, {kind: text.encode() for kind, text in texts.items()})
        return Shown(name, table, title, "", links)

    def text(self, package: str, template: str, **content: object) -> str:
        """What the page is, after all its figures and tables; files that an earlier one left beside it are removed.

        Args:
            package: Which package has the template, which extends `base.html.j2`.
            template: Its file.
            content: What it needs.
        """
        # Style and script are ours; everything else that comes from cards or classes is escaped.
        environment = Environment(
            loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(HERE, ".")]), autoescape=True,
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        environment.globals |= {
            own: Markup((files(HERE) / f"page.{kind}").read_text(encoding="utf-8"))  # noqa: S704, a file of ours
            for own, kind in (("style", "css"), ("script", "js"))
        }
        environment.filters |= {"coded": _coded, "cut": _cut}
        for own in (self._figures, self._tables):
            own.clear_others()
        text = environment.get_template(template).render(looks=looks, source=self.source, **content)
        return _NO_TEXT.sub("\ufffd", text)

    def _keep(self, beside: FilesBeside, name: str, content: Mapping[str, bytes]) -> dict[str, str]:
        beside.keep(name, content)
        folder = beside.folder.relative_to(self.page.parent).as_posix()
        return {FORMATS[kind]: f"{folder}/{name}.{kind}" for kind in content}


def _cut(cell: str) -> str:
    """A cell without the middle of a long text, which the files below the table have."""
    if len(cell) <= LONGEST:
        return cell
    note = f"[… {len(cell):,} characters, all of them in the files below …]"
    return f"{cell[: LONGEST // 2]} {note} {cell[-LONGEST // 2 :]}"


def _coded(text: str) -> Markup:
    """A sentence with what stands between backticks, as in the terminal, set as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704, escaped
