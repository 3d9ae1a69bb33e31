"""What any optimiser must do to be one: a suite for ours and for yours.

With pytest:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(MyOptimizer)

Without: `check_all(MyOptimizer)`. Every check takes the class and nothing else; to check options, wrap them in a
subclass. A check that fails raises `ConformanceError`, an AssertionError that says what was wrong.
"""

from collections.abc import Callable
from functools import wraps

from optimizers.base import Optimizer
from optimizers.conformance.harness import BUDGET, GROUP_TOLERANCE, LONG, ConformanceError, blamed, settings_kept
from optimizers.conformance.protocol import (
    budget_is_exact,
    class_can_be_named_and_made,
    known_points_join_the_history,
    pending_points_are_kept_apart,
    points_lie_in_the_cube,
    settings_are_plain,
    start_comes_first,
    unknown_points_are_refused,
)
from optimizers.conformance.repetition import (
    company_does_not_matter,
    global_state_is_left_alone,
    replay_resumes,
    seed_and_history_decide,
    seeds_differ,
    workers_replay,
)
from optimizers.conformance.scores import (
    constant_scores_are_survived,
    failures_are_survived,
    margins_are_kept,
    recommendation_is_a_success,
    scores_lead_uphill,
    units_do_not_matter,
)

__all__ = ["BUDGET", "CHECKS", "GROUP_TOLERANCE", "LONG", "ConformanceError", "check_all"]

Check = Callable[[type[Optimizer]], None]


def _told(check: Check) -> Check:
    """The check, with whatever the optimiser raises in it as a `ConformanceError`."""

    @wraps(check)
    def told(cls: type[Optimizer]) -> None:
        with settings_kept(), blamed(cls, check.__name__):
            check(cls)

    return told


_CHECKS: tuple[Check, ...] = (
    class_can_be_named_and_made,
    # Before all others, while the class remembers nothing of other runs, if it remembers any.
    seed_and_history_decide,
    points_lie_in_the_cube,
    seeds_differ,
    budget_is_exact,
    scores_lead_uphill,
    failures_are_survived,
    constant_scores_are_survived,
    units_do_not_matter,
    replay_resumes,
    workers_replay,
    company_does_not_matter,
    unknown_points_are_refused,
    known_points_join_the_history,
    pending_points_are_kept_apart,
    global_state_is_left_alone,
    start_comes_first,
    recommendation_is_a_success,
    margins_are_kept,
    settings_are_plain,
)
CHECKS = tuple(map(_told, _CHECKS))


def check_all(cls: type[Optimizer]) -> None:
    """Runs every check.

    Raises:
        ConformanceError: If one of them fails.
    """
    for check in CHECKS:
        check(cls)
