"""Synthetic surfaces with the features that scores of merged models show. No model was merged for them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REACH = 1.4
"""Where the coefficients end, as in live tuning; densities span 0.1 to 1."""
WAVES = 8
"""Cosines that make up the roughness."""


@dataclass(frozen=True, slots=True, eq=False)
class MergeLike:
    """A synthetic benchmark score over vl_weight and exp_weight, and over density in three dimensions.

    Skill rises over a cliff to a plateau as the expert's weight grows; general ability rises with the VLM's weight and
    is forgotten as the expert's grows; where the two together move the weights too far, both collapse. The benchmark
    mixes skill and ability, so that a diagonal ridge appears, with the cliff on one side and the collapse on the other.
    Dropping parts of the task vectors weakens both and softens their clash, so that an interior density may be best.
    On top lies roughness, such as an interpolated noisy grid has, of up to a twentieth of the range.

    Attributes:
        skill: Height of the skill's share in the score, from 0 to 1.
        cliff: Expert's weight where the skill appears, and its steepness.
        sight: VLM's weight where general ability appears, and its steepness.
        forgetting: Rate at which ability fades with the expert's weight.
        collapse: How far is too far, steepness, and what the expert's weight counts beside the VLM's.
        clash: Strength of the two vectors' interference, which adds to the way.
        fading: Powers of density by which strength and clash shrink.
        roughness: Amplitude of the waves.
        frequencies: Of the waves, in radians a cube's edge, of shape (WAVES, dim).
        phases: Of the waves, of shape (WAVES,).
    """

    skill: float
    cliff: tuple[float, float]
    sight: tuple[float, float]
    forgetting: float
    collapse: tuple[float, float, float]
    clash: float
    fading: tuple[float, float]
    roughness: float
    frequencies: Array
    phases: Array

    @classmethod
    def draw(cls, dim: int, rng: np.random.Generator) -> Self:
        """A surface at random.

        Args:
            dim: 2, or 3 with density.
            rng: Draws its parameters.
        """

        def between(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        def steepness(low: float, high: float) -> float:
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))

        direction = rng.standard_normal((WAVES, dim))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        return cls(
            skill=between(0.35, 0.75),
            cliff=(between(0.2, 0.9), steepness(5, 25)),
            sight=(between(0.1, 0.7), steepness(4, 20)),
            forgetting=between(0.0, 1.2),
            collapse=(between(1.0, 2.2), steepness(4, 15), between(0.6, 1.4)),
            clash=between(0.0, 0.6),
            fading=(between(0.1, 0.8), between(0.5, 2.0)),
            roughness=float(rng.choice([0.0, 0.01, 0.025])),
            frequencies=direction * rng.uniform(6.0, 25.0, (WAVES, 1)),
            phases=rng.uniform(0.0, 2 * np.pi, WAVES),
        )

    def __call__(self, X: Array) -> Array:
        """Scores of shape (n,) at points of shape (n, dim) in the unit cube."""
        density = 0.1 + 0.9 * X[:, 2] if X.shape[1] == 3 else np.ones(len(X))
        kept = density ** self.fading[0]
        vl, expert = REACH * X[:, 0] * kept, REACH * X[:, 1] * kept
        too_far, sharpness, weight = self.collapse
        moved = vl + weight * expert + self.clash * vl * expert * density ** self.fading[1]
        intact = _step(too_far - moved, sharpness)
        skilled = _step(expert - self.cliff[0], self.cliff[1])
        sighted = _step(vl - self.sight[0], self.sight[1]) * np.exp(-self.forgetting * expert)
        waves = np.cos(X @ self.frequencies.T + self.phases).mean(axis=1) * np.sqrt(2 * WAVES)
        return intact * (self.skill * skilled + (1.0 - self.skill) * sighted) + self.roughness * waves


def _step(x: Array, steepness: float) -> Array:
    """A logistic step from 0 to 1 at x = 0."""
    return 0.5 * (1.0 + np.tanh(0.5 * steepness * x))
