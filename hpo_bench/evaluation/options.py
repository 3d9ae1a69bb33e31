"""The section `evaluation:` of a pair.yaml: its kind, its options, and what of it is not shown."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hpo_bench.display.printing import is_secret, without_passwords
from hpo_bench.errors import UsageError
from hpo_bench.merging.pair import Pair
from landscapes.written import parse_record

if TYPE_CHECKING:
    from hpo_bench.merging.loaded import LoadedPair

Options = TypeVar("Options")
Opened = TypeVar("Opened")


class EvaluatorKind(Generic[Opened]):
    """A kind of evaluation whose options make sense, or are refused, before a model is loaded.

    It decorates the function that reads them; called with the pair in memory as well, it opens an evaluator as any
    other kind does.

    Args:
        read: Takes the pair and the options that its section has besides `kind`, refuses what makes no sense by a
            `UsageError`, and returns what opens the evaluator, given the pair in memory.

    Attributes:
        read: The same.
    """

    def __init__(self, read: Callable[[Pair, Mapping[str, Any]], Callable[["LoadedPair"], Opened]]) -> None:
        self.read = read
        self.__module__, self.__doc__ = read.__module__, read.__doc__  # whose it is, for whoever looks

    def __call__(self, pair: Pair, loaded: "LoadedPair", options: Mapping[str, Any]) -> Opened:
        """Open the evaluator."""
        return self.read(pair, options)(loaded)


def source(pair: Pair) -> str:
    """Where a pair's section on its evaluation stands, for messages."""
    return f"{pair.described_in}, evaluation"


def read_section(pair: Pair, options: Mapping[str, Any], kind: type[Options]) -> Options:
    """Options of an evaluation as a dataclass has them.

    Args:
        pair: Whose they are.
        options: The section without its `kind`.
        kind: Its fields are the options; see `landscapes.written.parse_record`.

    Raises:
        UsageError: If one is missing, unknown or makes no sense.
    """
    return parse_record(options, kind, where=source(pair), wrong=UsageError, beside=("kind",))


def without_secrets(value: Any) -> Any:
    """The same with "***" for what stands under keys such as `api_key`, `token` or `password`, at any depth.

    So do users and passwords of URLs and the like, wherever a text has some, and in a command's words what follows an
    option of such a name.
    """
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, Mapping):
        return {
            key: "***" if isinstance(key, str) and is_secret(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    if not isinstance(value, list | tuple):
        return value
    options = [isinstance(one, str) and one.startswith("-") and is_secret(one.lstrip("-")) for one in value]
    return ["***" if after else without_secrets(inner) for after, inner in zip((False, *options), value, strict=False)]
