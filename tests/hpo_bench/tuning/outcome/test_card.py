"""What the card of an exported merge says of its scores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import Result
from tuning_toys import CATEGORIES, IDS

from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import HubModel
from hpo_bench.statistics.examples import Z95, error_of_mean
from hpo_bench.tuning.outcome.export import card
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.trial import Job, Success, TrialCost

Tune = Callable[..., Result]


def perfect(job: Job) -> Success:
    right = Answers(IDS, CATEGORIES, np.ones(len(IDS)))
    return Success(dict.fromkeys(job.splits, right), "f", TrialCost())


PAIR = find_pair("ja-llama")


def told(tmp_path: Path, pair: Pair = PAIR) -> tuple[Study, list[str]]:
    study = Study.open("s", tmp_path / "tuning")
    return study, card(study.store, study.trials[0], None, pair=pair).splitlines()


def scored(lines: list[str]) -> str:
    return next(line for line in lines if "the search looked at" in line)


def test_where_all_answers_are_right_the_score_is_still_not_known_exactly(tune: Tune, tmp_path: Path) -> None:
    assert tune("-o", "sobol", "--trials", "2", "--hold-out", run=perfect).exit_code == 0
    line = scored(told(tmp_path)[1])
    half = Z95 * error_of_mean(np.ones(len(IDS)))
    assert half > 0.04
    assert line.endswith(f"it scored 1.000 ± {half:.3f} (95%).")


@pytest.mark.parametrize("further", [(), ("--front", "-o", "sobol")])
def test_with_an_ability_to_keep_both_scores_are_told(tune: Tune, tmp_path: Path, further: tuple[str, ...]) -> None:
    options = ("-o", "sobol", "--trials", "3", "--examples-each", "60", "--keep", "general", *further)
    assert tune(*options).exit_code == 0
    study, lines = told(tmp_path)
    trial, line = study.trials[0], scored(lines)
    assert f"it scored {trial.score:.3f} ± " in line
    assert f"(95%) without those of category general, and {trial.kept:.3f} ± " in line
    assert line.endswith("(95%) on these.")


def test_models_of_the_hub_are_named_as_what_was_merged(tune: Tune, tmp_path: Path) -> None:
    assert tune("-o", "sobol", "--trials", "2", "--hold-out", run=perfect).exit_code == 0
    assert not any("base_model" in line for line in told(tmp_path)[1])
    expert = PAIR.sources["expert"]
    hub = {"base": HubModel("owner/base"), "vlm": HubModel("owner/vlm", "main"), "expert": expert}
    _, lines = told(tmp_path, replace(PAIR, sources=hub))
    front = yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
    assert front["base_model"] == ["owner/base", "owner/vlm"]
    assert front["base_model_relation"] == "merge"
