"""Scores of generated answers: each compares a response with the right answer and gives a number from 0 to 1."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.decoding.letters import chosen
from hpo_bench.evaluation.decoding.numbers import last_number
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.reading.form import compatible

Metric = Callable[..., float]
"""Of a response and one right answer or several; 1 is right."""

TEACHER_FORCED = "exact_match"
"""The metric that one pass over question and answer tells, without decoding."""
JUDGE = "judge"
"""What a pair's evaluation calls the metric that asks a model (`judging`)."""
TOLERANCE = 1e-3
"""Numbers that differ by less, relative to the right one, are equal: a benchmark rounds its answers."""
# A full stop before a digit is a decimal point.
_AROUND = re.compile(r"^(?:[ \"'`。]|\.(?!\d))+|[ \"'`.。]+$")
# Kana, ideographs and their marks: written without spaces, which some tokenizers leave between them.
_CJK = r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_CJK_SPACE = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
# Beside these, scripts of South-East Asia, and Hangul, Arabic and Hebrew, whose particles touch the word, a word ends
# without a space.
_TOUCHES = (
    r"[\u0590-\u06ff\u0750-\u077f\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_BEFORE, _AFTER = rf"(?:(?<!\w)|(?<={_TOUCHES})|(?={_TOUCHES}))", rf"(?:(?!\w)|(?={_TOUCHES})|(?<={_TOUCHES}))"
# A digit of 1.5, -5, 5,000 or 1,500 is no number of its own.
_SIGNED = r"(?<!\d\.)(?<![^\w.]\.)(?<!^\.)(?<![^\w)\]]-)(?<!^-)(?<!\d,(?=\d{3}(?!\d)))"
_POINT = r"(?!\.\d)(?!,\d{3}(?!\d))"

VOTERS = 10
"""So many people answered each question of VQA."""
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
# As the evaluation of VQA lists them, and what Markdown and other scripts put around words; what tells answers apart,
# such as % and $, stays.
_MARKS = re.compile(r"[;/\[\]\"{}()=+\\_<>@`,?!*“”„«»‹›「」『』、。-]|:(?!\d)")
_APOSTROPHES = str.maketrans("‘’", "''")
_DROPPED = re.compile(r"(?<=\d),(?=\d)|\.(?!\d)")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS)}}


def _any_of(metric: Callable[[str, str], float]) -> Metric:
    """Let a metric of one answer take several, of which the best counts."""

    @wraps(metric)
    def best(response: str, *answers: str) -> float:
        return max(metric(response, answer) for answer in answers)

    return best


def normalised(text: str) -> str:
    """Compatibility form, lower case, single spaces (none in Chinese or Japanese), no quotes or full stop around it."""
    folded = " ".join(_CJK_SPACE.sub("", compatible(text).casefold()).split())
    return _AROUND.sub("", folded)


@_any_of
def exact_match(response: str, answer: str) -> float:
    """Whether the response is the answer, but for case, spaces and a full stop."""
    wanted = normalised(answer)
    if not wanted:  # an answer of marks alone, which a response of nothing does not match
        return float(response.strip() == answer.strip())
    return float(normalised(response) == wanted)


@_any_of
def contains(response: str, answer: str) -> float:
    """Whether the answer stands in the response; as a word of its own, where it is one that spaces divide."""
    found, wanted = normalised(response), normalised(answer)
    if not wanted:
        return 0.0
    before, after = (_SIGNED if wanted[0].isdigit() else ""), (_POINT if wanted[-1].isdigit() else "")
    return float(re.search(f"{_BEFORE}{before}{re.escape(wanted)}{after}{_AFTER}", found) is not None)


@_any_of
def multiple_choice(response: str, answer: str) -> float:
    """Whether the letter that the response settles on (`letters.chosen`) is the answer's."""
    wanted = _letter(answer)
    return float(chosen(response, digits=wanted.isdigit()) == wanted)


@_any_of
def numeric(response: str, answer: str) -> float:
    """Whether the last number of the response (`numbers.last_number`) is the answer's, to one part in a thousand.

    Two whole numbers must be equal, as years and counts are not rounded. Where one of both is in per cent, the other
    may be that number or the share: 12% is 12 and .12.
    """
    found, wanted = last_number(response), last_number(answer)
    if found is None or wanted is None:
        return 0.0
    pairs = [(found.value, wanted.value)]
    if found.percent != wanted.percent:
        pairs += [(found.written, wanted.written)]
    tolerance = 0.0 if found.plain and wanted.plain else TOLERANCE
    return float(any(math.isclose(*pair, rel_tol=tolerance, abs_tol=1e-9) for pair in pairs))


def vqa(response: str, *answers: str) -> float:
    """Accuracy as VQA has it (Antol et al., 2015): three of ten people who gave the answer make it right.

    Each nine of the ten are asked whether three of them gave it, or else how many thirds; the mean counts. Case,
    articles, marks and number words make no difference. Of fewer than ten answers any is right.
    """
    said, given = _plainly(response), [_plainly(answer) for answer in answers]
    if len(given) < VOTERS:
        return float(said in given)
    alike = given.count(said)
    without = [alike - (one == said) for one in given]
    return sum(min(1.0, count / 3) for count in without) / len(given)


def _plainly(text: str) -> str:
    """A text as VQA's own evaluation compares it, but for further marks, and its list of misspelt contractions.

    An answer of an article or marks alone, such as the letter A, stays: a response of nothing is not it.
    """
    said = normalised(text.translate(_APOSTROPHES))
    bare = _ARTICLES.sub(" ", _MARKS.sub(" ", _DROPPED.sub("", said)))
    return " ".join(_WORDS.get(word, word) for word in bare.split()) or said or text.strip()


METRICS: Mapping[str, Metric] = {
    "exact_match": exact_match,
    "multiple_choice": multiple_choice,
    "contains": contains,
    "numeric": numeric,
    "vqa": vqa,
}
_VERSIONS: Mapping[str, int] = {
    "exact_match": 2, "multiple_choice": 3, "contains": 4, "numeric": 4, "vqa": 3, JUDGE: 4
}  # fmt: skip
"""Raised when the same response may score otherwise than before."""


def scoring_version(metric: str, *, decoded: bool = True) -> int:
    """Of how a metric reads a response: scores of different versions are not of one study.

    Args:
        metric: A key of `METRICS`, or "judge"; of anything else the version is 1.
        decoded: Whether there are responses; where one teacher-forced pass tells, tokens are compared, as ever.
    """
    return _VERSIONS.get(metric, 1) if decoded or metric != TEACHER_FORCED else 1


# What an answer lacks that no response could then be right by; empty where it lacks nothing.
_LACKS: Mapping[str, Callable[[str], str]] = {
    "multiple_choice": lambda answer: "" if re.fullmatch(r"[A-Z0-9]", _letter(answer)) else "is no single letter",
    "contains": lambda answer: "" if normalised(answer) else "holds nothing but marks",
    "numeric": lambda answer: _no_number(answer),
}


def check_answers(metric: str, answers: Iterable[tuple[str, str]], source: str) -> None:
    """Refuse right answers by which every response would be wrong.

    Args:
        metric: A key of `METRICS`, or any other, which takes all answers.
        answers: Ids and right answers.
        source: The file that they are from, for the message.

    Raises:
        UsageError: If there are any; all are counted and the first one is named.
    """
    lacks = _LACKS.get(metric, lambda _: "")
    flawed = [(one, answer, lack) for one, answer in answers if (lack := lacks(answer))]
    if flawed:
        one, answer, lack = flawed[0]
        raise UsageError(
            f"{source}: by the metric {metric} every response to {len(flawed)} of its questions would be wrong: the "
            f"right answer of {one!r}, {answer[:60]!r}, {lack}; correct it, or choose another metric"
        )


def _no_number(answer: str) -> str:
    found = last_number(answer)
    if found is None:
        return "holds no number"
    if found.behind_comma:
        return "has a comma between digits that divides no thousands, so that what follows it would be compared alone"
    return ""


def _letter(answer: str) -> str:
    return unicodedata.normalize("NFKC", answer).strip().strip("().").upper()


class Scores(Protocol):
    """Scores responses, perhaps for money."""

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores from 0 to 1, of shape (n,), and dollars.

        Raises:
            EvaluationError: If responses cannot be scored.
        """
        ...


@dataclass(frozen=True, slots=True)
class ByRule:
    """Scores each response by a metric.

    Attributes:
        metric: Compares it with the right answers.
    """

    metric: Metric

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores, for nothing."""
        pairs = zip(examples, responses, strict=True)
        scores = [self.metric(said, *example.answers) for example, said in pairs]
        return np.array(scores), 0.0
