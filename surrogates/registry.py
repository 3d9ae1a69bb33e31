"""Finds surrogates by name: one for each radial kernel, and the others."""

from importlib import import_module

from surrogates.base import Surrogate
from surrogates.errors import UnknownKernelError
from surrogates.rbf import KERNELS, RBFSurrogate
from surrogates.spelling import did_you_mean

# Addresses and not classes: whoever wants a spline need not wait for scikit-learn.
OTHERS = {"gp": "surrogates.gp:GPSurrogate"}
NAMES = (*KERNELS, *OTHERS)
"""Every name, the study's kernels first."""


def make(name: str) -> Surrogate:
    """A new surrogate of that name, not yet fitted.

    Args:
        name: A radial kernel (`surrogates.rbf`), or gp.

    Raises:
        UnknownKernelError: If there is none; the message suggests the nearest.
    """
    if name in OTHERS:
        module, _, attribute = OTHERS[name].partition(":")
        return getattr(import_module(module), attribute)()
    if name not in KERNELS:
        hint = did_you_mean(name, NAMES)
        raise UnknownKernelError(f"no kernel is called {name!r}; {hint}there are {', '.join(NAMES)}")
    return RBFSurrogate(name)
