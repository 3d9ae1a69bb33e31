"""Our constrained improvement against BoTorch's, and what a run makes of margins."""

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement
from botorch.models import ModelListGP

from optimizers.gp.constraint import ConstrainedImprovement, chance, leading
from optimizers.gp.model import Model
from optimizers.gp_bo import GpBo


@pytest.fixture(scope="module")
def data():
    """Synthetic: the score grows along the first axis, and the margin falls."""
    X = np.random.default_rng(0).random((14, 2))
    return X, X[:, 0] + 0.1 * np.sin(5 * X[:, 1]), 0.6 - X[:, 0] - 0.2 * X[:, 1] ** 2


def test_it_is_botorchs_in_the_units_of_the_scores(data) -> None:
    X, scores, margins = data
    score, margin = Model.fit(X, scores), Model.fit(X, margins)
    ours = ConstrainedImprovement.of(score.posterior, [margin], torch.from_numpy(X[None]))
    best = score.offset + score.scale * ours.incumbent.item()
    both = ModelListGP(score.botorch(), margin.botorch())
    theirs = LogConstrainedExpectedImprovement(both, best, 0, {1: (0.0, None)})
    places = np.random.default_rng(1).random((200, 2))
    expected = theirs(torch.from_numpy(places)[:, None, :]).numpy()
    found = ours(torch.from_numpy(places)[None])[0].numpy() + np.log(score.scale)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_without_anything_feasible_the_probability_alone_counts(data) -> None:
    X, scores, margins = data
    score, margin = Model.fit(X, scores), Model.fit(X, margins - 2.0)
    ours = ConstrainedImprovement.of(score.posterior, [margin], torch.from_numpy(X[None]))
    assert ours.incumbent.isnan().all()
    places = np.random.default_rng(1).random((200, 2))
    assert ours(torch.from_numpy(places)[None])[0].exp().numpy() == pytest.approx(chance(*margin.predict(places)))


def test_the_likely_feasible_rank_first() -> None:
    means = np.array([3.0, 2.0, 1.0])
    assert leading(means, np.array([0.4, 0.5, 0.9])) == 1
    assert leading(means, np.array([0.1, 0.2, 0.3])) == 2


def test_runs_with_and_without_margins_go_together_as_they_go_alone() -> None:
    def tell(optimizer, x) -> None:
        margin = 0.6 - float(x[0]) if optimizer.seed else None
        optimizer.tell(x, float(x.sum()), margin=margin)

    group = [GpBo(2, seed=seed, budget=8) for seed in (0, 1)]
    for _ in range(8):
        for optimizer, x in zip(group, GpBo.ask_many(group), strict=True):
            tell(optimizer, x)
    for together in group:
        alone = GpBo(2, seed=together.seed, budget=8)
        for _ in range(8):
            tell(alone, alone.ask())
        assert np.array_equal(alone.history[0], together.history[0])


def test_points_with_a_score_and_no_margin_are_no_part_of_the_margins_model() -> None:
    optimizer = GpBo(2, seed=0, budget=9)
    optimizer.tell([0.9, 0.9], 1.8, known=True)
    for _ in range(9):
        x = optimizer.ask()
        optimizer.tell(x, float(x.sum()), margin=1.0 - float(x.sum()))
    assert optimizer.recommend().sum() <= 1.02
