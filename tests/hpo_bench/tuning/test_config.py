"""What decides which trials are made and what they mean."""

from dataclasses import replace
from typing import Any

import pytest

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods.dare import Dare
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig


class One(Dare):
    name, label = "own", "One"


class Two(Dare):
    name, label = "own", "Two"


class Three(Dare):
    name, label = "other", "Two"


@pytest.mark.parametrize("others", [("One", "Two"), ("Two", "Three")])
def test_methods_that_a_line_or_a_file_would_mix_up_do_not_race(small_pair: Pair, others: tuple[str, ...]) -> None:
    methods = [f"{__name__}:{name}" for name in others]
    with pytest.raises(UsageError, match=f"{' and '.join(methods)} are one method, or share a `label` or `name`"):
        StudyConfig.of(small_pair, methods=["ta", *methods])
    StudyConfig.of(small_pair, methods=["ta", f"{__name__}:One", f"{__name__}:Three"])


@pytest.mark.parametrize(
    ("evaluation", "differs"),
    [
        ({}, False),
        ({"metric": "exact_match"}, False),
        ({"generate": True}, True),
        ({"kind": "vllm"}, True),
        ({"metric": "numeric"}, True),
        ({"kind": "python", "function": "a:b"}, False),
    ],
)
def test_a_study_whose_metric_read_responses_otherwise_is_another(
    small_pair: Pair, evaluation: dict[str, Any], differs: bool
) -> None:
    now = StudyConfig.of(replace(small_pair, evaluation=evaluation), optimizer="random", examples_each=40)
    assert (now.scoring_version != 1) == differs


def test_a_study_that_kept_a_secret_before_goes_on(small_pair: Pair) -> None:
    pair = replace(small_pair, evaluation={"kind": "command", "command": ["./judge", "--api-key", "x9"]})
    now = StudyConfig.of(pair, optimizer="random", examples_each=40)
    assert "x9" not in str(now.as_dict())
    before = replace(now, evaluation=pair.evaluation).as_dict()
    assert "x9" in str(before)
    now.check_same(StudyConfig.from_dict(before), "s")
