"""Studies that begin from experience."""

from pathlib import Path

import numpy as np
import pytest
from tuning_toys import config

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods.base import COEFFICIENTS, Hyperparameter, MergeMethod
from hpo_bench.tuning import starts
from hpo_bench.tuning.command_line import start_as_typed
from hpo_bench.tuning.config import StudyConfig


def test_experience_is_kept_with_what_it_was_learnt_from() -> None:
    wanted = config(pair="ja-llama", methods=("ta", "ties"), begin_with=("experience",))
    starts.check(wanted.begin_with, wanted.methods)
    begun = starts.begun(wanted, {}, Path())
    assert {method: np.shape(points) for method, points in begun.starts.items()} == {"ta": (4, 2), "ties": (4, 3)}
    assert len(begun.learnt_from) == 18
    assert not any(name.startswith("ja-llama/") for name in begun.learnt_from)
    assert StudyConfig.from_dict(begun.as_dict()) == begun
    wanted.check_same(begun, "s")
    first = wanted.space("ta").setting(np.array(begun.starts["ta"][0]))
    np.testing.assert_allclose([first.vl_weight, first.exp_weight], [0.5, 1.0])


def test_few_planned_settings_begin_so_and_more_do_not() -> None:
    few = starts.of_few(config(trials=6))
    assert few is not None
    assert len(few[0].starts["ta"]) == 4
    assert few[0].begin_with == ()
    assert few[0].learnt_from
    assert "--start begins elsewhere" in few[1]
    both = starts.of_few(config(trials=12, methods=("ta", "ties")))
    assert both is not None
    assert np.shape(both[0].starts["ties"]) == (4, 3)
    for other in (
        config(trials=7),
        config(trials=5, begin_with=("0.5,0.5",)),
        config(trials=5, sum_to_one=True),
        config(trials=5, coefficients=(5.0, 6.0)),
    ):
        assert starts.of_few(other) is None


def test_a_method_that_nobody_recorded_is_no_experience() -> None:
    with pytest.raises(UsageError, match="no landscape of another pair is recorded there"):
        starts.learnt(config(coefficients=(5.0, 6.0)).space("ta"), "ja-llama")


class Clipped(MergeMethod):
    name, label = "clipped", "Clipped arithmetic"
    hyperparameters = (*COEFFICIENTS, Hyperparameter(name="clip", low=0.5, high=4.0))

    def __init__(self, vl_weight: float, exp_weight: float, clip: float) -> None:
        pass

    def merge(self, vectors):
        raise NotImplementedError


CLIPPED = f"{__name__}:Clipped"
SETTING = {"vl_weight": 0.7, "exp_weight": 0.7, "clip": 2.25}


def test_a_start_names_every_hyperparameter_of_any_method() -> None:
    typed = start_as_typed(SETTING)
    assert typed == "vl_weight=0.7,exp_weight=0.7,clip=2.25"
    for start in (typed, " clip=2.25, exp-weight=.7,vl-weight=0.7"):
        wanted = config(methods=(CLIPPED, "ties"), begin_with=(start,))
        starts.check(wanted.begin_with, wanted.methods)
        for method in wanted.methods:
            starts.check_inside(wanted.begin_with, wanted.space(method))
        begun = starts.begun(wanted, {}, Path()).starts
        assert begun == {CLIPPED: ((0.5, 0.5, 0.5),), "ties": ((0.5, 0.5, 1.0),)}, "a density of 1 is without effect"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("0.6,0.8", "says no clip, which Clipped arithmetic needs: --start vl_weight=0.6,exp_weight=0.8,clip=0.5"),
        ("nan", "--start nan: says no clip"),
        (
            "0.6,0.8,2",
            "takes no density, but vl_weight, exp_weight, clip; say which number is which: --start vl_weight=",
        ),
        ("vl_weight=1,exp_weight=1,clap=2", "takes no clap, but"),
        ("vl_weight=1,exp_weight=1,clip=9", "clip 9 lies outside 0.5 to 4, which is searched; begin inside$"),
        ("vl_weight=1,clip", "is none of them"),
        ("vl_weight=1,vl_weight=2", "is none of them"),
    ],
)
def test_a_start_that_does_not_fit_the_method_is_refused_with_what_would(start: str, message: str) -> None:
    def check() -> None:
        starts.check((start,), (CLIPPED,))
        starts.check_inside((start,), config(methods=(CLIPPED,)).space(CLIPPED))

    with pytest.raises(UsageError, match=message):
        check()


def test_a_start_in_python_is_text_or_numbers() -> None:
    with pytest.raises(UsageError, match=r"a start is text, numbers, or numbers by hyperparameter, not 0\.5"):
        start_as_typed(0.5)  # pyright: ignore[reportArgumentType]
