"""Studies that begin from experience."""

from pathlib import Path

import numpy as np
import pytest
from tuning_toys import config

from hpo_bench.errors import UsageError
from hpo_bench.tuning import starts
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
