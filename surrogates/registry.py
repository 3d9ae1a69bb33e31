"""Finds surrogates by name: one for each radial kernel, and the Gaussian process."""

from surrogates.base import Surrogate
from surrogates.errors import UnknownKernelError
from surrogates.nearest import did_you_mean
from surrogates.rbf import KERNELS, RBFSurrogate

GP = "gp"
NAMES = (*KERNELS, GP)
"""Every name, the study's kernels first."""


def make(name: str) -> Surrogate:
    """A new surrogate of that name, not yet fitted.

    Args:
        name: A radial kernel (`surrogates.rbf`), or gp.

    Raises:
        UnknownKernelError: If there is none; the message suggests the nearest.
    """
    if name == GP:
        # scikit-learn takes a second to import.
        from surrogates.gp import GPSurrogate

        return GPSurrogate()
    if name not in KERNELS:
        hint = did_you_mean(name, NAMES)
        raise UnknownKernelError(f"no kernel is called {name!r}; {hint}there are {', '.join(NAMES)}")
    return RBFSurrogate(name)
