"""The page of a study, and what lies beside it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import Result
from tuning_toys import IDS, success

from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Failure, Job, Success

Tune = Callable[..., Result]
LONG = "".join(f"word{number} " for number in range(12_000))
SAID = tuple(LONG if place % 2 else "=2" for place in range(len(IDS)))


def test_long_answers_stand_whole_beside_the_page_and_cut_in_it_and_none_is_a_formula(
    tune: Tune, tmp_path: Path
) -> None:
    def run(job: Job) -> Success | Failure:
        if job.name == "trial 1":
            return Failure("raised", "=cmd is no score")
        made = success(job)
        told = {split: replace(own, responses=SAID) for split, own in made.answers.items()}
        return replace(made, answers=told)

    assert tune("-o", "sobol", "--trials", "4", "--examples-each", "60", run=run).exit_code == 0
    page = Study.open("s", tmp_path / "tuning").write_report()
    text, beside = page.read_text(encoding="utf-8"), page.parent / "report"
    assert LONG[:1000] in text
    assert LONG[-1000:].strip() in text
    assert f"[… {len(LONG):,} characters, all of them in the files below …]" in text
    assert LONG[:2001] not in text
    answers = pd.read_csv(beside / "tables/answers.csv")
    assert set(answers["before"]) == {LONG, "'=2"}
    drawn = pd.read_csv(beside / "figures/trajectory.csv")
    assert drawn.loc[1, "reason"] == "'=cmd is no score"
    assert np.isfinite(drawn["score"]).sum() == 3
    assert pd.read_csv(beside / "tables/failures.csv")["reason"].tolist() == ["'=cmd is no score"]
