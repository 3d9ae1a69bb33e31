"""What is kept below the lowest merged layer gives the scores of reading every text from its first layer on."""

import pytest
import torch

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting

SETTINGS = [MergeSetting("ta", 0.6, 0.8), MergeSetting("ties", 0.8, 0.4, 0.4), MergeSetting("ta", 0, 0)]
STILL = 2


def is_still(name: str) -> bool:
    return name.startswith(("model.embed", *(f"model.layers.{i}." for i in range(STILL))))


@pytest.fixture
def frozen(shipped: Pair) -> LoadedPair:
    """The shipped pair as if its two lowest layers and its embeddings had stayed frozen in both tunings."""
    loaded = LoadedPair.load(shipped)
    for weights in (loaded.tuned, loaded.expert):
        weights.update({name: tensor.clone() for name, tensor in loaded.base.items() if is_still(name)})
    loaded.write_language(loaded.tuned)
    return loaded


@pytest.fixture
def examples(questions: tuple[Example, ...]) -> tuple[Example, ...]:
    return questions[:60]


def passes(loaded: LoadedPair) -> list[int]:
    """How often each layer read since."""
    counts = [0] * len(loaded.vlm.get_decoder().layers)
    for i, layer in enumerate(loaded.vlm.get_decoder().layers):
        inner = layer.self_attn  # the layer itself may be told to hand on what it gets
        inner.register_forward_hook(lambda *_, i=i: counts.__setitem__(i, counts[i] + 1))
    return counts


def test_scores_are_those_of_reading_from_the_first_layer_on(frozen: LoadedPair, examples: tuple[Example, ...]) -> None:
    resident, kept = Resident(frozen), ExactMatch(Prompts(frozen.processor))
    counts = passes(frozen)
    for _ in range(2):
        for setting in SETTINGS:
            resident.merge(setting)
            some = [kept.evaluate(frozen.vlm, part).scores.tolist() for part in (examples[:40], examples[40:])]
            anew = ExactMatch(Prompts(frozen.processor))
            assert some == [anew.evaluate(frozen.vlm, part).scores.tolist() for part in (examples[:40], examples[40:])]
    before = list(counts)
    kept.evaluate(frozen.vlm, examples[:40])
    assert [after > earlier for earlier, after in zip(before, counts, strict=True)] == [False] * STILL + [True] * (
        len(counts) - STILL
    )


def test_a_write_below_is_noticed(frozen: LoadedPair, examples: tuple[Example, ...]) -> None:
    resident, kept = Resident(frozen), ExactMatch(Prompts(frozen.processor))
    for setting in SETTINGS:
        resident.merge(setting)
        kept.evaluate(frozen.vlm, examples)
    with torch.no_grad():
        frozen.vlm.get_decoder().layers[0].mlp.up_proj.weight.mul_(-1)
    scores = kept.evaluate(frozen.vlm, examples).scores
    assert scores.tolist() == ExactMatch(Prompts(frozen.processor)).evaluate(frozen.vlm, examples).scores.tolist()


@pytest.mark.parametrize("setting", [*SETTINGS, MergeSetting("dare", 0.7, 0.9, 0.4)])
def test_what_is_the_same_in_all_three_is_written_once(frozen: LoadedPair, setting: MergeSetting) -> None:
    resident = Resident(frozen, masks="mergekit")
    resident.merge(MergeSetting("ta", 1, 1))
    state = {theirs: frozen.vlm.state_dict()[ours] for ours, theirs in frozen.names.items()}
    before = {name: tensor._version for name, tensor in state.items()}
    fingerprint = resident.merge(setting)
    assert {name for name in state if state[name]._version == before[name]} == set(filter(is_still, state))
    with torch.no_grad():
        for name in filter(is_still, state):
            state[name].zero_()
    assert resident.merge(setting) == fingerprint == resident.fingerprint()
    resident.self_test()
