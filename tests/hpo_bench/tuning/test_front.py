"""Two goals whose whole front is searched, as no limit is known beforehand."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning_toys import InlinePool
from two_goals import abilities, answers, success, tune

from hpo_bench.errors import UsageError
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import BASE
from hpo_bench.tuning.command_line import command_of
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome.conclude import conclude
from hpo_bench.tuning.outcome.front import hypervolumes, trade_offs
from hpo_bench.tuning.outcome.posterior import beliefs
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.summary import sentences
from hpo_bench.tuning.race import Race
from hpo_bench.tuning.run import check
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.terminal import line
from hpo_bench.tuning.trial import Job, Success
from optimizers import pareto_bo
from optimizers.gp.acquisition import Effort
from optimizers.pareto_bo import ParetoBo

KEEP = Keep("general", 10.0, front=True)
TRIALS = 9


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """A search of less effort."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto_bo, "EFFORT", Effort(uniform=100, near=40, lineages=2, cloud=5, radii=(0.05, 0.01)))
        patch.setattr(pareto_bo, "SAMPLES", 16)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A SYNTHETIC study of nine trials, tuned and judged."""
    folder = tmp_path_factory.mktemp("tuning") / "whole"
    pool = InlinePool(run=success)
    tune(folder, pool, kind=ParetoBo, trials=TRIALS, keep=KEEP)
    Invocation("synthetic", ".", ("hpo-bench", "tune", "synthetic", "--keep", "general", "--front")).write(folder)
    conclude(TrialStore(folder, "whole"), pool, Interrupt())
    return Study.open("whole", folder.parent)


def test_the_search_reaches_both_ends_and_not_the_limit_alone(study: Study) -> None:
    trials = study.store.trials()
    kept, scores = (np.array([getattr(trial, what) for trial in trials]) for what in ("kept", "score"))
    skill, general = abilities(*np.meshgrid(*2 * [np.linspace(0.0, 1.4, 281)]))
    assert scores.max() > skill.max() - 0.05
    assert kept[scores > 0.2].max() > 0.86
    least = abilities(BASE.vl_weight, BASE.exp_weight)[1] - KEEP.allowed
    assert scores[kept >= least].max() > skill[general >= least].max() - 0.05


def test_killed_and_resumed_the_trace_is_the_same(study: Study, tmp_path: Path) -> None:
    class KillError(BaseException):
        pass

    jobs = iter(range(1000))

    def run(job: Job) -> Success:
        if next(jobs) == 7:
            raise KillError
        return success(job)

    with pytest.raises(KillError):
        tune(tmp_path / "cut", InlinePool(run=run), kind=ParetoBo, trials=TRIALS, keep=KEEP)
    tune(tmp_path / "cut", InlinePool(run=run), kind=ParetoBo, trials=TRIALS, keep=KEEP)
    trace = [(t.number, t.setting, t.score, t.margin) for t in TrialStore(tmp_path / "cut", "cut").trials()]
    assert trace == [(t.number, t.setting, t.score, t.margin) for t in study.store.trials()]


def test_result_page_and_table_say_what_the_front_is(study: Study) -> None:
    result = TuningResult.read(study.store.folder)
    assert result is not None
    found = trade_offs(beliefs(study.config, study.store.trials()))
    assert [one.trial for one in result.front] == [one.trial.number for one in found if one.best]
    assert result.keep == KEEP
    assert any("On the Pareto front" in one and "--trial" in one and "Hypervolume" in one for one in sentences(result))
    page = study.write_report().read_text(encoding="utf-8")
    assert "export whole" in page
    assert "--trial N" in page
    assert "Hypervolume is the area under the front" in page
    assert "elsewhere the front is coarser" not in page


def test_hypervolume_is_the_score_averaged_over_what_might_have_to_be_kept(study: Study) -> None:
    found = trade_offs(beliefs(study.config, study.store.trials()))
    volumes = hypervolumes(found)
    assert (np.diff(volumes) >= 0).all()
    limits = (np.arange(20_000) + 0.5) / 20_000
    had = [max((one.score for one in found if one.kept >= least), default=0.0) for least in limits]
    assert volumes[-1] == pytest.approx(np.mean(had), abs=1e-4)
    result = TuningResult.read(study.store.folder)
    assert result is not None
    assert result.hypervolume == volumes[-1]


def test_losing_more_than_what_is_recommended_may_is_no_fault(study: Study, tmp_path: Path) -> None:
    tuner = tune(study.store.folder, InlinePool(run=success), kind=ParetoBo, trials=TRIALS, keep=KEEP)
    lossy = next(trial for trial in tuner.progress.finished if not trial.feasible)
    assert "too little" not in line(tuner.progress, lossy)
    limited = tune(tmp_path / "limited", InlinePool(run=success), kind=ParetoBo, trials=4, keep=Keep("general", 0.0))
    assert re.search("too little", " ".join(line(limited.progress, one) for one in limited.progress.finished))


def test_no_method_is_dropped_for_one_goal(study: Study) -> None:
    for front in (False, True):
        keep = Keep("general", 10.0, front=front)
        config = StudyConfig(
            pair="p", checkpoints={}, evaluation={}, methods=("ta", "ties"), optimizer="random", optimizer_version=1,
            keep=keep,
        )  # fmt: skip
        base = answers(BASE)
        race = Race.of(config, ParetoBo, budget=30, goal=Goal(keep, base))
        race.arms["ta"].results = race.arms["ties"].results = 10
        rng = np.random.default_rng(0)
        race.arms["ta"].best, race.arms["ties"].best = (
            type(base)(base.ids, base.categories, level + 0.01 * rng.standard_normal(len(base))) for level in (0.9, 0.1)
        )
        trial = study.store.trials()[0]
        setting = race.ask()
        assert setting is not None
        race.tell(type(trial)(number=0, setting=setting, state="failed", asked_after=0, worker="w"), None)
        assert bool(race.dropped) is not front


@pytest.fixture(scope="module")
def pair() -> Pair:
    return find_pair("ja-llama", Path("nano"))


@pytest.mark.parametrize(
    ("asked", "flaw"),
    [
        ({"front": True}, "--front needs --keep"),
        ({"front": True, "keep": "general", "optimizer": "gp-bo"}, r"GP-BO looks for one maximum .* pareto-bo"),
        ({"keep": "general", "optimizer": "pareto-bo"}, r"Pareto BO looks for the front .* --front, or one of gp-bo"),
    ],
)
def test_what_does_not_go_together_is_refused(pair: Pair, asked: dict[str, Any], flaw: str) -> None:
    with pytest.raises(UsageError, match=flaw):
        StudyConfig.of(pair, **asked)


def test_a_front_has_its_own_optimiser_and_no_end_by_one_goals_gain(pair: Pair) -> None:
    config = StudyConfig.of(pair, keep="general", front=True, examples_each=40)
    assert (config.optimizer, config.keep) == ("pareto-bo", Keep("general", front=True))
    assert StudyConfig.of(pair, keep="general", front=True, optimizer="sobol").optimizer == "sobol"
    assert StudyConfig.from_dict(config.as_dict()) == config
    with pytest.raises(UsageError, match="--until"):
        check(pair, config, RunOptions(until=0.1))


def test_studies_of_before_have_no_front(pair: Pair) -> None:
    stored = StudyConfig.of(pair, keep="general", examples_each=40).as_dict()
    del stored["keep"]["front"]
    StudyConfig.of(pair, keep="general", examples_each=40).check_same(StudyConfig.from_dict(stored), "s")


def test_the_command_that_goes_on_names_it() -> None:
    asked = {"keep": "general", "front": True, "optimizer": None}
    words = command_of("p", asked, {"keep": None, "front": False, "optimizer": None})
    assert words == ["tune", "p", "--keep", "general", "--front"]
