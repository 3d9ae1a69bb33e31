"""Resident merges against mergekit, bit by bit, and against the reference methods; all on real nano weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpo_bench.errors import MergeError, MethodError, UsageError
from hpo_bench.merging.engine import fingerprint, mergekit
from hpo_bench.merging.engine.fingerprint import hash_rows
from hpo_bench.merging.engine.resident import Masks, Resident
from hpo_bench.merging.engine.slabs import cut_into_slabs
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.dare import Dare
from hpo_bench.merging.methods.recipe import Mode
from hpo_bench.merging.methods.ties import Ties
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting

DTYPES = (torch.float32, torch.bfloat16)
TA = MergeSetting("ta", 0.6, 0.8)
TIES = MergeSetting("ties", 0.4, 0.8, 0.4)
DARE = MergeSetting("dare", 0.7, 0.9, 0.4)


@pytest.fixture(scope="module", params=DTYPES, ids=str)
def own(request: pytest.FixtureRequest, shipped: Pair) -> LoadedPair:
    """The shipped pair in float32 and in bfloat16, by itself, since these tests write to its VLM."""
    loaded = LoadedPair.load(shipped)
    parts = {
        role: {name: tensor.to(request.param) for name, tensor in getattr(loaded, role).items()}
        for role in ("base", "tuned", "expert")
    }
    return replace(loaded, vlm=loaded.vlm.to(request.param), **parts)


def live(loaded: LoadedPair) -> dict[str, torch.Tensor]:
    state = loaded.vlm.state_dict()
    return {theirs: state[ours].clone() for ours, theirs in loaded.names.items()}


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(torch.uint8)


@pytest.mark.parametrize("weights", [(0.6, 0.8), (0.3, 1.1), (1.37, -0.2), (0.0, 0.5)])
def test_task_arithmetic_is_mergekits_bit_for_bit(own: LoadedPair, weights: tuple[float, float]) -> None:
    setting = MergeSetting("ta", *weights)
    Resident(own).merge(setting)
    expected = mergekit.merge(own, setting, mask_seed=0)
    for name, found in live(own).items():
        assert torch.equal(bits(found), bits(expected[name])), name


@pytest.mark.parametrize("setting", [TIES, MergeSetting("ties", 1.2, 0.3, 0.15)])
def test_ties_is_mergekits_but_for_entries_at_a_threshold(own: LoadedPair, setting: MergeSetting) -> None:
    Resident(own).merge(setting)
    expected = mergekit.merge(own, setting, mask_seed=0)
    at_threshold = differing = 0
    for name, found in live(own).items():
        tied = torch.zeros_like(found, dtype=torch.bool)
        for parent in (own.tuned, own.expert):
            magnitude = (parent[name] - own.base[name]).abs()
            kept = max(1, int((setting.density or 1) * magnitude.numel()))
            tied |= magnitude == magnitude.flatten().sort(descending=True).values[kept - 1]
        differs = found != expected[name]
        assert not (differs & ~tied).any(), name
        at_threshold += int(tied.sum())
        differing += int(differs.sum())
    total = sum(found.numel() for found in live(own).values())
    assert differing <= at_threshold
    assert differing < 0.01 * total


def test_dare_with_mergekits_masks_is_mergekits_bit_for_bit(own: LoadedPair) -> None:
    torch.manual_seed(5)
    expected_draw = torch.rand(3)
    torch.manual_seed(5)
    Resident(own, masks="mergekit", mask_seed=3).merge(DARE)
    assert torch.equal(torch.rand(3), expected_draw), "the global generator must be left as it was"
    expected = mergekit.merge(own, DARE, mask_seed=3)
    for name, found in live(own).items():
        assert torch.equal(bits(found), bits(expected[name])), name


def test_dare_with_counted_masks_is_mergekits_in_distribution(own: LoadedPair) -> None:
    """Which entries change, how many, and their norms: the moments that the method defines."""
    expert_alone = MergeSetting("dare", 0.0, 1.0, 0.3)
    Resident(own, mask_seed=1).merge(expert_alone)
    ours, theirs = live(own), mergekit.merge(own, expert_alone, mask_seed=1)
    for name in ("model.embed_tokens.weight", "model.layers.1.mlp.down_proj.weight"):
        base, whole = own.base[name].double(), (own.expert[name] - own.base[name]).double()
        movable = whole.abs() > 0.1 * whole.abs().mean()  # smaller ones are lost in the base's rounding
        norms = []
        for merged in (ours, theirs):
            change = merged[name].double() - base
            share = float((change != 0)[movable].double().mean())
            error = (0.3 * 0.7 / int(movable.sum())) ** 0.5
            assert abs(share - 0.3) < 4 * error + (0.02 if own.base[name].dtype == torch.bfloat16 else 0)
            norms.append(float(change.abs().sum()))
        assert norms[0] == pytest.approx(norms[1], rel=0.02)
        assert norms[0] == pytest.approx(float(whole.abs().sum()), rel=0.02)


@pytest.mark.parametrize("mode", ["mergekit", "paper"])
@pytest.mark.parametrize("setting", [TA, TIES, DARE], ids=lambda setting: setting.method)
def test_kernels_are_the_reference_methods(loaded: LoadedPair, mode: Mode, setting: MergeSetting) -> None:
    vectors = TaskVectors.of(loaded)
    density = setting.density or 1.0
    method = {
        "ta": Dare(setting.vl_weight, setting.exp_weight, 1.0),
        "ties": Ties(setting.vl_weight, setting.exp_weight, density, mode=mode),
        "dare": Dare(setting.vl_weight, setting.exp_weight, density, seed=4, mode=mode),
    }[setting.method]
    resident = Resident(loaded, mode=mode, mask_seed=4)
    resident.merge(setting)
    expected = method.merge(vectors)
    for name, found in live(loaded).items():
        torch.testing.assert_close(found, expected[name], atol=1e-6, rtol=0, msg=name)
    resident.merge(MergeSetting("ta", 1, 0))


def test_one_zero_restores_the_vlm_and_zero_zero_the_base(own: LoadedPair) -> None:
    resident = Resident(own)
    resident.merge(TIES)
    resident.self_test()
    for setting, parent in [
        (MergeSetting("ta", 0, 0), own.base),
        (MergeSetting("dare", 0, 0, 0.3), own.base),
        (MergeSetting("ties", 0, 1, 1.0), own.expert),
        (MergeSetting("ta", 1, 0), own.tuned),
    ]:
        resident.merge(setting)
        for name, found in live(own).items():
            assert torch.equal(bits(found), bits(parent[name])), (setting, name)


def test_a_live_parameter_that_was_replaced_fails_the_self_test(shipped: Pair) -> None:
    loaded = LoadedPair.load(shipped)
    resident = Resident(loaded)
    loaded.vlm.lm_head.weight = torch.nn.Parameter(loaded.vlm.lm_head.weight.detach().clone())
    with pytest.raises(MergeError, match=r"do not restore the base's lm_head\.weight"):
        resident.self_test()


def test_touching_anything_but_language_fails_the_self_test(shipped: Pair) -> None:
    loaded = LoadedPair.load(shipped)
    resident = Resident(loaded)
    vision = next(p for name, p in loaded.vlm.named_parameters() if "vision" in name)
    vision.data.view(-1)[0] += 1
    with pytest.raises(MergeError, match="more than they changed"):
        resident.self_test()


def test_fingerprints_follow_the_weights_and_nothing_else(own: LoadedPair) -> None:
    resident = Resident(own)
    settings = [TA, TIES, DARE, MergeSetting("ta", 0.6, 0.9), MergeSetting("ta", 1, 0)]
    seen = [resident.merge(setting) for setting in settings]
    assert len(set(seen)) == len(settings)
    assert resident.fingerprint() == seen[-1]
    assert Resident(own).merge(TA) == seen[0]
    parameter = own.vlm.state_dict()["lm_head.weight"]
    parameter.view(-1)[7] += 1
    assert resident.fingerprint() != seen[0]
    parameter.view(-1)[7] -= 1
    assert [resident.merge(setting) for setting in reversed(settings)] == seen[::-1]


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("setting", [TA, TIES, DARE], ids=lambda setting: setting.method)
def test_compiled_kernels_give_the_same_bits(loaded: LoadedPair, setting: MergeSetting) -> None:
    eager = Resident(loaded, compiled=False).merge(setting)
    compiled = Resident(loaded, compiled=True)
    assert compiled.merge(setting) == eager
    compiled.merge(MergeSetting("ta", 1, 0))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_fused_as_on_a_gpu_hashes_are_the_same() -> None:
    """Of `fingerprint.py`; here, since importing PyTorch's compiler takes ten seconds."""
    words = torch.randint(-(2**63), 2**63 - 1, (3, 1000), generator=torch.Generator().manual_seed(1))
    assert torch.equal(fingerprint.fused()(words[:2], words[2]), hash_rows(words[:2], words[2]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("setting", [TA, TIES], ids=lambda setting: setting.method)
def test_models_on_the_cpu_are_streamed_to_a_gpu_from_pinned_memory(shipped: Pair, setting: MergeSetting) -> None:
    loaded = LoadedPair.load(shipped)
    loaded.vlm.to("cuda")
    streamed, there = Resident(loaded, device="cpu"), Resident(loaded, device="cuda")
    assert streamed.merge(setting) == there.merge(setting)
    for slab in cut_into_slabs(loaded, torch.device("cpu"), step=1 << 26):
        assert slab.base.is_pinned()
        assert slab.vlm.is_pinned()
        assert slab.expert.is_pinned()


def test_masks_follow_their_seed(own: LoadedPair) -> None:
    assert Resident(own, mask_seed=1).merge(DARE) == Resident(own, mask_seed=1).merge(DARE)
    assert Resident(own, mask_seed=1).merge(DARE) != Resident(own, mask_seed=2).merge(DARE)


@pytest.mark.parametrize("masks", ["counter", "mergekit"])
def test_another_seed_needs_no_other_engine(own: LoadedPair, masks: Masks) -> None:
    expected = Resident(own, masks=masks, mask_seed=2).merge(DARE)
    resident = Resident(own, masks=masks, mask_seed=1)
    assert resident.merge(DARE) != expected
    resident.reseed(2)
    assert resident.merge(DARE) == expected


@pytest.mark.parametrize("setting", [TA, TIES, DARE], ids=lambda setting: setting.method)
def test_the_cut_into_lines_changes_nothing(
    own: LoadedPair, setting: MergeSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nano's tensors are small; with shorter blocks and lines most are large, and of several lines."""
    Resident(own).merge(setting)
    expected = live(own)
    monkeypatch.setattr("hpo_bench.merging.engine.slabs.BLOCK", 1 << 13)
    monkeypatch.setattr("hpo_bench.merging.engine.resident._EAGER", 1 << 13)
    Resident(own).merge(setting)
    for name, found in live(own).items():
        assert torch.equal(bits(found), bits(expected[name])), name


def test_a_merge_keeps_the_parameters_where_they_are(own: LoadedPair) -> None:
    before = {name: tensor.data_ptr() for name, tensor in own.vlm.state_dict().items()}
    Resident(own).merge(TIES)
    assert {name: tensor.data_ptr() for name, tensor in own.vlm.state_dict().items()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "papers"}, "mode must be one of mergekit, paper"),
        ({"masks": "random"}, "masks must be one of counter, mergekit"),
        ({"masks": "mergekit", "mode": "paper"}, "use masks='counter'"),
    ],
)
def test_unknown_options_are_refused(loaded: LoadedPair, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Resident(loaded, **options)


def test_another_shape_is_refused(loaded: LoadedPair) -> None:
    expert = {**loaded.expert, "lm_head.weight": loaded.expert["lm_head.weight"][1:]}
    with pytest.raises(MergeError, match=r"lm_head.weight: shape .* in the expert"):
        Resident(replace(loaded, expert=expert))


class Writes(MergeMethod):
    """Task Arithmetic, written into whatever it is given."""

    name, label = "writes", "Writes"

    def __init__(self, of: str) -> None:
        self.of = of

    def merge(self, vectors):
        given = getattr(vectors, self.of)
        for name, tensor in given.items():
            tensor.numpy()[...] += 0.5 * vectors.vlm[name].numpy()
        return {name: vectors.added(name, 0.5 * vectors.expert[name]) for name in given}


@pytest.mark.parametrize("of", ["base", "vlm", "expert"])
def test_a_formula_that_writes_into_what_it_is_given_changes_no_later_merge(loaded: LoadedPair, of: str) -> None:
    resident = Resident(loaded)
    clean, first = resident.merge(TA), resident.write(Writes(of))
    assert (resident.write(Writes(of)), resident.merge(TA)) == (first, clean)
    resident.self_test()


@pytest.mark.parametrize("what", ["parent", "recipe"])
def test_a_method_that_raises_anywhere_is_named_as_a_method_that_cannot_merge(loaded: LoadedPair, what: str) -> None:
    def raising(*_):
        raise ValueError("no")

    broken = type("Broken", (Writes,), {"label": "Broken", what: raising})
    with pytest.raises(
        MethodError, match=rf"the {what} of Broken raised ValueError: no \(test_resident.py, line \d+\)"
    ):
        Resident(loaded).write(broken("base"))


DROPPING = """
from dataclasses import dataclass
import torch
from hpo_bench.merging.methods.base import COEFFICIENTS, MergeMethod


@dataclass(frozen=True)
class Dropping(MergeMethod):
    name, label, hyperparameters, by_tensor, draws_masks = "dropping", "Dropping", COEFFICIENTS, True, True
    vl_weight: float
    exp_weight: float
    seed: int = 0

    def merge(self, vectors):
        drawn = torch.Generator().manual_seed(self.seed)
        kept = {name: torch.rand(tensor.shape, generator=drawn) < 0.5 for name, tensor in vectors.base.items()}
        return {name: vectors.added(name, kept[name] * vectors.expert[name]) for name in vectors.base}
"""


@pytest.mark.parametrize("masks", ["counter", "mergekit"])
def test_a_method_of_ones_own_is_given_the_seed_of_its_masks(
    loaded: LoadedPair, masks: Masks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("dropping.py").write_text(DROPPING, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    setting = MergeSetting("dropping:Dropping", 0.5, 0.5)
    resident = Resident(loaded, masks=masks, mask_seed=1)
    first = resident.merge(setting)
    resident.reseed(2)
    assert resident.merge(setting) != first
    resident.reseed(1)
    assert resident.merge(setting) == first


class WritesStatistics(MergeMethod):
    name, label, needs = "notes", "Notes", "fisher"

    def __init__(self, vlm, expert) -> None:
        self.vlm = vlm

    def merge(self, vectors):
        self.vlm["model.norm.weight"] += 1
        return dict(vectors.base)


def test_a_method_that_writes_into_statistics_merges_nothing_more(loaded: LoadedPair) -> None:
    both = ({"model.norm.weight": torch.ones(3)}, {"model.norm.weight": torch.ones(3)})
    resident = Resident(loaded, statistics={"fisher": both})
    with pytest.raises(MethodError, match=r"Notes wrote into the vlm's fisher of model\.norm\.weight, which it may"):
        resident.write(WritesStatistics(*both))
    with pytest.raises(MethodError, match=r"Notes wrote into .*; no merge after that is of these models"):
        resident.merge(TA)
    Resident(loaded).self_test()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_methods_are_given_float32_whatever_is_stored(loaded: LoadedPair, dtype: torch.dtype) -> None:
    stored = {name: tensor.to(dtype) for name, tensor in loaded.base.items()}
    vectors = TaskVectors.of(replace(loaded, base=stored))
    given = [getattr(vectors, role)[name] for role in ("base", "vlm", "expert") for name in vectors.base]
    assert {tensor.dtype for tensor in given} == {torch.float32}
