"""Language backbones are found and merged without hints, in every family and layout; random weights (SYNTHETIC).

`HPO_BENCH_ALL=1` merges every family in every layout; else every family is looked at once, and one of a kind merged.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import backbones
import pytest
import torch

from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.hub_layout import hub_names
from hpo_bench.merging.checkpoints.skeleton import auto_class
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge

VL, EXP = 0.5, 0.75
UNTIED = ("mllama",)  # whose embeddings have more rows than its head
EVERY = [
    (name, layout, tied)
    for name in backbones.FAMILIES
    for layout in backbones.LAYOUTS
    for tied in (False, True)
    if not (tied and name in UNTIED)
]
ONCE = [
    (name, backbones.LAYOUTS[at // 2 % 2], at % 2 == 1 and name not in UNTIED)
    for at, name in enumerate(backbones.FAMILIES)
]
MERGED = [
    ("llava", "memory", True),
    ("qwen3.5", "hub", False),
    ("gemma4", "hub", True),
    ("phi4-multimodal", "hub", False),
    ("mllama", "hub", False),
    ("qwen3-vl-moe", "hub", False),
    ("glm4v-moe", "hub", True),
]
if os.environ.get("HPO_BENCH_ALL"):
    ONCE = MERGED = EVERY
else:
    ONCE = [case for case in ONCE if case[0] not in {name for name, _, _ in MERGED}] + MERGED


def _id(case: tuple[str, str, bool]) -> str:
    name, layout, tied = case
    return f"{name}-{layout}{'-tied' if tied else ''}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @cache
    def build(name: str, layout: str, tied: bool) -> Pair:
        return Pair.read(backbones.build(tmp_path_factory.mktemp(name), name, layout=layout, tied=tied))

    return build


@pytest.mark.parametrize("case", ONCE, ids=_id)
def test_language_is_found_without_hints(
    case: tuple[str, str, bool], built: Any, record_property: Callable[[str, Any], None]
) -> None:
    name, layout, tied = case
    alignment = Alignment.of(built(*case))
    assert [finding.message for finding in alignment.findings if finding.severity == "error"] == []
    family = backbones.FAMILIES[name]
    base = Checkpoint.open(alignment.models["base"].folder)
    expected = {theirs: backbones.in_vlm(family, theirs) for theirs in alignment.names["base"].names}
    assert alignment.language == expected
    assert len(expected) >= len([one for one in base.tensors if ".experts." not in one])
    assert ("lm_head.weight" in expected) == (not tied)
    stored = set(alignment.models["vlm"].checkpoint.tensors)
    sources = alignment.models["vlm"].sources
    merged = {part for ours in expected.values() for part in sources[ours].parts}
    assert set(alignment.copied) == stored - merged
    assert set(family.further) <= set(alignment.copied) or layout == "memory"
    record_property("families", [name, tied, f"found-{layout}"])


@pytest.mark.parametrize("case", MERGED, ids=_id)
def test_a_merge_is_exact_loads_and_answers_as_it_should(
    case: tuple[str, str, bool], built: Any, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    pair = built(*case)
    assert diagnose(pair).fit
    loaded = LoadedPair.load(pair)
    Resident(loaded).self_test()
    out = export_merge(pair, loaded, MergeSetting("ta", VL, EXP), tmp_path / "out")

    before, after = Checkpoint.open(pair.vlm), Checkpoint.open(out)
    alignment = Alignment.of(pair)
    hub = hub_names(alignment.models["vlm"])
    assert {hub[name]: info for name, info in before.tensors.items()} == after.tensors
    for name in set(alignment.copied):
        assert torch.equal(before.tensor(name), after.tensor(hub[name])), name

    family = backbones.FAMILIES[case[0]]
    base, vlm, expert, merged = (transformers_loads(folder) for folder in (pair.base, pair.vlm, pair.expert, out))
    states = {role: model.state_dict() for role, model in (("base", base), ("vlm", vlm), ("expert", expert))}
    expected = {name: weight.clone() for name, weight in states["vlm"].items()}
    for name, start in states["base"].items():
        ours = backbones.in_vlm(family, name)
        expected[ours] = formula(start, states["vlm"][ours], states["expert"][name])
    assert set(expected) == set(merged.state_dict())
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(
            weight, expected[name], rtol=2**-8, atol=1e-6, msg=lambda text, at=name: f"{at}: {text}"
        )
    told = logits(merged)
    assert not torch.equal(told, logits(vlm))
    vlm.load_state_dict({name: weight.to(torch.bfloat16).float() for name, weight in expected.items()})
    torch.testing.assert_close(told, logits(vlm), rtol=0.05, atol=0.02)
    record_property("families", [case[0], case[2], f"exact-{case[1]}"])


def formula(base: torch.Tensor, vlm: torch.Tensor, expert: torch.Tensor) -> torch.Tensor:
    """Task Arithmetic with rows matched by token; what base or expert have no row for is the VLM's or has no vector."""
    if base.shape != vlm.shape:
        rows = {role: list(backbones.VOCABULARIES[role]) for role in ("base", "vlm", "expert")}
        moved = {"base": vlm.clone(), "expert": vlm.clone()}
        for at, token in enumerate(rows["vlm"]):
            if token in rows["base"]:
                moved["base"][at] = moved["expert"][at] = base[rows["base"].index(token)]
                if token in rows["expert"]:
                    moved["expert"][at] = expert[rows["expert"].index(token)]
        base, expert = moved["base"], moved["expert"]
    return base + VL * (vlm - base) + EXP * (expert - base)


def transformers_loads(folder: Path) -> Any:
    configuration = Configuration.read(folder)
    auto = auto_class(configuration.whole, sees=configuration.sees)
    model, info = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, use_safetensors=True)
    assert not info["missing_keys"]
    return model.eval()


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    ids = torch.arange(3, 15).view(2, 6)
    extra = {"mm_token_type_ids": torch.zeros_like(ids)} if "qwen" in model.config.model_type else {}
    return model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **extra).logits
