"""Acquisition functions that draw from a joint posterior, against those in closed form."""

import numpy as np
import pytest
import torch
from botorch.sampling import SobolQMCNormalSampler

from optimizers.gp.acquisition import LogExpectedImprovement
from optimizers.gp.constraint import ConstrainedImprovement
from optimizers.gp.model import Model
from optimizers.gp.sampled import feasibility, noisy_improvement


@pytest.mark.parametrize(("allowed", "unit"), [(None, 1e-6), (0.6, 1e6), (0.02, 1e6)])
def test_beside_a_pending_point_that_is_known_it_is_the_closed_form(allowed: float | None, unit: float) -> None:
    """Synthetic: scores without noise, so that the best is certain; of those allowed 0.02 none is feasible."""
    X = np.random.default_rng(0).random((14, 2))
    known, places = torch.from_numpy(X), torch.from_numpy(np.random.default_rng(1).random((400, 2)))
    score = Model.fit(X, unit * (X[:, 0] + 0.1 * np.sin(5 * X[:, 1])))
    exact = LogExpectedImprovement(score.posterior, score.posterior.predict(known[None])[0].amax(1))
    build = noisy_improvement(score, None, known, known[:1])
    if allowed is not None:
        margin = Model.fit(X, unit * (allowed - X[:, 0] - 0.2 * X[:, 1] ** 2))
        exact = ConstrainedImprovement.of(score.posterior, [margin], known[None])
        hopeless = bool(exact.incumbent.isnan())
        assert hopeless == (allowed == 0.02)
        build = feasibility(margin, known[:1]) if hopeless else noisy_improvement(score, margin, known, known[:1])
    with torch.no_grad():
        found = build(SobolQMCNormalSampler(torch.Size([2048]), seed=0))(places[:, None])
    expected = exact(places[None])[0]
    likely = expected > expected.max() - 1.5
    assert found[likely].numpy() == pytest.approx(expected[likely].numpy(), abs=0.02)
