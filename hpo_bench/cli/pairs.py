"""The pair that a command is about: PAIR, or its models' places."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import PAIRS, all_of
from hpo_bench.cli.types import Read


def _prefixes(text: str) -> tuple[str, str]:
    vlm, equals, model = text.partition("=")
    if not (equals and all(each == "" or each.endswith(".") for each in (vlm, model))):
        raise ValueError
    return vlm, model


PREFIXES = Read("VLM=MODEL", _prefixes, wrong="is no pair of prefixes, each with its dot, such as a.b.=model.")
PAIR = click.argument("pair", required=False)
VLM = click.option("--vlm", metavar="PLACE", help="Vision-language model.")
LANGUAGE_PREFIXES = click.option(
    "--language-prefix", "language_prefixes", type=PREFIXES, multiple=True, metavar="VLM=MODEL",
    help="How names of the VLM's language tensors begin, and a language model's; repeatable.  [default: found]",
)  # fmt: skip


def a_pair(function: Callable[..., Any]) -> Callable[..., Any]:
    """PAIR, or --base, --vlm and --expert, and where built pairs lie; a command's `pair` is what they name."""

    @wraps(function)
    def command(
        pair: str | None, base: str | None, vlm: str | None, expert: str | None, pairs: Path,
        language_prefixes: tuple[tuple[str, str], ...], **typed: Any,
    ) -> Any:  # fmt: skip
        from hpo_bench.merging.find import given

        prefixes = dict(language_prefixes)
        found = given(pair, base=base, vlm=vlm, expert=expert, built=pairs, language_prefixes=prefixes)
        return function(pair=found, **typed)

    base = click.option("--base", metavar="PLACE", help="Base language model: a folder, or hf://owner/name.")
    expert = click.option("--expert", metavar="PLACE", help="Expert language model.")
    return all_of(PAIR, base, VLM, expert, LANGUAGE_PREFIXES, PAIRS)(command)


def a_vlm(function: Callable[..., Any]) -> Callable[..., Any]:
    """PAIR or --vlm, and where built pairs lie; a command's `pair` is one of which the VLM alone counts."""

    @wraps(function)
    def command(
        pair: str | None, vlm: str | None, pairs: Path, language_prefixes: tuple[tuple[str, str], ...], **typed: Any
    ) -> Any:
        from hpo_bench.merging.find import vlm_of

        found = vlm_of(pair, vlm=vlm, built=pairs, language_prefixes=dict(language_prefixes))
        return function(pair=found, **typed)

    return all_of(PAIR, VLM, LANGUAGE_PREFIXES, PAIRS)(command)
