"""A rival that may score a setting on few examples or on many: BoTorch's multi-fidelity knowledge gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import cast

import numpy as np
import torch
from botorch.acquisition import PosteriorMean
from botorch.acquisition.cost_aware import InverseCostWeightedUtility
from botorch.acquisition.fixed_feature import FixedFeatureAcquisitionFunction
from botorch.acquisition.knowledge_gradient import qMultiFidelityKnowledgeGradient
from botorch.acquisition.utils import project_to_target_fidelity
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskMultiFidelityGP
from botorch.models.cost import AffineFidelityCostModel
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.optim.initializers import gen_one_shot_kg_initial_conditions
from gpytorch.mlls import ExactMarginalLogLikelihood

from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.racing import Purse
from hpo_bench.experiments.spending.whole import MEAN, Step
from hpo_bench.peers.base import global_generators, quiet

Tensor = torch.Tensor


@dataclass(frozen=True, slots=True)
class KnowledgeGradient:
    """Multi-fidelity knowledge gradient (Wu et al., 2019) with the settings of BoTorch's tutorial on it.

    `SingleTaskMultiFidelityGP` on standardised scores, gain for its cost, batches of four, 128 fantasies, 10 restarts
    out of 512 raw samples. A fidelity is a share of the examples, the same first ones for all, and costs as many;
    answers that a setting has given cost nothing. What is recommended has the highest posterior mean at full fidelity.

    The tutorial's costs have a fixed part and its fidelities begin at 0; without the one the other would be free, so
    that here they begin at an eighth. It begins with 16 random points in seven dimensions; here these are as many as
    take half the budget, 8 or so. There are as many batches as the other half buys at the lowest fidelity: where a
    setting is proposed that has given these answers, what it would cost stays unspent.

    Attributes:
        share: Of the budget that one setting at full fidelity takes.
        least: The lowest fidelity.
        batch: Settings that are proposed together.
        fantasies: Of each proposal.
        restarts: Of the search for proposals.
        raw: Points among which it begins.
        steps: That it takes at most.
    """

    share: float = 1 / 8
    least: float = 1 / 8
    batch: int = 4
    fantasies: int = 128
    restarts: int = 10
    raw: int = 512
    steps: int = 200

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            with global_generators(draw.search_seed, 0), quiet("botorch", "gpytorch", "linear_operator"):
                yield self._replay(at, draw, budget)

    def _replay(self, at: int, draw: Draw, budget: int) -> Step:
        purse = Purse.of(draw, budget)
        full = min(round(self.share * budget), draw.seen.shape[1])
        X, y = torch.empty(0, draw.pool.dim + 1, dtype=torch.double), torch.empty(0, 1, dtype=torch.double)

        def scored(points: Tensor) -> None:
            """Score settings one after another while they can be paid."""
            nonlocal X, y
            for point in points.numpy():
                place = draw.pool.nearest(point[None, :-1])
                examples = max(round(float(point[-1]) * full), 1)
                if not purse.grow(place, examples):
                    break
                told = np.append(draw.pool.X[place[0]], examples / full)
                X = torch.cat((X, torch.from_numpy(told)[None]))
                y = torch.cat((y, torch.from_numpy(purse.scores(place, examples))[None]))

        while purse.left > budget / 2:
            scored(self._random(draw.pool.dim))
        for _ in range(ceil(budget / 2 / (self.least * full * self.batch))):
            scored(self._proposed(self._model(X, y)))
        best, mean = self._best(self._model(X, y))
        place = int(draw.pool.nearest(best.numpy())[0])
        settings = int((purse.seen > 0).sum())
        return Step(at, MEAN, settings, int(purse.seen[place]), budget - purse.left, place, mean)

    def _random(self, dim: int) -> Tensor:
        point = torch.rand(1, dim + 1, dtype=torch.double)
        point[:, -1] = self.least + (1 - self.least) * point[:, -1]
        return point

    @staticmethod
    def _model(X: Tensor, y: Tensor) -> SingleTaskMultiFidelityGP:
        fidelity = X.shape[1] - 1
        model = SingleTaskMultiFidelityGP(X, y, data_fidelities=[fidelity], outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model

    def _best(self, model: SingleTaskMultiFidelityGP) -> tuple[Tensor, float]:
        """The setting of the highest posterior mean at full fidelity, of shape (1, d), and that mean."""
        dim = model.train_inputs[0].shape[-1] - 1
        known = FixedFeatureAcquisitionFunction(PosteriorMean(model), dim + 1, [dim], [1.0])
        box = torch.stack((torch.zeros(dim), torch.ones(dim))).double()
        point, value = optimize_acqf(
            known, box, q=1, num_restarts=self.restarts, raw_samples=2 * self.raw,
            options={"batch_limit": 10, "maxiter": self.steps},
        )  # fmt: skip
        return point.detach(), float(cast("Tensor", value))

    def _proposed(self, model: SingleTaskMultiFidelityGP) -> Tensor:
        dim = model.train_inputs[0].shape[-1] - 1
        cost = AffineFidelityCostModel(fidelity_weights={dim: 1.0}, fixed_cost=0.0)
        gain = qMultiFidelityKnowledgeGradient(
            model,
            num_fantasies=self.fantasies,
            current_value=torch.tensor([self._best(model)[1]], dtype=torch.double),
            cost_aware_utility=InverseCostWeightedUtility(cost),
            project=lambda X: project_to_target_fidelity(X, target_fidelities={dim: 1.0}, d=dim + 1),
        )
        box = torch.stack((torch.zeros(dim + 1), torch.ones(dim + 1))).double()
        box[0, dim] = self.least
        begin = gen_one_shot_kg_initial_conditions(
            gain, box, q=self.batch, num_restarts=self.restarts, raw_samples=self.raw
        )
        points, _ = optimize_acqf(
            gain, box, q=self.batch, num_restarts=self.restarts, raw_samples=self.raw,
            batch_initial_conditions=begin, options={"batch_limit": 5, "maxiter": self.steps},
        )  # fmt: skip
        return points.detach()
