"""The pair that a command is about: PAIR, or its models' places."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo_bench.cli.options import PAIRS, Decorator
from hpo_bench.cli.types import Equation

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair


def _prefixes(vlm: str, model: str) -> tuple[str, str]:
    if not all(each == "" or each.endswith(".") for each in (vlm, model)):
        raise ValueError
    return vlm, model


_PREFIXES = Equation("VLM=MODEL", _prefixes, wrong="is no pair of prefixes, each with its dot, such as a.b.=model.")
_VLM = click.option("--vlm", metavar="PLACE", help="Vision-language model.")
_PAIR = click.argument("pair", required=False)
_LANGUAGE_PREFIXES = click.option(
    "--language-prefix", "language_prefixes", type=_PREFIXES, multiple=True, metavar="VLM=MODEL",
    help="How names of the VLM's language tensors begin, and a language model's; repeatable.  [default: found]",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPair:
    """What of a pair was typed: PAIR, or --base, --vlm and --expert; and where built pairs lie."""

    pair: str | None
    pairs: Path
    language_prefixes: tuple[tuple[str, str], ...]
    base: str | None = None
    vlm: str | None = None
    expert: str | None = None

    def find(self) -> "Pair":
        """The pair; errors as of `hpo_bench.merging.find.given`."""
        from hpo_bench.merging.find import given

        return given(self.pair, base=self.base, vlm=self.vlm, expert=self.expert, **self._rest)

    def find_vlm(self) -> "Pair":
        """A pair of which the VLM alone counts; errors as of `hpo_bench.merging.find.vlm_of`."""
        from hpo_bench.merging.find import vlm_of

        return vlm_of(self.pair, vlm=self.vlm, **self._rest)

    @property
    def _rest(self) -> dict[str, Any]:
        return {"built": self.pairs, "language_prefixes": dict(self.language_prefixes)}


def _given(function: Callable[..., Any], *options: Decorator) -> Callable[..., Any]:
    @wraps(function)
    def command(**typed: Any) -> Any:
        own = {one.name: typed.pop(one.name) for one in fields(GivenPair) if one.name in typed}
        return function(given=GivenPair(**own), **typed)

    for option in options:
        command = option(command)
    return command


def a_pair(function: Callable[..., Any]) -> Callable[..., Any]:
    """PAIR, or --base, --vlm and --expert, and where built pairs lie, as the argument `given` of a command."""
    expert = click.option("--expert", metavar="PLACE", help="Expert language model.")
    base = click.option("--base", metavar="PLACE", help="Base language model: a folder, or hf://owner/name.")
    return _given(function, PAIRS, _LANGUAGE_PREFIXES, expert, _VLM, base, _PAIR)


def a_vlm(function: Callable[..., Any]) -> Callable[..., Any]:
    """PAIR or --vlm, and where built pairs lie, likewise."""
    return _given(function, PAIRS, _LANGUAGE_PREFIXES, _VLM, _PAIR)
