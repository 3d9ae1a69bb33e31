"""Findings on SYNTHETIC results, whose truth is known."""

from collections.abc import Mapping

import numpy as np
import pytest

from hpo_bench.analyses import paper
from hpo_bench.errors import ResultsError
from hpo_bench.experiments.methods.findings import NAMES, Sample, claims, consistency, score_table
from hpo_bench.experiments.methods.lineup import BASE, EVERYBODY, METHODS
from hpo_bench.experiments.methods.measured import Measured, PairResult

CATEGORIES = {f"e{i:03d}": "skill" if i % 2 else "general" for i in range(400)}


def synthetic(pair: str, domain: str, rates: Mapping[str, float], *, seed: int = 0) -> PairResult:
    """SYNTHETIC: contender `name` answers each example right with probability `rates[name]`, or that of the base."""
    rng = np.random.default_rng(seed)
    ease = rng.random(len(CATEGORIES))
    measured = {}
    for name in NAMES:
        right = (ease < rates.get(name, rates[BASE.name])).astype(float)
        measured[name] = Measured(name, {}, dict(zip(CATEGORIES, right.tolist(), strict=True)), CATEGORIES, 1.0)
    return PairResult(pair, domain, "Synthetic", True, measured)


def world(gains: Mapping[str, float], **methods: float) -> list[PairResult]:
    """SYNTHETIC: three pairs a domain, where every method gains what the domain gains, and some a little more."""
    rates = {one.name: methods.get(one.name, 0.0) for one in METHODS}
    return [
        synthetic(
            f"{domain}-{copy}",
            domain,
            {BASE.name: 0.3, **{name: 0.3 + gain + more for name, more in rates.items()}},
            seed=10 * index + copy,
        )
        for index, (domain, gain) in enumerate(gains.items())
        for copy in range(3)
    ]


def judged(results: list[PairResult], seed: int = 0) -> dict[str, str]:
    sample = Sample(results, rng=np.random.default_rng(seed), replicates=500)
    return {claim.text: claim.verdict for claim in claims(sample)}


STUDY_LIKE = {"language": 0.1, "maths": 0.01, "instructions": 0.3}
CLASSIC_FIRST = {"ta": 0.2, "dare": 0.17, "ties": 0.12, "nan": 0.08, "regmean": 0.05}


def test_the_study_holds_where_it_was_made_to_hold() -> None:
    found = judged(world(STUDY_LIKE, **CLASSIC_FIRST))
    expected = [text for text in found if "stable" not in text]
    assert {found[text] for text in expected} == {"holds"}


def test_the_opposite_is_said_to_be_so() -> None:
    reverse = {"language": -0.1, "maths": 0.2, "instructions": -0.2}
    found = judged(world(reverse, ta=-0.1, dare=-0.25, ties=0.0, nan=0.0, wudi=0.1, fisher=0.1))
    for text in (
        "Merging improves language ability",
        "Language transfers better than maths",
        "Instruction following transfers better than maths",
        "Classic methods beat the others",
        "Task Arithmetic beats TIES",
        "NAN is the best tuning-free method",
        "RegMean beats Fisher",
    ):
        assert found[text] == "does not hold", text


def test_equal_methods_are_undecided_and_absent_domains_have_no_data() -> None:
    found = judged(world({"language": 0.1}))
    assert found["Task Arithmetic beats TIES"] == "undecided"
    assert found["Merging improves language ability"] == "holds"
    assert found["Language transfers better than maths"] == "no data"
    assert found["DARE improves on the base VLM in maths"] == "no data"


def test_one_pair_has_no_spread_over_pairs() -> None:
    assert judged(world({"language": 0.1})[:1])["Classic methods are more stable"] == "no data"


def test_an_interval_of_one_pair_is_that_of_the_paired_difference() -> None:
    (result,) = world({"language": 0.1})[:1]
    sample = Sample([result], rng=np.random.default_rng(0))
    interval = sample.mean(["ta"], over=[BASE.name]).interval
    table = score_table(result)
    difference = table[NAMES.index("ta")] - table[NAMES.index(BASE.name)]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    assert interval.value == pytest.approx(difference.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_pairs_that_differ_widen_the_interval_and_the_same_seed_repeats_it() -> None:
    alike = [synthetic(f"p{i}", "maths", {BASE.name: 0.3, "ta": 0.4}, seed=i) for i in range(3)]
    apart = [synthetic(f"p{i}", "maths", {BASE.name: 0.3, "ta": 0.3 + 0.2 * i}, seed=i) for i in range(3)]

    def width(results: list[PairResult], seed: int = 0) -> float:
        interval = Sample(results, rng=np.random.default_rng(seed)).mean(["ta"], over=[BASE.name]).interval
        return interval.high - interval.low

    assert width(apart) > 3 * width(alike)
    assert width(apart) == width(apart)
    assert width(apart, seed=1) != width(apart)


def test_the_skill_alone_leaves_out_other_examples() -> None:
    result = synthetic("p", "maths", {BASE.name: 0.3, "ta": 0.5})
    skill = [one for one, category in CATEGORIES.items() if category == "skill"]
    expected = np.mean([result.measured["ta"].scores[one] for one in skill])
    sample = Sample([result], rng=np.random.default_rng(0), skill_only=True, replicates=10)
    assert sample.scores[0, NAMES.index("ta")] == expected


def test_cases_are_counted() -> None:
    results = [
        synthetic("a", "maths", {BASE.name: 0.5, **{one.name: 0.4 for one in METHODS}, "ta": 0.6}),
        synthetic("b", "language", {BASE.name: 0.2, **{one.name: 0.4 for one in METHODS}, "fisher": 0.6}),
    ]
    found = consistency(Sample(results, rng=np.random.default_rng(0), replicates=10))
    assert found["merges in maths that do not beat the base VLM"] == (8, 9)
    assert found["merges elsewhere that do not beat the base VLM"] == (0, 9)
    assert found["pairs whose best method is classic"] == (1, 2)
    assert found["pairs where every classic method beats all others"] == (0, 2)
    # SYNTHETIC swap-ins score as the base VLM does: pair a's eight losers fall short of it, pair b's do not.
    assert found["merges that do not beat the expert swapped in"] == (8, 18)


def test_everybody_must_have_answered_the_same_examples() -> None:
    result = synthetic("p", "maths", {BASE.name: 0.3})
    fewer = {k: v for k, v in CATEGORIES.items() if k != "e000"}
    other = Measured("ta", {}, dict.fromkeys(fewer, 1.0), fewer, 1.0)
    with pytest.raises(ResultsError, match="ta was scored on other examples than vlm"):
        PairResult("p", "maths", "Synthetic", True, {**result.measured, "ta": other})


def test_the_studys_tables_are_those_of_its_text() -> None:
    gains = paper.gains()
    methods = [one.study for one in METHODS]
    mean = {domain: np.mean([gains[m][domain] for m in methods]) for domain in ("language", "instructions")}
    # Section 3 says 3.4 and 28.1; these are what its own table gives.
    assert mean["language"] == pytest.approx(3.18, abs=0.01)
    assert mean["instructions"] == pytest.approx(29.57, abs=0.01)
    vista = paper.scores().query("benchmark == 'MathVista-math' and method != 'Base VLM'")["gain"].mean()
    assert vista == pytest.approx(1.05, abs=0.15)
    averages = paper.scores().groupby("method")["score"].mean()
    assert averages["TA"] == pytest.approx(38.0, abs=0.05)
    assert averages["NaN"] == pytest.approx(37.1, abs=0.06)
    assert averages["Base VLM"] == pytest.approx(20.4, abs=0.05)
    assert set(paper.merge_seconds()) == set(methods)
    assert paper.merge_seconds()["Fisher"] == 9461.564
    assert paper.tuning_cost()["WildVision"] == (8044.11, 45.006)
    assert {one.study for one in EVERYBODY if one.study} == set(gains)
