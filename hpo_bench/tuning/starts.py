"""Where a search begins: what needs no evaluation, settings of the user's, and what other pairs and studies found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from types import MappingProxyType

from hpo_bench.benchmark.experience import Experience, experience
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import COEFFICIENTS, DENSITY, MergeMethod
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.outcome.posterior import beliefs
from hpo_bench.tuning.space import MergeSpace
from hpo_bench.tuning.study import Study

ESTIMATED = ("nan", "metagpt")
"""Starts that are computed from the weights."""
EXPERIENCE = "experience"
"""Settings that were good on landscapes recorded of other pairs, by the same method."""
FEW = 6
"""Up to so many settings a study begins from experience."""
FROM = "from:"
FROM_BEST = 3
"""So many of another study's settings are tried first."""

_USUAL = tuple(one.name for one in (*COEFFICIENTS, DENSITY))
"""What the numbers of a setting are that names none."""


def needed(starts: Sequence[str]) -> tuple[str, ...]:
    """Those starts that are computed from the weights."""
    return tuple(start for start in starts if start in ESTIMATED)


def check(starts: Sequence[str], methods: Sequence[str]) -> None:
    """Refuse what is no start.

    Args:
        starts: As the user gives them.
        methods: What is tuned.

    Raises:
        UsageError: If one is neither nan nor metagpt nor experience nor a setting nor another study, names what no
            method has, or leaves out what one needs.
    """
    kinds = [registry.get(method) for method in methods]
    for start in starts:
        if start.startswith(FROM) or start == EXPERIENCE:
            continue
        if "=" not in start and (odd := [k.label for k in kinds if not {*COEFFICIENTS} <= {*k.hyperparameters}]):
            raise UsageError(f"--start {start}: {odd[0]} has no vl_weight and exp_weight that it could begin with")
        given = dict.fromkeys(_USUAL[:2], 1.0) if start in ESTIMATED else _values(start)
        known = {one.name: None for kind in kinds for one in kind.hyperparameters}
        if unknown := [name for name in given if name not in known]:
            raise UsageError(
                f"--start {start}: {kinds[0].label} takes no {unknown[0]}, but {', '.join(known)}; say which number is "
                f"which: --start {_such_as(known)}"
            )
        for kind in kinds:
            _complete(start, kind, given)


def check_new(config: StudyConfig, studies: Path) -> None:
    """Refuse starts that a new study cannot begin with; one that is begun goes on with what it found then.

    Args:
        config: What is wanted of it.
        studies: The folder in which other studies lie.

    Raises:
        UsageError: If a setting lies outside of what is searched, no landscape is recorded there, or there is no such
            study.
        TuningError: If another study cannot be read or has no result.
    """
    for method in config.methods:
        check_inside(config.begin_with, config.space(method))
        if EXPERIENCE in config.begin_with:
            learnt(config.space(method), config.pair)
    check_studies(config.begin_with, studies)


def check_inside(starts: Sequence[str], space: MergeSpace) -> None:
    """Refuse a setting of the user's that lies outside of what is searched.

    Args:
        starts: As the user gives them.
        space: What is searched.

    Raises:
        UsageError: If one does.
    """
    options = {**dict.fromkeys(_USUAL[:2], "--coefficients"), DENSITY.name: "--densities"}
    searched = {one.name: (one.low, one.high) for one in space.box.parameters}
    for start in starts:
        if start in (*ESTIMATED, EXPERIENCE) or start.startswith(FROM):
            continue
        for name, value in _values(start).items():
            low, high = searched.get(name, (value, value))
            if not low <= value <= high:
                wider = f", or give a wider range by {options[name]}" if name in options else ""
                raise UsageError(
                    f"--start {start}: {name} {value:g} lies outside {low:g} to {high:g}, which is searched; begin "
                    f"inside{wider}"
                )


def check_studies(starts: Sequence[str], studies: Path) -> None:
    """Refuse other studies that nothing can be taken from; nothing is made where they lie.

    Args:
        starts: As the user gives them.
        studies: The folder in which studies lie.

    Raises:
        UsageError: If there is no such study.
        TuningError: If one cannot be read or has no result.
    """
    for start in starts:
        if start.startswith(FROM):
            _found(start.removeprefix(FROM), None, studies)


def learnt(space: MergeSpace, pair: str) -> Experience:
    """Where recorded landscapes of other pairs say that a search should begin.

    Args:
        space: What is searched.
        pair: Whose own landscapes are left out.

    Raises:
        UsageError: If there are none of the method.
    """
    return experience(registry.get(space.method).name, space.box, pair=pair)


def begun(config: StudyConfig, coefficients: Mapping[str, tuple[float, float]], studies: Path) -> StudyConfig:
    """The same with its starts as points, and with the landscapes that they were learnt from.

    Args:
        config: What is wanted of a study.
        coefficients: What was computed from the weights, by name.
        studies: The folder in which other studies lie.

    Raises:
        UsageError: As of `resolve`.
        TuningError: Likewise.
    """
    spaces = {method: config.space(method) for method in config.methods}
    found = {
        method: resolve(config.begin_with, space, pair=config.pair, coefficients=coefficients, studies=studies)
        for method, space in spaces.items()
    }
    known = replace(config, starts={method: points for method, points in found.items() if points})
    if EXPERIENCE not in config.begin_with:
        return known
    names = tuple(name for space in spaces.values() for name in learnt(space, config.pair).landscapes)
    return replace(known, learnt_from=names)


def of_few(config: StudyConfig) -> tuple[StudyConfig, str] | None:
    """A study of few settings with a start from experience, and what to say of that; None where it is no help.

    On nano pairs that were left out, or whose whole domain was, it halves the loss of five settings in two dimensions,
    takes two thirds off it in three, and is not shown to help where plans usually are (`docs/spending/spending.md`).
    """
    spaces = [config.space(method) for method in config.methods]
    if config.begin_with or (config.trials or FEW) > FEW * len(spaces) or config.sum_to_one:
        return None
    try:
        known = begun(replace(config, begin_with=(EXPERIENCE,)), {}, Path())
    except UsageError:  # nobody recorded such landscapes
        return None
    said = "So few settings begin where landscapes recorded of other pairs were best; --start begins elsewhere."
    return replace(known, begin_with=()), said


def resolve(
    starts: Sequence[str],
    space: MergeSpace,
    *,
    pair: str,
    coefficients: Mapping[str, tuple[float, float]],
    studies: Path,
) -> tuple[tuple[float, ...], ...]:
    """Starts as points of a box.

    Args:
        starts: "nan", "metagpt", "experience", "VL,EXP", "VL,EXP,DENSITY", "NAME=VALUE,NAME=VALUE" or "from:STUDY".
        space: The box; what lies outside is moved to its nearest face.
        pair: What is merged.
        coefficients: What was computed from the weights, by name.
        studies: The folder in which other studies lie.

    Returns:
        Points in the unit cube, each once.

    Raises:
        UsageError: If there is no such study.
        TuningError: If another study cannot be read or has no result.
    """
    settings: list[MergeSetting] = []
    for start in starts:
        if start in ESTIMATED:
            settings.append(_setting(start, space.method, dict(zip(_USUAL, coefficients[start], strict=False))))
        elif start == EXPERIENCE:
            settings += [
                MergeSetting(space.method, **dict(zip(space.box.names, map(float, values), strict=True)))
                for values in learnt(space, pair).settings
            ]
        elif start.startswith(FROM):
            settings += _found(start.removeprefix(FROM), space.method, studies)
        else:
            settings.append(_setting(start, space.method, _values(start)))
    points = (tuple(map(float, space.point(setting))) for setting in settings)
    return tuple(dict.fromkeys(points))


def _setting(start: str, method: str, values: Mapping[str, float]) -> MergeSetting:
    """Of another method's hyperparameters those that this one has; what it has besides is without effect."""
    kind = registry.get(method)
    _complete(start, kind, values)
    neutral = {one.name: one.neutral for one in kind.hyperparameters if one.neutral is not None}
    return MergeSetting(method, **{one.name: (neutral | {**values}).get(one.name) for one in kind.hyperparameters})


def _complete(start: str, kind: type[MergeMethod], values: Mapping[str, float]) -> None:
    """Refuse a start that leaves out what a method needs and cannot do without."""
    for one in kind.hyperparameters:
        if one.name not in values and one.neutral is None and one.default is None:
            every = [other.name for other in kind.hyperparameters]
            raise UsageError(
                f"--start {start}: says no {one.name}, which {kind.label} needs: --start {_such_as(every, values)}"
            )


def _such_as(names: Iterable[str], values: Mapping[str, float] = MappingProxyType({})) -> str:
    return ",".join(f"{name}={values.get(name, 0.5):g}" for name in names)


def _values(start: str) -> dict[str, float]:
    """The hyperparameters that a setting of the user's names, or whose usual order it has."""
    named = "=" in start
    parts = [part.partition("=") if named else (name, "=", part) for name, part in _parts(start)]
    try:
        values = {name.strip().replace("-", "_"): float(value) for name, _, value in parts}
    except ValueError:
        values = {}
    usable = len(values) == len(parts) and all(map(isfinite, values.values()))
    if not usable or not (named or len(parts) in (2, 3)):
        raise UsageError(
            f"a search can start from {', '.join((*ESTIMATED, EXPERIENCE))}, or a setting such as 0.5,0.5 or "
            f"0.5,0.5,0.8 or vl_weight=0.5,exp_weight=0.5,density=0.8; {start!r} is none of them"
        )
    return values


def _parts(start: str) -> list[tuple[str, str]]:
    """What stands between commas, and the hyperparameter that usually stands there."""
    parts = start.split(",")
    return list(zip([*_USUAL, *parts], parts, strict=False))


def _found(study: str, method: str | None, studies: Path) -> list[MergeSetting]:
    """The settings with the highest posterior means in another study, of the same method if it has any.

    They become settings of the method, if one is given.
    """
    found = Study.open(study, studies)
    held = beliefs(found.config, found.store.trials())
    found.store.close()
    if not held:
        raise TuningError(f"study {study!r} has no result to start from")
    belief = next((one for one in held if one.method == method), held[0])
    best = sorted(range(len(belief.trials)), key=belief.rank, reverse=True)[:FROM_BEST]
    settings = [belief.trials[index].setting for index in best]
    return (
        settings if method is None else [_setting(f"{FROM}{study}", method, setting.parameters) for setting in settings]
    )
