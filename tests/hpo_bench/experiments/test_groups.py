"""Weights by group of tensors: what is merged, what a gain is, and the command on sixteen of the shipped examples."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import RecordingError, UsageError
from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.experiments.groups import design
from hpo_bench.experiments.groups.design import FINER, UNIFORM, GroupedSetting, around, partitions, uniform
from hpo_bench.experiments.groups.measure import GroupedPair, GroupedTaskArithmetic
from hpo_bench.experiments.groups.page import better, gains
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.merging.methods.vectors import TaskVectors
from hpo_bench.merging.pair import Pair

NAMES = [
    "model.embed_tokens.weight",
    *(f"model.layers.{i}.{part}.weight" for i in range(4) for part in ("self_attn.q_proj", "mlp.up_proj")),
    "model.norm.weight",
    "lm_head.weight",
]


def test_partitions_part_attention_layers_and_vocabulary():
    first = {one.name: [name for name in NAMES if one.first(name)] for one in partitions(NAMES)}
    assert first["attention × rest"] == [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(4)]
    assert first["early × late layers"] == NAMES[:5]
    assert first["vocabulary × layers"] == [NAMES[0], NAMES[-1]]
    with pytest.raises(UsageError, match="two layers or more"):
        partitions([name for name in NAMES if ".layers." not in name or ".0." in name])


def test_every_way_has_as_many_merges_around_the_same_start():
    start = GroupedSetting(UNIFORM, 0.4, 0.8, 0.8)
    tried = list(around(start, NAMES))
    counts = {name: sum(s.among == name for s in tried) for name in {s.among for s in tried}}
    assert set(counts.values()) == {len(list(uniform()))}
    assert len(counts) == 1 + len(partitions(NAMES))
    assert all(s.first == s.second for s in tried if s.among == FINER)
    assert all(s.vl_weight == 0.4 for s in tried if s.among != FINER)


def test_equal_weights_are_task_arithmetic_and_others_differ_in_their_group_alone(shipped: Pair):
    loaded = LoadedPair.load(shipped)
    attention = partitions(list(loaded.base))[0]
    engine = Resident(loaded)

    def merged(method: MergeMethod) -> dict[str, torch.Tensor]:
        engine.write(method)
        return {name: tensor.clone() for name, tensor in loaded.read_language().items()}

    def grouped(first: float) -> GroupedTaskArithmetic:
        return GroupedTaskArithmetic(GroupedSetting(attention.name, 0.4, first, 0.8), attention)

    plain, equal, parted = merged(TaskArithmetic(0.4, 0.8)), merged(grouped(0.8)), merged(grouped(1.2))
    assert all(torch.equal(equal[name], plain[name]) for name in plain)
    changed = {name for name in plain if not torch.equal(parted[name], plain[name])}
    assert changed == {name for name in plain if "self_attn" in name and "norm" not in name}
    by_formula = grouped(1.2).merge(TaskVectors.of(loaded))
    assert all(torch.equal(parted[name], by_formula[name]) for name in plain)


@pytest.mark.parametrize("gain", [0.0, 0.2])
def test_a_gain_is_what_unseen_examples_gain(gain: float):
    rng = np.random.default_rng(0)
    settings = [*uniform(), *around(GroupedSetting(UNIFORM, 0.4, 0.8, 0.8), NAMES)]
    right = np.full(len(settings), 0.5)
    right[next(place for place, s in enumerate(settings) if s.among == "attention × rest")] += gain
    answers = (rng.random((len(settings), 3000)) < right[:, None]).astype(float)
    pair = GroupedPair("made", "language", tuple(settings), answers, settings[0])
    found = gains(pair, "attention × rest").mean()
    assert abs(found - gain) < 0.03  # three standard errors of a difference of two shares of 3,000
    # Were the choice scored where it was made, the best of 50 equal ones would seem three standard errors better.
    assert better(pair, "attention × rest").endswith("1" if gain else "0")


def test_the_command_goes_on_where_it_was(shipped: Pair, questions: tuple[Example, ...], tmp_path: Path, monkeypatch):
    for name in ("VL_LEVELS", "EXP_LEVELS", "VL_STEPS", "EXP_STEPS"):
        monkeypatch.setattr(design, name, getattr(design, name)[1::2])
    folder = Path(shutil.copytree(shipped.folder, tmp_path / "pair"))
    write_examples(questions[:16], folder / shipped.examples.name)

    command = ["groups", str(folder), "--out", str(tmp_path / "out")]

    def run() -> str:
        done = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return (tmp_path / "out" / "groups.md").read_text(encoding="utf-8")

    page = run()
    assert "| ja-llama |" in page
    assert "early × late layers" in page
    journal = tmp_path / "out" / "ja-llama.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 4 * 5
    journal.write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
    assert run() == page
    assert journal.read_bytes() == b"".join(lines)
    with pytest.raises(RecordingError, match="other evaluation"):  # answers to other examples are not mixed with these
        CliRunner().invoke(cli, [*command, "--limit", "8"], catch_exceptions=False)
    assert journal.read_bytes() == b"".join(lines)
