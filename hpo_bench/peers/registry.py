"""Which peers there are, and what they need."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from hpo_bench.errors import UsageError

if TYPE_CHECKING:  # which imports PyTorch
    from hpo_bench.peers.base import Peer

# Addresses and not classes: whoever wants one of them need not have the others' packages.
PEERS: Mapping[str, str] = {
    "botorch": "hpo_bench.peers.botorch_loop:BoTorch",
    "ax": "hpo_bench.peers.ax_client:Ax",
    "smac": "hpo_bench.peers.smac_facade:Smac",
    "pybads": "hpo_bench.peers.bads:PyBads",
    "nevergrad-ngopt": "hpo_bench.peers.ngopt:NgOpt",
    "optuna-gp": "hpo_bench.peers.optuna_samplers:OptunaGp",
    "optuna-tpe": "hpo_bench.peers.optuna_samplers:OptunaTpe",
    "optuna-cma-es": "hpo_bench.peers.optuna_cma_es:OptunaCmaEs",
    "hebo": "hpo_bench.peers.hebo_process:Hebo",
}
APART = ("hebo",)
"""Peers that cannot live beside the others: run only when asked for by name, in an environment made for them."""
TOGETHER = tuple(name for name in PEERS if name not in APART)
"""Peers of the extra `peers`, in the order of tables."""


def find(name: str) -> "type[Peer]":
    """The adapter of a peer.

    Args:
        name: One of `PEERS`.

    Raises:
        UsageError: If what it needs is not installed; the message says how to install it.
    """
    module, _, attribute = PEERS[name].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        sys.modules.pop(module, None)
        raise UsageError(
            f"{name} cannot be run: {error}; install the peers with: pip install 'hpo-bench[peers]'"
        ) from error
