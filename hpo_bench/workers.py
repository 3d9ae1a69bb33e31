"""Worker processes, each on one thread."""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

import joblib
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WORTH_WORKERS = 4
"""Fewer small tasks than this are done before a worker has started."""


@contextmanager
def pool(jobs: int) -> Iterator[None]:
    """Where joblib works inside the block; a cluster's backend would be named here."""
    if jobs == 1:
        yield
        return
    with warnings.catch_warnings(), joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        # A worker that has come to import torch has grown as if it leaked memory; loky replaces it and nothing is lost.
        warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Threads would neither help on such small matrices nor round the same way on every machine."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=1):
        try:
            if torch:  # Keeps a pool of its own.
                torch.set_num_threads(1)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def each(function: Callable[[Item], Answer], items: Sequence[Item], *, jobs: int) -> list[Answer]:
    """The function of every item, in order.

    Args:
        function: Importable, so that workers find it.
        items: Its arguments.
        jobs: Worker processes.
    """
    jobs = jobs if len(items) >= WORTH_WORKERS else 1
    with pool(jobs):
        answers = joblib.Parallel(n_jobs=jobs)(joblib.delayed(_alone)(function, item) for item in items)
    return cast(list[Answer], answers)


def _alone(function: Callable[[Item], Answer], item: Item) -> Answer:
    with one_thread():
        return function(item)
