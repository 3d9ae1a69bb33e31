import pytest

from hpo_bench.testing import CHECKS, ConformanceError, check_all
from optimizers.random_search import RandomSearch
from optimizers.sobol import Sobol


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_public_suite_takes_the_readmes_form(check) -> None:
    check(Sobol)


def test_a_broken_optimiser_is_named_with_its_fault() -> None:
    class Once(RandomSearch):
        """Recommends what was never told."""

        def recommend(self):
            return self._generator(99).random(self.dim)

    with pytest.raises(ConformanceError, match="the best point is known, and another is recommended"):
        check_all(Once)
