"""Uniform random search, the yardstick of every comparison."""

from optimizers.base import Optimizer, Point


class RandomSearch(Optimizer):
    """Independent uniform points (Bergstra & Bengio, "Random search for hyper-parameter optimization", 2012)."""

    name = "random"
    label = "Random"
    parallel = True
    goals = (1, 2)

    def _next(self) -> Point:
        return self._generator(self._proposed).random(self.dim)
