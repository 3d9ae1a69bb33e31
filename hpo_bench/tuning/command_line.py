"""A study's options as a command line has them: what asks for a study, and what of a stored one is other than asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo_bench.errors import UsageError

Start = str | Sequence[float] | Mapping[str, float]
"""Where a search may begin: as a command line has it, or a setting by its numbers, or by the hyperparameters' names."""
REPEATED = {"methods": "--method", "starts": "--start", "image": "--image", "choices": "--choices"}
"""Options that are typed once for each of several values, by what Python calls them."""
_CALLED = {
    "begin_with": "--start", "density": "--densities", "methods": "--method",
    **{key: f"--{key.replace('_', '-')}"
       for key in ("optimizer", "seed", "mask_seed", "coefficients", "sum_to_one", "keep")},
    "optimizer_version": "version of the optimiser", "scoring_version": "version of the metric",
}  # fmt: skip
"""What a study keeps: options as they are typed, and versions, which another hpo-bench may have otherwise."""
_LONGEST = 60


def start_as_typed(start: Start) -> str:
    """A start as a command line has it.

    Raises:
        UsageError: If it is neither text nor numbers, named or in their usual order.
    """
    if isinstance(start, str):
        return start
    try:
        if isinstance(start, Mapping):
            return ",".join(f"{name}={float(value)!r}" for name, value in start.items())
        return ",".join(map(repr, map(float, start)))
    except (TypeError, ValueError) as error:
        raise UsageError(f"a start is text, numbers, or numbers by hyperparameter, not {start!r}") from error


def command_of(pair: str, asked: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """What follows the program's name where a command line asks for a study; `typed` hides the passwords in it.

    Args:
        pair: Name or path of the pair.
        asked: The options by what `hpo_bench.tune` calls them.
        usual: Their defaults, which need not be typed.
    """
    words = ["tune", pair]
    for name, value in asked.items():
        if value == usual[name] or name == "beside":
            continue
        option = REPEATED.get(name, f"--{name.replace('_', '-')}")
        if value is True:
            words.append(option)
        elif name in REPEATED:
            for one in [value] if isinstance(value, str) else value:
                other, given = ("--from", one[5:]) if str(one).startswith("from:") else (option, one)
                words += [other, start_as_typed(given)]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [option, ",".join(map(str, value))]
        else:
            words += [option, str(value)]
    return words


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is asked for otherwise than before, as it was and is typed.

    Args:
        then: What a study keeps, as `StudyConfig.as_dict` gives it, and `now` has it too.
        now: What is asked for, of these keys alone that count.
    """
    for key, value in now.items():
        if then[key] == value:
            continue
        if key == "checkpoints":
            yield "files of the pair"
        elif key == "examples":
            yield f"examples ({_examples(then[key])} then, {_examples(value)} now)"
        elif key in ("evaluation", "merge"):
            yield from (
                f"{key}.{option} ({_short(then[key].get(option))} then, {_short(value.get(option))} now)"
                for option in {**then[key], **value}
                if then[key].get(option) != value.get(option)
            )
        else:
            yield f"{_CALLED.get(key, key)} ({_short(then[key])} then, {_short(value)} now)"


def _examples(count: int | None) -> str:
    """What is typed for so many examples each, 0 where that is left to be planned."""
    if count is None:
        return "--hold-out"
    return f"--examples-each {count}" if count else "no --hold-out"


def _short(value: Any) -> str:
    text = _words(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _words(value: Any) -> str:
    """A value as people write it, and not as Python does."""
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items())
    return ",".join(map(_words, value)) if isinstance(value, list | tuple) else str(value)
