"""The figures of a study, of whichever methods."""

from typing import Any

import pytest
from tuning_toys import config

from hpo_bench.merging.methods.base import COEFFICIENTS, Hyperparameter, MergeMethod
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.outcome import figures
from hpo_bench.tuning.outcome.posterior import Recommendation
from hpo_bench.tuning.trial import Trial

CLIP = Hyperparameter(name="clip", low=1e-5, high=1e-3)
MANY = 9


class Clip(MergeMethod):
    name, label = "clip", "Clip alone"
    hyperparameters = (CLIP,)

    def __init__(self, clip: float) -> None:
        pass

    def merge(self, vectors: Any) -> Any:
        raise NotImplementedError


class Clipped(Clip):
    name, label = "clipped", "Clipped"
    hyperparameters = (*COEFFICIENTS, CLIP)

    def __init__(self, vl_weight: float, exp_weight: float, clip: float) -> None:
        pass


def plain(number: int) -> type[MergeMethod]:
    def begun(self: Any, vl_weight: float, exp_weight: float) -> None:
        pass

    own = {"name": f"plain{number}", "label": f"Plain {number}", "hyperparameters": COEFFICIENTS, "__init__": begun}
    return type(f"Plain{number}", (Clip,), {**own, "__module__": __name__})


for _number in range(MANY):
    globals()[f"Plain{_number}"] = plain(_number)


def trial(number: int, method: str, **values: float) -> Trial:
    return Trial(
        number=number, setting=MergeSetting(f"{__name__}:{method}", **values), state="complete", asked_after=number,
        worker="w", told_as=number, score=0.5 + 0.01 * number, standard_error=0.1,
    )  # fmt: skip


def chosen(trials: list[Trial]) -> Recommendation:
    return Recommendation(trials[-1], 0.6, 0.1, 1.0)


def methods(trials: list[Trial]) -> Any:
    return config(methods=tuple(dict.fromkeys(one.setting.method for one in trials)))


def test_every_method_of_a_race_is_drawn() -> None:
    trials = [trial(number, f"Plain{number}", vl_weight=0.5, exp_weight=0.1 * number) for number in range(MANY)]
    (axes,) = figures.trajectory(trials, chosen(trials)).axes
    _, labels = axes.get_legend_handles_labels()
    assert {f"Plain {number}" for number in range(MANY)} <= set(labels)
    maps = figures.landscapes(methods(trials), trials, chosen(trials))
    assert maps is not None
    assert [one.get_title(loc="left") for one in maps.axes] == [f"Plain {number}" for number in range(MANY)]
    places = {spec.colspan.start for one in maps.axes if (spec := one.get_subplotspec())}
    assert places == {0, 1, 2}, "wide enough to be read"


def test_a_method_without_both_weights_has_no_empty_map() -> None:
    trials = [trial(number, "Clip", clip=1e-4 * number) for number in range(1, 5)]
    assert figures.landscapes(methods(trials), trials, chosen(trials)) is None


@pytest.mark.parametrize("count", [2, 4])
def test_a_map_says_at_what_else_it_is(count: int) -> None:
    trials = [trial(n, "Clipped", vl_weight=0.2 * n, exp_weight=0.3 * n, clip=1e-4 * n) for n in range(1, count + 1)]
    maps = figures.landscapes(methods(trials), trials, chosen(trials))
    assert maps is not None
    assert maps.axes[0].get_title(loc="left") == f"Clipped at clip {1e-4 * count:.3g}"
