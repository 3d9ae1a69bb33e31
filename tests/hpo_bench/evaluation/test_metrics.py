"""Metrics of generated answers."""

import pytest

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.metrics import (
    METRICS,
    check_answers,
    contains,
    exact_match,
    multiple_choice,
    numeric,
    scoring_version,
    vqa,
)


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        (" A  Dog. ", "a dog", True),
        ("犬。", "犬", True),
        ("ＤＯＧ", "dog", True),
        ("パ ン ダ", "パンダ", True),
        ("hot dog", "hotdog", False),
        ("a dog and a cat", "a dog", False),
        ("", "a dog", False),
        ("", ".", False),
        (" . ", ".", True),
        (".5", "5", False),
        (".5.", ".5", True),
        ("102", "10²", False),
        ("10^2", "10²", True),
        ("2 1/2", "2½", True),
        ("5 m2", "5 m²", True),
        ("caf\u0065\u0301", "café", True),
        ("חתול", "\u202bחתול\u202c", True),
        ("ca\u00adt", "\ufeffcat\u200b", True),
    ],
)
def test_exact_match_forgives_form_alone(response: str, answer: str, right: bool) -> None:
    assert exact_match(response, answer) == right


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        ("It is a cat.", "cat", True),
        ("It is a category.", "cat", False),
        ("これは犬です", "犬", True),
        ("答えは42です", "42", True),
        ("東京タワーは333mです", "333m", True),
        ("東京タワーは1333mです", "333m", False),
        ("これはTokyoです", "Tokyo", True),
        ("정답은 42입니다", "42", True),
        ("un café", "caf", False),
        ("который", "кот", False),
        ("Это кот.", "кот", True),
        ("dafür", "für", False),
        ("13匹います", "3匹", False),
        ("3匹います", "3匹", True),
        ("고양이는", "고양이", True),
        ("it costs 1.5", "5", False),
        ("it costs 5.", "5", True),
        ("it costs 3.14", "3", False),
        ("it is -5", "5", False),
        ("it is -5", "-5", True),
        ("5,000 of them", "5", False),
        ("of 3, 5 and 7", "5", True),
        ("x=-5", "5", False),
        ("$-5$", "5", False),
        ("x=-5", "-5", True),
        ("10-5", "5", True),
        ("1,500 of them", "500", False),
        ("of 5, 500 and 7", "500", True),
        ("الكتاب على الطاولة", "كتاب", True),
        ("בבית", "בית", True),
        ("anything", "", False),
    ],
)
def test_contains_finds_words_and_not_parts_of_words(response: str, answer: str, right: bool) -> None:
    assert contains(response, answer) == right


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        ("B", "B", True),
        ("b", "B", True),
        ("(B) because", "B", True),
        ("A dog is seen, so the answer is (C).", "C", True),
        ("The answer is A. No: the answer is D", "D", True),
        ("B", "C", False),
        ("Because", "B", False),
        ("", "B", False),
        ("答えはBです。", "B", True),
        ("Bです", "B", True),
        ("選択肢B", "B", True),
        ("答案是B", "B", True),
        ("选B", "B", True),
        ("답은 B입니다", "B", True),
        ("正解はＢです", "B", True),
        ("Ｂ", "B", True),
        ("Answer: Ｂ", "B", True),
        ("B", "Ｂ", True),
        ("AとCのうち、Cが正解です", "C", True),
        ("B. Option A shows a cat.", "B", True),
        ("Answer: B, because choice A is a cat", "B", True),
        ("The answer is a dog, so B", "B", True),
        ("answer: b", "B", True),
        ("I think B", "B", True),
        ("I'd say C", "C", True),
        ("C'est la réponse B", "B", True),
        ("D’après l’image, c’est A", "A", True),
        ("B's the one", "B", True),
        ("I think that it is (b).", "B", True),
        ("option (d)", "D", True),
        ("(a) is a cat, but (c) is correct", "C", True),
        ("The object(s) in (i) and (ii) are cats, so B", "B", True),
        ("A dog is seen.", "A", False),
        ("A because a dog is seen", "A", True),
        ("Of A and B, B is the correct one", "B", True),
        ("The final answer is $\\boxed{\\text{C}}$.", "C", True),
        ("<answer>D</answer>", "D", True),
        ("**B**", "B", True),
        ("**B) a dog**", "B", True),
        ("The answer is 3.", "3", True),
        ("I would choose option B.", "B", True),
    ],
)
def test_multiple_choice_reads_the_letter_that_is_meant(response: str, answer: str, right: bool) -> None:
    assert multiple_choice(response, answer) == right


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        ("so 3 + 4 = 7", "7", True),
        ("1,234.5", "1234.5", True),
        ("-3e2", "-300", True),
        ("about 1/2", "0.5", True),
        ("50%", "0.5", True),
        ("3.1416", "3.14159", True),
        ("3.2", "3.14159", False),
        ("none", "3", False),
        ("1/0", "3", False),
        ("−5", "-5", True),
        ("12 %", "12%", True),
        ("12 percent", "12%", True),
        ("12パーセント", "12%", True),
        ("12 percent", "12", True),
        ("12%", "0.12", True),
        ("12%", "1200", False),
        ("1\u202f234", "1234", True),
        ("1 234", "1234", False),
        ("25 m²", "25", True),
        ("2", "25 m²", False),
        ("25 cm^2", "25 cm2", True),
        ("9.8 m s^{-2}", "9.8", True),
        ("4", "¾", False),
        ("0.75", "¾", True),
        ("2.5", "2½", True),
        ("2 1/2", "2.5", True),
        ("\\boxed{\\frac{3}{4}}", "0.75", True),
        ("4", "\\frac{3}{4}", False),
        ("-\\frac{3}{4}", "-.75", True),
        ("1{,}000", "1000", True),
        ("50\\%", "0.5", True),
        ("3.2 × 10⁵", "320000", True),
        ("3.2 \\times 10^{5}", "320000", True),
        ("5", "10^5", False),
        ("105", "10⁵", False),
        ("2^10", "1024", True),
        ("1,00,000", "100000", True),
        ("5 to 10-20", "20", True),
        ("USD100", "100", True),
        ("12 of H2O", "12", True),
        ("2019", "2020", False),
        ("2020.4", "2020", True),
        ("1e999", "3", False),
        ("3 + 2 = **5**", "5", True),
        ("So 12 - 4 = **8 apples**.", "8", True),
        ("1. First\n2. **7**", "7", True),
        ("答えは3+2=**5**です", "5", True),
        ("3 boxes are**5**", "5", True),
        ("3 + 2 = __5__", "5", True),
        ("3 + 2 = _5_", "5", True),
        ("2**3", "8", True),
        ("2 ** 3", "8", True),
        ("9 = x**2", "9", True),
        ("3 = x_{12}", "3", True),
        ("25 cm$^2$", "25", True),
        ("Step 2\n3/4", "3/4", True),
        ("\\sqrt{8}\\approx2.83", "2.83", True),
        ("3\\cdot10^5", "300000", True),
        ("\\boxed{\\frac12}", "0.5", True),
        ("2\\frac{1}2", "2.5", True),
        ("-\\frac12", "-0.5", True),
    ],
)
def test_numeric_compares_the_last_number(response: str, answer: str, right: bool) -> None:
    assert numeric(response, answer) == right


@pytest.mark.parametrize(
    ("metric", "answer", "lack"),
    [
        ("multiple_choice", "dog", "is no single letter"),
        ("multiple_choice", "B. dog", "is no single letter"),
        ("numeric", "dog", "holds no number"),
        ("numeric", "3,5", "has a comma between digits that divides no thousands"),
        ("contains", "'.'", "holds nothing but marks"),
    ],
)
def test_answers_by_which_every_response_would_be_wrong_are_refused(metric: str, answer: str, lack: str) -> None:
    with pytest.raises(UsageError, match=rf"e\.csv: by the metric {metric} every response to 2 .* of 'b', .*, {lack}"):
        check_answers(metric, [("a", "7"), ("b", answer), ("c", answer)], "e.csv")


@pytest.mark.parametrize("metric", [*METRICS, "judge"])
def test_what_check_passes_can_be_right(metric: str) -> None:
    for answer in ("(B)", "c", "7") if metric == "multiple_choice" else ("3", "-1,200.5", "1/2"):
        check_answers(metric, [("a", answer)], "e.csv")
        assert metric == "judge" or METRICS[metric](answer, answer) == 1.0


@pytest.mark.parametrize(
    ("response", "votes", "score"),
    [
        ("yes", 0, 0.0),
        ("yes", 1, 0.3),
        ("yes", 2, 0.6),
        ("yes", 3, 0.9),
        ("yes", 4, 1.0),
        ("Yes.", 10, 1.0),
    ],
)
def test_three_of_ten_people_make_an_answer_right(response: str, votes: int, score: float) -> None:
    """As the evaluation of VQA averages over every nine of them."""
    answers = ["yes"] * votes + ["no"] * (10 - votes)
    assert vqa(response, *answers) == pytest.approx(score)


@pytest.mark.parametrize(
    ("response", "answer", "right"),
    [
        ("The two dogs!", "2 dogs", True),
        ("1.5", "1.5", True),
        ("1.5", "15", False),
        ("cat's", "cats", False),
        ("1,000", "1000", True),
        ("None", "0", True),
        ("U.S.", "US", True),
        ("50", "50%", False),
        ("$5", "5", False),
        ("**cat**", "cat", True),
        ("Cat:", "cat", True),
        ("10:30", "1030", False),
        ("“cat”", "cat", True),
        ("「猫」", "猫", True),
        ("mother’s", "mother's", True),
        ("", "A", False),
        ("the", "A", False),
        ("a", "A", True),
    ],
)
def test_articles_marks_and_number_words_make_no_difference_to_vqa(response: str, answer: str, right: bool) -> None:
    assert vqa(response, answer) == right


def test_any_of_several_answers_is_right_by_the_others() -> None:
    assert exact_match("cat", "dog", "cat") == contains("a cat", "dog", "cat") == numeric("4", "3", "4") == 1.0
    assert exact_match("cow", "dog", "cat") == 0.0


def test_only_what_reads_responses_otherwise_has_another_version() -> None:
    assert scoring_version("exact_match", decoded=False) == scoring_version("None") == 1
    assert scoring_version("exact_match") > 1
    assert scoring_version("numeric") == scoring_version("numeric", decoded=False) > 1
