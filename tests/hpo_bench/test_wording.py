"""Numbers as people read them."""

import pytest

from hpo_bench.wording import significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4321, "0.432"),
        (0.5, "0.5"),
        (61.25, "61.2"),
        (999.7, "1000"),
        (80169.0, "80169"),
        (-8e4, "-80000"),
        (1.5e6, "1.5e6"),
        (0.00021, "0.00021"),
        (1e-5, "1e-5"),
        (-8.0246e-6, "-8.02e-6"),
        (3.99e299, "3.99e299"),
        (0.0, "0"),
        (-0.0, "0"),
    ],
)
def test_three_digits_at_any_scale(value: float, text: str) -> None:
    assert significant(value) == text


def test_as_many_digits_as_tell_a_range_apart() -> None:
    assert significant(98.7654, within=0.2) == "98.765"
    assert significant(98.7654, within=50.0) == "98.8"
    assert significant(1000.0123, within=0.1) == "1000.012"
    assert significant(3e-14, within=1.0) == "0"
    assert significant(3e-14, within=1e-10) == "3e-14"
