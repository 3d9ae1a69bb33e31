"""The frame of all HTML pages, and what they are made of: one look, and nothing outside the file."""

import base64
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

PNG, SVG = "image/png", "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure on a page.

    Attributes:
        name: Its anchor.
        content: The file that is put into the page.
        type: Its media type.
        caption: What it shows.
        alt: The same in words, for those who cannot see it.
    """

    name: str
    content: bytes
    type: str
    caption: str
    alt: str

    @property
    def data(self) -> str:
        """The file as a data URI, so that the page needs no other file."""
        return f"data:{self.type};base64,{base64.b64encode(self.content).decode()}"


def render(package: str, *, title: str, **content: object) -> str:
    """The text of a page.

    Args:
        package: Whose template `page.html.j2` is filled; it extends `frame.html.j2`, and takes tables, figures and
            facts from `parts.html.j2`.
        title: The page's.
        **content: What the template names. It is escaped, since it comes from cards, classes and models.
    """
    loader = ChoiceLoader([PackageLoader(package, "."), PackageLoader("hpo_bench.display", ".")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (files("hpo_bench.display") / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(title=title, style=style, **content)
