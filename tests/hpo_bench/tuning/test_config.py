"""What decides which trials are made and what they mean."""

from dataclasses import replace
from typing import Any

import pytest

from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig


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
