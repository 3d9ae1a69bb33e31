"""Numbers as people read them."""

import pytest

from hpo_bench.display.words import counted, expense, listed, score, significant, verdicts


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


def test_scores_align_unless_three_decimals_do_not_tell_them_apart() -> None:
    assert [score(one, within=0.3) for one in (0.5214, -0.0004, 80169.0)] == ["0.521", "0.000", "80169.000"]
    assert [score(one, within=0.001) for one in (0.5001, 0.5009)] == ["0.5001", "0.5009"]


def test_small_expenses_are_not_rounded_to_nothing() -> None:
    told = [expense(one) for one in (0.0, 0.00186, 0.0555, 0.0999, 0.2, 12.4)]
    assert told == ["0.00", "0.0019", "0.056", "0.10", "0.20", "12.40"]


def test_words_follow_their_number() -> None:
    assert [counted(n, "run") for n in (0, 1, 2, 2100)] == ["0 runs", "1 run", "2 runs", "2,100 runs"]
    assert counted(3, "pair", "pairs of models") == "3 pairs of models"
    assert [listed(list(names)) for names in ("", "A", "AB", "ABC")] == ["", "A", "A and B", "A, B and C"]


@pytest.mark.parametrize(
    ("better", "worse", "undecided", "text"),
    [
        ("AB", "", "", "GP-BO is significantly better than A and B"),
        ("", "A", "", "GP-BO is significantly worse than A"),
        (
            "A",
            "B",
            "CD",
            "GP-BO is significantly better than A and worse than B; against C and D nothing is significant",
        ),
        ("", "", "AB", "Between GP-BO and each of A and B nothing is significant"),
        ("", "", "A", "Between GP-BO and A nothing is significant"),
    ],
)
def test_verdicts_are_a_sentence_whoever_is_missing(better: str, worse: str, undecided: str, text: str) -> None:
    assert verdicts("GP-BO", better=list(better), worse=list(worse), undecided=list(undecided)) == text
