"""Looking at pictures once gives the same scores as looking every time, and is noticed when it would not."""

import numpy as np
import pytest
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation import frozen_vision
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.exact_match import ExactMatch, by_onednn
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting


@pytest.fixture(scope="module")
def examples(questions: tuple[Example, ...]) -> tuple[Example, ...]:
    return questions[:100]


@pytest.fixture
def kept(loaded: LoadedPair, examples: tuple[Example, ...]) -> ExactMatch:
    """An evaluator that looked at the pictures under other language weights than it will score."""
    loaded.write_language(loaded.tuned)
    evaluator = ExactMatch(Prompts(loaded.processor))
    evaluator.evaluate(loaded.vlm, examples)
    return evaluator


def looking_every_time(
    loaded: LoadedPair, examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    with monkeypatch.context() as patch:
        patch.setattr(frozen_vision, "look", lambda *_: None)
        return ExactMatch(Prompts(loaded.processor)).evaluate(loaded.vlm, examples).scores


@pytest.mark.parametrize("setting", [MergeSetting("ta", 0.6, 0.8), MergeSetting("ties", 0.8, 0.4, 0.4)])
def test_scores_are_those_of_the_whole_model(
    loaded: LoadedPair,
    examples: tuple[Example, ...],
    kept: ExactMatch,
    setting: MergeSetting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded.write_language(merge(loaded, setting, mask_seed=0))
    scores = kept.evaluate(loaded.vlm, examples).scores
    assert scores.tolist() == looking_every_time(loaded, examples, monkeypatch).tolist()
    assert 0 < scores.mean() < 1


def test_pictures_are_looked_at_once(
    loaded: LoadedPair, examples: tuple[Example, ...], kept: ExactMatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(loaded.vlm.model.vision_tower), "forward", lambda *_, **__: pytest.fail("looked again"))
    kept.evaluate(loaded.vlm, examples[::-1])


def test_a_change_of_the_vision_side_is_noticed(
    loaded: LoadedPair, examples: tuple[Example, ...], kept: ExactMatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bias = loaded.vlm.model.multi_modal_projector.linear_2.bias
    before = bias.detach().clone()
    seeing = kept.evaluate(loaded.vlm, examples).scores
    with torch.no_grad():
        bias.add_(1.0)
    try:
        blinded = kept.evaluate(loaded.vlm, examples).scores
        expected = looking_every_time(loaded, examples, monkeypatch)
    finally:
        with torch.no_grad():
            bias.copy_(before)
    assert blinded.tolist() == expected.tolist()
    assert blinded.mean() < seeing.mean()


def test_too_many_pictures_to_keep_are_looked_at_every_time(
    loaded: LoadedPair, examples: tuple[Example, ...], kept: ExactMatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo_bench.evaluation.frozen_vision.KEPT_BYTES", 1000)
    frugal = ExactMatch(Prompts(loaded.processor))
    assert frugal.evaluate(loaded.vlm, examples).scores.tolist() == kept.evaluate(loaded.vlm, examples).scores.tolist()


def test_states_that_are_no_numbers_are_a_failure(
    loaded: LoadedPair, examples: tuple[Example, ...], kept: ExactMatch
) -> None:
    loaded.write_language({name: torch.full_like(weight, torch.nan) for name, weight in loaded.tuned.items()})
    try:
        with pytest.raises(EvaluationError, match="not finite") as caught:
            kept.evaluate(loaded.vlm, examples)
    finally:
        loaded.write_language(loaded.tuned)
    assert caught.value.kind == "nan-logits"


def test_products_by_onednn_are_products() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8, bias=False))
    x = torch.randn(5, 7, 64)
    with torch.inference_mode():
        expected = model(x)
        with by_onednn(model):
            ours = model(x)
        torch.testing.assert_close(ours, expected)
        assert torch.equal(model(x), expected)
        assert not any("forward" in vars(layer) for layer in model)
