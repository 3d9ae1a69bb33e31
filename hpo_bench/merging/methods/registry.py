"""Finds merge methods by name: the built-in ones, those of installed packages, and any class by its address."""

import inspect

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods.base import Hyperparameter, MergeMethod
from optimizers.plugins import Registry, named

_HERE = "hpo_bench.merging.methods"


def check(candidate: object, address: str) -> type[MergeMethod]:
    """Refuse what is no merge method.

    Args:
        candidate: What may be one.
        address: What to call it.

    Raises:
        UsageError: If it is none; the message says what is missing.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, MergeMethod)):
        raise UsageError(f"{address} is no subclass of hpo_bench.MergeMethod")
    if missing := [what for what in ("name", "label") if not isinstance(getattr(candidate, what, None), str)]:
        raise UsageError(f"{address} lacks {' and '.join(missing)}")
    own = named(candidate)
    if REGISTRY.built_in.get(candidate.name, own) != own:
        raise UsageError(f"{address} is called {candidate.name!r}, as a built-in method is; give it another `name`")
    if inspect.isabstract(candidate):
        raise UsageError(f"{address} does not say how it merges: write its method merge")
    known = candidate.hyperparameters
    if not (isinstance(known, tuple) and all(isinstance(one, Hyperparameter) for one in known)):
        raise UsageError(f"{address}: hyperparameters must be a tuple of Hyperparameter, not {known!r}")
    given = [one.name for one in known] + ["vlm", "expert"] * (candidate.needs is not None)
    given += ["seed"] * candidate.draws_masks
    arguments = inspect.signature(candidate)
    try:
        arguments.bind_partial(**dict.fromkeys(given))
    except TypeError as error:
        what = "hyperparameters" + " and a seed" * candidate.draws_masks
        raise UsageError(f"{address}: its {what} must be arguments of the class: {error}") from error
    try:
        arguments.bind(**dict.fromkeys(given))
    except TypeError as error:
        raise UsageError(
            f"{address}: {error}, which is none of its hyperparameters: declare it as one, or give it a default"
        ) from error
    try:
        inspect.signature(candidate.merge).bind(None, None)
    except TypeError as error:
        raise UsageError(f"{address}: its merge takes the task vectors alone: `def merge(self, vectors)`") from error
    return candidate


# Addresses and not classes: whoever checks a name need not wait for PyTorch. In the order of tables.
REGISTRY = Registry[type[MergeMethod]](
    what="merge method",
    group="hpo_bench.merge_methods",
    built_in={
        "ta": f"{_HERE}.task_arithmetic:TaskArithmetic",
        "dare": f"{_HERE}.dare:Dare",
        "ties": f"{_HERE}.ties:Ties",
        "fisher": f"{_HERE}.fisher:Fisher",
        "regmean": f"{_HERE}.regmean:RegMean",
        "wudi": f"{_HERE}.wudi:Wudi",
        "tsv": f"{_HERE}.tsv:TsvMerge",
        "metagpt": f"{_HERE}.metagpt:MetaGPT",
        "nan": f"{_HERE}.norm_aware:NAN",
    },
    wrong=UsageError,
    check=check,
)


def get(name: str) -> type[MergeMethod]:
    """The merge method of a name, or at an address "package.module:Class".

    Raises:
        UsageError: If there is none, and the message suggests the nearest; or what is there is no merge method.
    """
    return REGISTRY.get(name)


def label(name: str) -> str:
    """The name as in text of the merge method of a name.

    Raises:
        UsageError: As for `get`.
    """
    return get(name).label


def tunable(name: str) -> type[MergeMethod]:
    """The same, if it has hyperparameters.

    Raises:
        UsageError: If there is no such method, or nothing to tune in it.
    """
    kind = get(name)
    if not kind.hyperparameters:
        raise UsageError(
            f"{kind.label} has no hyperparameters, so there is nothing to tune and no grid: `hpo-bench merge -m {name}`"
        )
    return kind
