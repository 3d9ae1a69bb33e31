"""What any merge method must do to be one: a suite for ours and for yours.

Every check takes the class and nothing else, merges small random weights, and raises `ConformanceError`, an
AssertionError that says what was wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from hpo_bench.errors import MethodError
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import COEFFICIENTS, MergeMethod
from hpo_bench.merging.methods.calling import made, merged_by, parent_of
from hpo_bench.merging.methods.vectors import TaskVectors
from optimizers.conformance import ConformanceError
from optimizers.plugins import named

Kind = type[MergeMethod]
SHAPES: dict[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (24, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.bias": (8,),
    "model.layers.0.mlp.up_proj.weight": (16, 8),
    "model.layers.0.mlp.down_proj.weight": (8, 16),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.layers.0.scale": (),
    "model.layers.0.nothing": (0,),
    "lm_head.weight": (24, 8),
}
"""Tensors of every shape that a checkpoint may hold, scalars and empty ones too."""
NEAR = 1e-5
CORNERS = 64
"""At most so many corners of the ranges are tried."""


def inputs_stay_as_they_are(kind: Kind) -> None:
    """Base and task vectors are read and not written, and the merge is no view of them."""
    vectors = _vectors()
    before = {role: _copied(getattr(vectors, role)) for role in ("base", "vlm", "expert")}
    merged = merged_by(_middle(kind), vectors)
    for changed in ("the merge wrote", "a change of the merge writes"):
        for role, kept in before.items():
            for name, tensor in getattr(vectors, role).items():
                if not torch.equal(tensor, kept[name]):
                    raise ConformanceError(f"{changed} into {role}'s {name}, which it may only read; take a copy")
        for tensor in merged.values():
            if tensor.is_floating_point():
                tensor.detach().add_(1)


def weights_keep_names_shapes_and_type(kind: Kind) -> None:
    """The merge has the base's names and shapes, in float32, as base and task vectors are given."""
    for name, tensor in merged_by(_middle(kind), _vectors()).items():
        if tensor.dtype != torch.float32:
            raise ConformanceError(
                f"{name} is merged in {tensor.dtype}, and base and task vectors are float32: return float32 too"
            )
        if tensor.requires_grad:
            raise ConformanceError(f"{name} keeps gradients, which no merge needs; detach it")


def weights_are_finite(kind: Kind) -> None:
    """The merge is of finite numbers inside the ranges and at every corner of them."""
    ends = [[(one.name, end) for end in (one.low, one.high)] for one in kind.hyperparameters]
    for values in (_between(kind), *map(dict, islice(product(*ends), CORNERS))):
        for name, tensor in merged_by(_bound(kind, values), _vectors()).items():
            if not tensor.isfinite().all():
                where = ", ".join(f"{one} {value:g}" for one, value in values.items())
                raise ConformanceError(
                    f"{name} is merged into numbers that are not finite{f', at {where}' * bool(where)}"
                )


def merging_again_gives_the_same_bits(kind: Kind) -> None:
    """A merge depends on nothing but its inputs, and leaves the global generator alone."""
    vectors, found = _vectors(), []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            found.append(merged_by(_middle(kind), vectors))
            if not torch.equal(torch.get_rng_state(), state):
                raise ConformanceError("merging draws from torch's global generator; make one of a seed of its own")
    for name, tensor in found[0].items():
        if not torch.equal(tensor, found[1][name]):
            raise ConformanceError(f"{name} is another when it is merged again")


def seeds_draw_other_masks(kind: Kind) -> None:
    """Where masks are drawn, another seed draws others."""
    if not kind.draws_masks:
        return
    one, other = (merged_by(_bound(kind, {**_between(kind), "seed": seed}), _vectors()) for seed in (1, 2))
    if all(torch.equal(tensor, other[name]) for name, tensor in one.items()):
        raise ConformanceError("draws_masks is said, and another seed gives the same merge; draw them by `seed`")


def hyperparameters_make_sense(kind: Kind) -> None:
    """Ranges, levels and defaults of hyperparameters are values that they may have, and each of them does something."""
    for one in kind.hyperparameters:
        if not one.low < one.high:
            raise ConformanceError(f"the range of {one.name} must increase, not go from {one.low:g} to {one.high:g}")
        values = (one.low, one.high, *one.levels, *(v for v in (one.default, one.neutral) if v is not None))
        if odd := [value for value in values if not one.takes(value)]:
            raise ConformanceError(f"{one.name} {odd[0]:g} is offered, but it must be {one.allowed}")
        if list(one.levels) != sorted({*one.levels}) or len(one.levels) < 2:
            raise ConformanceError(f"levels of {one.name} must ascend, at least two of them: {one.levels}")
        ends = [merged_by(_bound(kind, {**_between(kind), one.name: end}), _vectors()) for end in (one.low, one.high)]
        if all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items()):
            raise ConformanceError(f"{one.name} makes no difference: {one.low:g} merges as {one.high:g} does")


def promised_parents_are_given_back(kind: Kind) -> None:
    """Where `parent` promises a model the formula gives it, and at coefficients (1, 0), (0, 1), (0, 0) it promises."""
    vectors = _vectors()
    whole = {"base": vectors.base, "vlm": _sum(vectors.base, vectors.vlm), "expert": _sum(vectors.base, vectors.expert)}
    corners = [{}]
    if {*COEFFICIENTS} <= {*kind.hyperparameters}:
        corners = [{"vl_weight": vl, "exp_weight": expert} for vl, expert in product((0.0, 1.0), (0.0, 1.0))]
    neutral = {one.name: one.neutral for one in kind.hyperparameters if one.neutral is not None}
    for corner in corners:
        for values in ({**_between(kind), **corner}, {**_between(kind), **neutral, **corner}):
            method = _bound(kind, values)
            if (parent := parent_of(method)) is None:
                continue
            merged = merged_by(method, vectors)
            for name, tensor in whole[parent].items():
                if not torch.allclose(merged[name], tensor, atol=NEAR):
                    raise ConformanceError(f"at {values} parent() promises the {parent}, and {name} is another")


def nan_is_not_swallowed(kind: Kind) -> None:
    """A weight that is no number is refused, or what comes of it is no number either."""
    for role, name in product(("vlm", "expert"), ("model.layers.0.mlp.up_proj.weight", "model.layers.0.scale")):
        vectors = _vectors()
        getattr(vectors, role)[name].view(-1)[0] = float("nan")
        try:
            merged = _middle(kind).merge(vectors)
        except Exception:  # noqa: S112  # however it refuses them
            continue
        if not merged[name].isnan().any():
            raise ConformanceError(f"NaN in {role}'s {name} is merged into numbers that look sound; let it through")


def tensors_stand_alone_where_it_says_so(kind: Kind) -> None:
    """A method `by_tensor` merges one tensor by itself as it merges it among others."""
    if not kind.by_tensor:
        return
    vectors, method = _vectors(), _middle(kind)
    together = merged_by(method, vectors)
    for name in SHAPES:
        one = TaskVectors(*({name: getattr(vectors, role)[name]} for role in ("base", "vlm", "expert")))
        if not torch.allclose(merged_by(method, one)[name], together[name], atol=NEAR):
            raise ConformanceError(f"by_tensor is said, and {name} is merged otherwise alone than among others")


def engine_merges_as_the_formula(kind: Kind) -> None:
    """What the resident engine writes in place is the formula's merge, by its recipe where there is one."""
    vectors, names = _vectors(), [name for name, shape in SHAPES.items() if 0 not in shape]
    kept = TaskVectors(*({name: getattr(vectors, role)[name] for name in names} for role in ("base", "vlm", "expert")))
    loaded = LoadedPair.of_weights(kept.base, _sum(kept.base, kept.vlm), _sum(kept.base, kept.expert))
    engine = Resident(loaded)
    exact = TaskVectors.of(loaded)
    for values in (_between(kind), {one.name: one.high for one in kind.hyperparameters}):
        method = _bound(kind, values, names)
        first = engine.write(method)
        expected, found = merged_by(method, exact), _copied(loaded.read_language())
        for name in names:
            if not torch.allclose(found[name], expected[name], atol=NEAR):
                raise ConformanceError(f"the engine's {name} is another than the formula's")
        if engine.write(method) != first:
            raise ConformanceError("merged in place again, the weights are others")


CHECKS: tuple[Callable[[Kind], None], ...] = (
    inputs_stay_as_they_are,
    weights_keep_names_shapes_and_type,
    weights_are_finite,
    merging_again_gives_the_same_bits,
    seeds_draw_other_masks,
    hyperparameters_make_sense,
    promised_parents_are_given_back,
    nan_is_not_swallowed,
    tensors_stand_alone_where_it_says_so,
    engine_merges_as_the_formula,
)


def check_merge_method(method: Kind | str) -> None:
    """Check a merge method against all that merging and tuning rely on.

    Args:
        method: The class, its name, or its address "module:Class".

    Raises:
        ConformanceError: If it does not conform; the message says in what.
        UsageError: If it is no merge method.
    """
    kind = registry.get(method) if isinstance(method, str) else registry.check(method, named(method))
    for check in CHECKS:
        try:
            check(kind)
        except MethodError as error:
            raise ConformanceError(str(error)) from error


def _vectors() -> TaskVectors:
    generator = torch.Generator().manual_seed(0)

    def drawn(scale: float) -> dict[str, Tensor]:
        return {name: scale * torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}

    return TaskVectors(drawn(1.0), drawn(0.2), drawn(0.3))


def _statistics(kind: Kind, names: Iterable[str]) -> dict[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)

    def gram(inputs: int) -> Tensor:
        states = torch.randn(8 * inputs, inputs, generator=generator)
        return states.T @ states / len(states)

    def drawn() -> dict[str, Tensor]:
        if kind.needs == "grams":
            return {name: gram(SHAPES[name][1]) for name in names if len(SHAPES[name]) == 2}
        return {name: torch.rand(SHAPES[name], generator=generator) for name in names}

    return {"vlm": drawn(), "expert": drawn()} if kind.needs else {}


def _bound(kind: Kind, values: Mapping[str, float], names: Iterable[str] = SHAPES) -> MergeMethod:
    return made(kind, **_statistics(kind, names), **values)


def _between(kind: Kind) -> dict[str, float]:
    """Off the middle, so that no two hyperparameters are alike."""
    return {h.name: h.low + (0.45 + 0.1 * i) * (h.high - h.low) for i, h in enumerate(kind.hyperparameters)}


def _middle(kind: Kind) -> MergeMethod:
    return _bound(kind, _between(kind))


def _copied(weights: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in weights.items()}


def _sum(base: Any, change: Any) -> dict[str, Tensor]:
    return {name: tensor.float() + change[name] for name, tensor in base.items()}
