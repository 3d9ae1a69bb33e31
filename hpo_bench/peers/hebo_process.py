"""HEBO, in a process of its own."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hpo_bench.peers.base import Peer
from hpo_bench.peers.environment import Apart, Server
from optimizers.base import Point

APART = Apart(
    "hebo",
    (
        "HEBO==0.3.6", "numpy==1.24.4", "scipy==1.11.4", "pandas==2.1.4", "scikit-learn==1.4.2", "matplotlib==3.10.9",
        "GPy==1.13.2", "gpytorch==1.15.2", "catboost==1.2.10", "torch==2.13.0",
    ),
)  # fmt: skip
"""It pins pymoo 0.6.0 and numpy below 1.25, which nothing else here lives with; the rest goes with that numpy.

Pinned to the last digit: so pip need not search for what fits together, and the trace depends on no day's newest."""


class Hebo(Peer):
    """HEBO (Cowen-Rivers et al., 2022) with its defaults: input and output warping, an ensemble of acquisitions.

    It needs a numpy of 2023, so `hpo-bench run -o hebo` makes it an environment of its own at the first call.
    """

    name = "hebo"
    label = "HEBO"
    given = "observed, in place of as many Sobol' points of its own"
    packages = ("HEBO", "numpy", "torch")
    apart: ClassVar[Apart] = APART

    _server: Server | None = None

    @property
    def settings(self) -> Mapping[str, object]:
        """Versions in its environment, and what was asked for."""
        return {**super().settings, "requirements": list(self.apart.requirements)}

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Versions in its environment, which is made if it is not there yet."""
        cls.apart.make()
        return {package: cls.apart.version(package) for package in cls.packages}

    @property
    def seconds_elsewhere(self) -> float:
        """Processor seconds of its server."""
        return 0.0 if self._server is None else self._server.seconds

    def _next(self) -> Point:
        return np.array(self._spoken_to().call(do="ask", step=self.asked), dtype=np.float64)

    def _observe(self, x: Point, score: float) -> None:
        self._spoken_to().call(do="tell", step=self.budget + self.asked, x=x.tolist(), cost=self._cost(score))

    def _spoken_to(self) -> Server:
        if self._server is None:
            self._server = Server(self.apart)
            self._server.call(do="begin", dim=self.dim, seed=self.seed)
        return self._server
