from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from optimizers.gp.fit import minimise


@dataclass(frozen=True)
class Rosenbrock:
    """One valley for each steepness."""

    steepness: Tensor

    def __call__(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        a, b = x[:, 0], x[:, 1]
        valley = b - a**2
        value = self.steepness * valley**2 + (1 - a) ** 2
        by_a = -4 * self.steepness * a * valley - 2 * (1 - a)
        return value, torch.stack((by_a, 2 * self.steepness * valley), dim=1)

    def subset(self, rows: Tensor) -> "Rosenbrock":
        return Rosenbrock(self.steepness[rows])


START = torch.tensor([[-1.2, 1.0]], dtype=torch.double)


def test_every_problem_reaches_its_minimum() -> None:
    steepness = torch.tensor([1.0, 10.0, 100.0], dtype=torch.double)
    x, value = minimise(Rosenbrock(steepness), START.repeat(3, 1), tolerance=1e-8, evaluations=300)
    assert torch.allclose(x, torch.ones(3, 2, dtype=torch.double), atol=1e-6)
    assert value.max() < 1e-12


def test_company_changes_no_bit() -> None:
    steepness = torch.tensor([1.0, 10.0, 100.0], dtype=torch.double)
    together, _ = minimise(Rosenbrock(steepness), START.repeat(3, 1))
    for index in range(3):
        alone, _ = minimise(Rosenbrock(steepness[index : index + 1]), START)
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize("evaluations", [1, 2, 5])
def test_it_never_ends_higher_than_it_began(evaluations: int) -> None:
    objective = Rosenbrock(torch.tensor([100.0], dtype=torch.double))
    _, value = minimise(objective, START, evaluations=evaluations)
    assert value <= objective(START)[0]


def test_a_wall_is_stepped_back_from() -> None:
    class Wall(Rosenbrock):
        def __call__(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
            value, gradient = super().__call__(x)
            return value.masked_fill(x[:, 0] > 0.5, torch.inf), gradient

        def subset(self, rows: Tensor) -> "Wall":
            return Wall(self.steepness[rows])

    x, value = minimise(Wall(torch.tensor([1.0], dtype=torch.double)), START)
    assert torch.isfinite(value).all()
    assert x[0, 0] <= 0.5
