"""Packages that building needs and nothing else does."""

import importlib
from typing import Any

from hpo_bench.errors import UsageError


def need(package: str) -> Any:
    """Import a package of the extra `nano`.

    Raises:
        UsageError: If it is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(f"building needs the package {package}: pip install 'hpo-bench[nano]'") from error
