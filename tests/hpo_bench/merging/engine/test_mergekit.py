"""Merges of the shipped pair against the formulas, computed independently in double precision."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from hpo_bench.errors import UsageError
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting


def as_numpy(weights: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.double().numpy() for name, tensor in weights.items()}


@pytest.mark.parametrize(("vl_weight", "exp_weight"), [(0.6, 0.8), (1.0, 0.0), (0.0, 0.0), (0.3, 1.1)])
def test_task_arithmetic_is_the_formula(loaded: LoadedPair, vl_weight: float, exp_weight: float) -> None:
    base, vlm, expert = as_numpy(loaded.base), as_numpy(loaded.tuned), as_numpy(loaded.expert)
    merged = as_numpy(merge(loaded, MergeSetting("ta", vl_weight, exp_weight), mask_seed=0))
    for name, weights in merged.items():
        expected = base[name] + vl_weight * (vlm[name] - base[name]) + exp_weight * (expert[name] - base[name])
        np.testing.assert_allclose(weights, expected, atol=1e-6, err_msg=name)


def test_ties_trims_elects_by_weighted_sum_and_does_not_normalise(loaded: LoadedPair) -> None:
    setting = MergeSetting("ties", 0.4, 0.8, 0.4)
    merged = as_numpy(merge(loaded, setting, mask_seed=0))
    base = as_numpy(loaded.base)

    def trimmed(weights: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        delta = weights - start
        threshold = np.sort(np.abs(delta).ravel())[-int(0.4 * delta.size)]
        tied = np.isclose(np.abs(delta), threshold, rtol=1e-5) & (delta != 0)
        return np.where(np.abs(delta) >= threshold, delta, 0.0), tied

    unsure = 0
    for name, weights in merged.items():
        (one, tie_one), (two, tie_two) = (
            trimmed(as_numpy(parent)[name], base[name]) for parent in (loaded.tuned, loaded.expert)
        )
        one, two = 0.4 * one, 0.8 * two
        elected = np.where(one + two >= 0, 1.0, -1.0)
        expected = base[name] + one * (np.sign(one) == elected) + two * (np.sign(two) == elected)
        sure = ~(tie_one | tie_two)  # which of equal magnitudes is kept is mergekit's choice
        unsure += int((~sure).sum())
        np.testing.assert_allclose(weights[sure], expected[sure], atol=1e-5, err_msg=name)
    assert unsure < 0.1 * sum(weights.size for weights in merged.values())


def test_ties_coefficients_keep_their_scale(loaded: LoadedPair) -> None:
    small = merge(loaded, MergeSetting("ties", 0.2, 0.2, 0.6), mask_seed=0)
    large = merge(loaded, MergeSetting("ties", 1.0, 1.0, 0.6), mask_seed=0)
    name = "model.layers.0.mlp.up_proj.weight"
    torch.testing.assert_close(
        5 * (small[name] - loaded.base[name]), large[name] - loaded.base[name], atol=1e-5, rtol=0
    )


def test_dare_keeps_the_l1_norm_and_the_density(loaded: LoadedPair) -> None:
    merged = merge(loaded, MergeSetting("dare", 0.0, 1.0, 0.4), mask_seed=3)
    for name in ("model.layers.1.mlp.down_proj.weight", "lm_head.weight"):
        whole = (loaded.expert[name] - loaded.base[name]).double()
        kept = (merged[name] - loaded.base[name]).double()
        changed = (kept.abs() > 1e-7).double().mean()
        assert changed == pytest.approx(0.4, abs=0.02)
        assert kept.abs().sum().item() == pytest.approx(whole.abs().sum().item(), rel=1e-3)


def test_dare_masks_follow_their_seed_and_leave_torch_alone(loaded: LoadedPair) -> None:
    setting = MergeSetting("dare", 0.5, 0.5, 0.5)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first, again, other = (merge(loaded, setting, mask_seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_merging_touches_language_weights_alone_and_one_zero_restores_the_vlm(loaded: LoadedPair) -> None:
    loaded.write_language(loaded.tuned)
    before = {name: tensor.clone() for name, tensor in loaded.vlm.state_dict().items()}
    loaded.write_language(merge(loaded, MergeSetting("ta", 0.5, 0.5), mask_seed=0))
    after = loaded.vlm.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert changed <= set(loaded.names)
    assert any("vision" in name for name in before.keys() - changed)
    loaded.write_language(merge(loaded, MergeSetting("ta", 1.0, 0.0), mask_seed=0))
    for name, tensor in loaded.vlm.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tise", 1, 1, 0.5), "did you mean 'ties'"),
        (("ta", 1, 1, 0.5), "takes vl_weight, exp_weight, and not 3"),
        (("dare", 1, 1), "needs a density"),
        (("ties", 1, 1, 0.0), "must be in"),
    ],
)
def test_impossible_settings_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MergeSetting(*arguments)


@pytest.mark.parametrize("weight", [np.float32(0.5), np.int64(1), Fraction(1, 2), 1])
def test_weights_of_any_type_are_numbers_in_json(weight: float) -> None:
    setting = MergeSetting("ta", weight, exp_weight=weight)
    assert json.loads(json.dumps(setting.parameters)) == {"vl_weight": weight, "exp_weight": weight}
    assert {type(value) for value in setting.values} == {float}


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 10**400, True, "1", np.float32("inf"), None])
def test_weights_that_are_no_numbers_are_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="exp_weight must be a finite number"):
        MergeSetting("ta", 0.5, weight)
