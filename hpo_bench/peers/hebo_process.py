"""HEBO, in a process of its own."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hpo_bench.peers.apart import Apart, Server
from hpo_bench.peers.base import Peer
from optimizers.base import Point

APART = Apart("hebo", ("HEBO==0.3.6", "numpy<1.25", "scipy<1.12", "pandas<2.2", "scikit-learn<1.5", "torch"))
"""It pins pymoo 0.6.0 and numpy below 1.25, which nothing else here lives with; the rest goes with that numpy."""


class Hebo(Peer):
    """HEBO (Cowen-Rivers et al., 2022) with its defaults: input and output warping, an ensemble of acquisitions.

    It needs a numpy of 2023, so `hpo-bench run -o hebo` makes it an environment of its own at the first call.
    """

    name = "hebo"
    label = "HEBO"
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

    def _next(self) -> Point:
        return np.array(self._spoken_to().call(do="ask", step=self.asked), dtype=np.float64)

    def _observe(self, x: Point, score: float) -> None:
        cost = -(self._worst() if np.isnan(score) else score)
        self._spoken_to().call(do="tell", step=self.budget + self.asked, x=x.tolist(), cost=cost)

    def _spoken_to(self) -> Server:
        if self._server is None:
            self._server = Server(self.apart)
            self._server.call(do="begin", dim=self.dim, seed=self.seed)
        return self._server
