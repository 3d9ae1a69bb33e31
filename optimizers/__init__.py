"""Optimisers for expensive, low-dimensional problems: ask/tell on the unit cube, always maximising."""

from optimizers.base import Optimizer, Point, Restart
from optimizers.errors import (
    BudgetExhaustedError,
    InvalidSettingError,
    OptimizerError,
    ProtocolError,
    UnknownOptimizerError,
)
from optimizers.multi_start import MultiStart, Search
from optimizers.registry import available, get

__all__ = [
    "BudgetExhaustedError",
    "InvalidSettingError",
    "MultiStart",
    "Optimizer",
    "OptimizerError",
    "Point",
    "ProtocolError",
    "Restart",
    "Search",
    "UnknownOptimizerError",
    "available",
    "get",
]
