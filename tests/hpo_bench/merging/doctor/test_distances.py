"""How far both models are from their base, by kind, and what is said of it."""

import json
from pathlib import Path

import pytest
import random_models
import torch
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.plausibility import Products, measure
from hpo_bench.merging.doctor.distances import PUBLISHED, by_kind, suggest
from hpo_bench.merging.pair import Pair

NAME = "model.layers.0.mlp.up_proj.weight"


def test_sizes_by_kind_are_those_of_a_direct_computation_and_stand_beside_published_ones(tmp_path: Path) -> None:
    folder = random_models.build(tmp_path / "pair", "qwen2_vl", noise=0.2)
    alignment = Alignment.of(Pair.read(folder))
    found = by_kind(measure(alignment))
    for kind, part in (("attention", "self_attn"), ("mlp", ".mlp."), ("head", "lm_head")):
        names = [name for name in alignment.merged if part in name and name.endswith("weight")]
        triples = [alignment.triple(name) for name in names]
        base = torch.cat([each.base.double().ravel() for each in triples])
        vlm = torch.cat([each.vlm.double().ravel() for each in triples])
        assert found[kind].size("vlm") == pytest.approx(float((vlm - base).norm() / base.norm()), rel=1e-4)
    page = CliRunner().invoke(cli, ["doctor", str(folder)]).output
    row = next(line.split() for line in page.splitlines() if line.split()[:1] == ["attention"] and "42 to 68%" in line)
    assert row[1] == f"{found['attention'].size('vlm'):.1%}"
    assert row[3] == "24%"
    data = json.loads(CliRunner().invoke(cli, ["doctor", str(folder), "--json"]).stdout)
    assert data["kinds"]["mlp"]["vlm_relative"] == pytest.approx(found["mlp"].size("vlm"))
    assert data["published"]["Qwen3-VL-8B"]["norms"] == [0.02, 0.02]


@pytest.mark.parametrize(
    ("vlm", "expert", "said"),
    [
        (0.2, 0.2, []),
        (0.1, 0.4, ["the expert's task vector is 4.0 times as long as the VLM's", "a small exp_weight"]),
        (0.2, 0.05, ["the VLM's task vector is 4.0 times as long as the expert's", "a small vl_weight"]),
        (0.2, 0.001, ["the VLM's task vector is 200.0 times", "so exp_weight will hardly change what a merge answers"]),
        # A pretrained pair of ours, or a LoRA of a few layers: short, and its weight decides everything.
        (0.0106, 0.0111, []),
        (0.4, 0.2, ["as far from this base as a long training takes it (40%"]),
        (0.0, 0.2, []),
    ],
)
def test_lengths_suggest_where_to_look(vlm: float, expert: float, said: list[str]) -> None:
    told = " ".join(finding.message for finding in suggest({NAME: Products(bb=1.0, vv=vlm**2, ee=expert**2)}))
    assert all(words in told for words in said)
    assert bool(told) == bool(said)


def test_what_is_not_known_of_a_published_vlm_is_left_open() -> None:
    qwen2_5 = PUBLISHED[1]
    assert qwen2_5.shown("norms") == ""
    assert qwen2_5.shown("attention") == "42 to 68%"
    assert [PUBLISHED[-1].shown(kind) for kind in ("mlp", "norms")] == ["1 to 1.1%", "0.6%"]
