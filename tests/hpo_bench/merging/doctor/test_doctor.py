"""The doctor's findings, on random models (SYNTHETIC) and on the shipped pair."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_models
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from hpo_bench.cli import cli
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.plausibility import LEAST_LIKENESS, matrices, measure, total
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.engine.footprint import resident_bytes
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("doctor"), "llava_next", shard="10MB")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def reconfigure(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def errors(folder: Path) -> str:
    return "; ".join(f.message for f in diagnose(Pair.read(folder)).findings if f.severity == "error")


def doctor(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["doctor", *map(str, arguments)])


def test_a_sound_pair_is_fit(folder: Path) -> None:
    diagnosis = diagnose(Pair.read(folder))
    assert diagnosis.fit
    kinds = diagnosis.mapping()
    assert {kind: row["tensors"] for kind, row in kinds.items()} == {
        "embeddings": 1, "attention": 8, "mlp": 6, "norms": 5, "head": 1,
    }  # fmt: skip
    assert diagnosis.kept()["prefixes"] == ["image_newline", "multi_modal_projector", "vision_tower"]
    vlm = diagnosis.alignment.models["vlm"].checkpoint
    assert sum(row["weights"] for row in kinds.values()) + diagnosis.kept()["weights"] == vlm.elements
    assert list(diagnosis.by_layer()) == ["embeddings", "0", "1", "norm", "head"]


def test_norms_and_cosines_are_those_of_a_direct_computation(shipped: Pair, loaded: LoadedPair) -> None:
    alignment = Alignment.of(shipped)
    name = "model.layers.2.mlp.up_proj.weight"
    base, vlm, expert = (side[name].double().numpy().ravel() for side in (loaded.base, loaded.tuned, loaded.expert))
    found = measure(alignment, [name])[name]
    v, e = vlm - base, expert - base
    assert found.size("vlm") == pytest.approx(np.linalg.norm(v) / np.linalg.norm(base), rel=1e-4)
    assert found.size("expert") == pytest.approx(np.linalg.norm(e) / np.linalg.norm(base), rel=1e-4)
    assert found.cosine == pytest.approx(v @ e / np.linalg.norm(v) / np.linalg.norm(e), abs=1e-4)
    for role, weights in (("vlm", vlm), ("expert", expert)):
        expected = weights @ base / np.linalg.norm(weights) / np.linalg.norm(base)
        assert found.likeness(role) == pytest.approx(expected, rel=1e-4)


def test_real_fine_tunes_are_far_above_the_threshold_and_unrelated_models_far_below(
    shipped: Pair, folder: Path, tmp_path: Path
) -> None:
    alignment = Alignment.of(shipped)
    real = total(measure(alignment, matrices(alignment.merged)))
    assert min(real.likeness("vlm"), real.likeness("expert")) > 0.9
    other = random_models.build(tmp_path / "other", "llava_next", seed=1, shard="10MB")
    shutil.rmtree(folder / "expert")
    shutil.copytree(other / "expert", folder / "expert")
    alignment = Alignment.of(Pair.read(folder))
    unrelated = total(measure(alignment, matrices(alignment.merged)))
    assert abs(unrelated.likeness("expert")) < 0.1 < LEAST_LIKENESS < 0.9 < unrelated.likeness("vlm")
    assert "the expert is not from this base" in errors(folder)
    with pytest.raises(MergeError, match="the expert is not from this base"):
        LoadedPair.load(Pair.read(folder))


def test_base_and_expert_that_are_swapped_are_told(shipped: Pair, tmp_path: Path) -> None:
    told = [finding.message for finding in diagnose(shipped).findings]
    assert not any("nearer" in message for message in told)
    folder = Path(shutil.copytree(shipped.folder, tmp_path / "pair"))
    (folder / "base").rename(tmp_path / "base")
    (folder / "expert").rename(folder / "base")
    (tmp_path / "base").rename(folder / "expert")
    told = [finding.message for finding in diagnose(Pair.read(folder)).findings]
    assert any(message.startswith("the VLM is nearer to the expert than to the base") for message in told)


def test_of_several_bases_the_one_with_the_smallest_task_vectors_is_named(folder: Path, tmp_path: Path) -> None:
    right = Path(shutil.copytree(folder / "base", tmp_path / "right"))

    def drift(tensors: dict[str, torch.Tensor]) -> None:
        generator = torch.Generator().manual_seed(3)
        for name, tensor in tensors.items():
            noise = torch.randn(tensor.shape, generator=generator)
            tensors[name] = (tensor.float() + 0.1 * tensor.float().std() * noise).to(tensor.dtype)

    rewrite(folder / "base", drift)
    diagnosis = diagnose(Pair.read(folder), candidates={"right": right, "expert itself": folder / "expert"})
    assert diagnosis.candidates[0].name == "right"
    assert diagnosis.candidates[0].distance == pytest.approx(0.02, rel=0.1)
    assert any(f.severity == "warning" and "right is nearer to both" in f.message for f in diagnosis.findings)
    assert diagnosis.fit


def test_a_candidate_of_another_architecture_is_no_candidate(folder: Path, shipped: Pair) -> None:
    diagnosis = diagnose(Pair.read(folder), candidates={"other": shipped.base})
    assert [candidate.name for candidate in diagnosis.candidates][-1] == "other"
    assert "layers: 2 in the VLM, 4 in the base; these are different" in diagnosis.candidates[-1].reason


def test_a_candidate_that_cannot_be_read_leaves_the_rest_of_the_report(folder: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(folder / "base", tmp_path / "broken"))
    (broken / "model.safetensors").unlink()
    diagnosis = diagnose(Pair.read(folder), candidates={"broken": broken})
    assert diagnosis.fit
    assert [candidate.name for candidate in diagnosis.candidates] == [str(folder / "base"), "broken"]
    assert "neither model.safetensors nor" in diagnosis.candidates[-1].reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tensors: tensors.update({"model.layers.0.self_attn.q_proj.bias": torch.zeros(64)}),
            "tensors of the expert that no tensor of the VLM maps to: model.layers.0.self_attn.q_proj.bias",
        ),
        (lambda tensors: tensors.pop("model.norm.weight"), "that the expert lacks: model.norm.weight"),
        (
            lambda tensors: tensors.update({"model.norm.weight": torch.ones(65)}),
            r"model.norm.weight is \(64,\) in the VLM and \(65,\) in the expert",
        ),
    ],
)
def test_a_language_tensor_without_its_counterpart_is_an_error(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None], message: str
) -> None:
    rewrite(folder / "expert", change)
    assert re.search(message, errors(folder))
    result = doctor(folder)
    assert result.exit_code == 1
    assert "A merge of these would be wrong." in result.output
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(Pair.read(folder))


def test_weights_of_equal_shape_under_another_architecture_are_an_error(folder: Path) -> None:
    reconfigure(folder / "expert", model_type="gemma", architectures=["GemmaForCausalLM"], hidden_act="silu")
    assert "architecture: mistral in the VLM, gemma in the expert, which compute otherwise" in errors(folder)
    reconfigure(folder / "expert", model_type="mistral", num_attention_heads=2, head_dim=32)
    assert "attention heads: 4 in the VLM, 2 in the expert" in errors(folder)


def test_differences_that_change_no_shape_are_warned_of(folder: Path) -> None:
    rope = {"rope_type": "default", "rope_theta": 1e6}
    reconfigure(folder / "expert", rope_parameters=rope, sliding_window=16, rms_norm_eps=1e-5)
    diagnosis = diagnose(Pair.read(folder))
    assert diagnosis.fit
    warnings = " ".join(f.message for f in diagnosis.findings if f.severity == "warning")
    for words in ("rope theta: 10000.0 in the VLM", "sliding window: ", "norm epsilon: 1e-06 in the VLM, 1e-05"):
        assert words in warnings


def test_a_vocabulary_of_another_family_is_an_error(folder: Path) -> None:
    foreign = [*random_models.SPECIAL, *(f"v{i}" for i in range(57))]
    random_models.tokenizer(foreign).save_pretrained(folder / "expert")
    assert "the expert shares only 5% of its tokens" in errors(folder)


def test_an_expert_that_is_the_base_has_nothing_to_inject(folder: Path) -> None:
    shutil.rmtree(folder / "expert")
    shutil.copytree(folder / "base", folder / "expert")
    assert "there is no skill to inject" in errors(folder)


def test_an_expert_that_is_the_vlm_has_nothing_to_inject(folder: Path) -> None:
    shutil.rmtree(folder / "expert")
    shutil.copytree(folder / "vlm", folder / "expert")
    message = "the expert's layers are the VLM's, so there is no skill to inject"
    assert message in errors(folder)
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(Pair.read(folder))


@pytest.mark.parametrize("role", ["base", "vlm", "expert"])
def test_a_tokenizer_that_is_not_the_embeddings_own_is_told_by_them(folder: Path, role: str) -> None:
    """The same words in another order, as where a later version of a model put some before all others."""
    words = [f"w{i}" for i in range(50)][::-1]
    further = {"base": [], "vlm": random_models.IMAGE, "expert": random_models.CONTROL}[role]
    random_models.tokenizer([*random_models.SPECIAL, *words, *further]).save_pretrained(folder / role)
    message = f"the {role.replace('vlm', 'VLM')}'s rows of embeddings or head, matched by token, are not those of the"
    assert message in errors(folder)
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(Pair.read(folder))
    with (folder / "pair.yaml").open("a") as file:
        file.write("merge: {embeddings: false, head: false}\n")
    assert not errors(folder)


def test_the_page_and_its_json_say_the_same(folder: Path) -> None:
    page, data = doctor(folder), doctor(folder, "--json")
    assert page.exit_code == data.exit_code == 0
    content = json.loads(data.stdout)
    assert content["fit"]
    assert content["vocabulary"]["expert"] == {"shared": 53, "only_vlm": 5, "only_other": 7, "moved": 50}
    sizes = [tensor.numel() for tensor in LoadedPair.load(Pair.read(folder)).base.values()]
    needed = resident_bytes(content["checkpoints"]["vlm"]["weights"], sizes, torch.bfloat16)
    assert content["memory"]["needed"]["bfloat16"] == content["memory"]["needed"]["stored"] == needed
    assert content["memory"]["needed"]["float32"] > needed
    assert content["base"]["vlm_relative"] == pytest.approx(0.02, rel=0.1)
    for words in ("These can be merged.", "language_model.lm_head.weight -> lm_head.weight", "vision_tower", "layer 1"):
        assert words in page.output
    for markup in ("[green]", "[bold]", "[/]"):
        assert markup not in page.output


@pytest.mark.parametrize(
    ("role", "name", "value"),
    [
        ("vlm", "vision_tower.encoder.layers.0.mlp.fc1.weight", float("nan")),
        ("vlm", "multi_modal_projector.linear_1.bias", float("inf")),
        ("vlm", "language_model.model.layers.1.mlp.up_proj.weight", float("nan")),
        ("expert", "model.layers.0.self_attn.k_proj.weight", float("-inf")),
    ],
)
def test_weights_that_are_no_numbers_are_named_and_end_in_one(folder: Path, role: str, name: str, value: float) -> None:
    found = []

    def poison(tensors: dict[str, torch.Tensor]) -> None:
        (full,) = [each for each in tensors if each.endswith(name)]
        tensors[full].view(-1)[5] = value
        found.append(full)

    rewrite(folder / role, poison)
    result = doctor(folder)
    assert result.exit_code == 1
    assert f"{found[0]} holds 1 weights that are NaN or infinite" in " ".join(result.output.split())


def test_of_many_broken_tensors_some_are_named_and_all_are_counted(folder: Path) -> None:
    def poison(tensors: dict[str, torch.Tensor]) -> None:
        for tensor in tensors.values():
            tensor.fill_(float("nan"))

    rewrite(folder / "vlm", poison)
    diagnosis = diagnose(Pair.read(folder))
    messages = [f.message for f in diagnosis.findings if f.severity == "error"]
    whole = len(diagnosis.alignment.models["vlm"].checkpoint.tensors)
    assert len(messages) == 4
    assert messages[-1] == f"and {whole - 3} more tensors hold weights that are NaN or infinite"


def test_what_cannot_be_read_ends_in_two(folder: Path) -> None:
    (folder / "expert" / "model.safetensors").unlink()
    result = doctor(folder)
    assert isinstance(result.exception, MergeError)  # which `main` turns into exit code 2
    assert "model.safetensors" in str(result.exception)
