"""Before anything is paid for: what there is without tuning, and a published score."""

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tuning_toys import in_this_process

from hpo_bench.cli import cli
from hpo_bench.display.console import PlainConsole
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.preflight import Preflight, PreflightAnswer
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.closing import REFERENCES
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.planning.questions import ask_references, compare_published
from hpo_bench.tuning.run import dry_run
from hpo_bench.tuning.trial import Answers, Failure, Job, Success, TrialCost


def asked(pair: Pair, **options: Any) -> str:
    printed = StringIO()
    console, evaluation = PlainConsole(file=printed, width=300), StudyConfig.of(pair, optimizer="random")
    dry_run(pair, evaluation, RunOptions(), console=console, open_pool=in_this_process(pair), **options)
    return printed.getvalue()


def test_what_there_is_without_tuning_is_asked_the_same_questions(
    small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = asked(small_pair, published=2)
    assert "Without tuning, on 8 validation examples, asked through the processor's chat template" in printed
    head = next(line for line in printed.splitlines() if "right answer" in line)
    assert [name for name in REFERENCES if name in head] == list(REFERENCES)
    for name in REFERENCES:
        assert f"\n{name}: score " in printed
    assert "standard errors away: likely something is asked or scored otherwise there" in printed
    assert "Warning: the base VLM scores " in printed
    assert list(tmp_path.iterdir()) == [small_pair.folder]


def fake(scores: list[float]) -> Success:
    ids = tuple(map(str, range(len(scores))))
    return Success({"validation": Answers(ids, ids, np.array(scores))}, "", TrialCost())


@pytest.mark.parametrize(
    ("scores", "published", "far", "told"),
    [
        ([1.0, 0.0] * 50, 50.0, False, "scores 50.0 (standard error 5.0) on 100 validation examples; 50 is published"),
        ([1.0, 0.0] * 50, 64.0, False, "2.8 standard errors away"),
        ([1.0, 0.0] * 50, 66.0, True, "3.2 standard errors away: likely"),
        ([0.0] * 100, 5.0, False, "scores 0.0 (standard error 2.2)"),
        ([0.0] * 100, 37.5, True, "7.7 standard errors away"),
        ([1.0] * 4, 100.0, False, "0.0 standard errors away"),
        ([0.0] * 4, 100.0, True, "inf standard errors away"),
    ],
)
def test_a_published_score_that_is_far_away_is_told(
    scores: list[float], published: float, far: bool, told: str
) -> None:
    found = compare_published(lambda job: fake(scores), published)
    assert found[0] == far
    assert told in found[1]


def test_one_that_fails_is_told_and_the_others_shown_but_the_base_vlm_must_answer() -> None:
    answers = (PreflightAnswer("a", "Q: [/INST]", "yes", "no", 0.5),)

    def run(job: Job) -> Success | Failure:
        if job.setting == REFERENCES["expert swapped in"]:
            return Failure("endless", "it repeats itself")
        assert job.examples == (() if job.setting == REFERENCES["base VLM"] else ("a",))
        return Success({}, "", TrialCost(eval_seconds=2.0), preflight=Preflight(answers, "", ("a note",)))

    printed = StringIO()
    ask_references(run, PlainConsole(file=printed, width=200))
    for line in (
        "Q: [/INST]", "no (0.5)", "base VLM: score 50.0, 2 s", "half and half: score 50.0, 2 s",
        "expert swapped in: cannot be evaluated (endless: it repeats itself)", "Note: a note.",
    ):  # fmt: skip
        assert line in printed.getvalue()
    assert printed.getvalue().count("a note") == 1
    with pytest.raises(TuningError, match="the base VLM cannot be evaluated, and so no merge can: raised: no luck"):
        ask_references(lambda job: Failure("raised", "no luck"), PlainConsole(quiet=True))


def test_a_published_score_must_be_one_and_have_something_to_stand_beside(small_pair: Pair) -> None:
    for score in (-1.0, 101.0, float("nan")):
        with pytest.raises(UsageError, match="--published is a score from 0 to 100"):
            asked(small_pair, published=score)
    refused = CliRunner().invoke(cli, ["tune", str(small_pair.folder), "--published", "37.5"])
    assert isinstance(refused.exception, UsageError)
    assert "--published goes with --dry-run" in str(refused.exception)
