"""Heads and embeddings: tied as transformers ties them, whatever the configuration says; random weights (SYNTHETIC)."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import random_models
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.backbone import language_names
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.naming import Naming
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge, stream_merge

SETTING = MergeSetting("ta", 0.5, 0.75)
ROLES = ("base", "vlm", "expert")
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("ties"), "qwen2_vl", tied=request.param, shard="10MB")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda family: random_models.build(tmp_path_factory.mktemp("ties"), family, shard="10MB"))


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def reconfigure(folder: Path, *, top: Any = None, text: Any = None) -> None:
    """Write the flag at the top and under `text_config`, or take it away."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    for part, value in ((config, top), (config.get("text_config"), text)):
        if part is not None:
            part.pop("tie_word_embeddings", None)
            if value is not None:
                part["tie_word_embeddings"] = value
    file.write_text(json.dumps(config))


def rewrite(folder: Path, change: Callable[[Tensors, str, str], None]) -> None:
    """Change stored tensors; given them, and the names of embeddings and head."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    embeddings = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    change(tensors, embeddings, "language_model.lm_head.weight" if embeddings.startswith("language_model.") else HEAD)
    save_file(tensors, file, metadata={"format": "pt"})


def own_head(tensors: Tensors, embeddings: str, head: str) -> None:
    torch.manual_seed(7)
    tensors[head] = (0.02 * torch.randn(tensors[embeddings].shape)).to(torch.bfloat16)


def equal_head(tensors: Tensors, embeddings: str, head: str) -> None:
    tensors[head] = tensors[embeddings].clone()


def head_alone(tensors: Tensors, embeddings: str, head: str) -> None:
    tensors[head] = tensors.pop(embeddings)


def no_head(tensors: Tensors, _embeddings: str, head: str) -> None:
    tensors.pop(head, None)


FLAGS = [(True, None), (None, True), (True, False), (False, True), (None, None)]


@pytest.mark.parametrize("change", [own_head, equal_head, head_alone, no_head])
@pytest.mark.parametrize(
    ("family", "role", "top", "text"),
    [
        *(("qwen2_vl", "expert", top, None) for top in (True, False, None)),
        *(("qwen2_vl", "vlm", top, text) for top, text in FLAGS),
        *((family, "vlm", top, text) for family in ("llava", "idefics2") for top, text in FLAGS[1:3]),
    ],
)
def test_a_head_is_what_transformers_makes_of_it(
    families: Callable[[str], Path],
    family: str,
    role: str,
    top: bool | None,
    text: bool | None,
    change: Callable[[Tensors, str, str], None],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(families(family) / role, tmp_path / role))
    reconfigure(folder, top=top, text=text)
    rewrite(folder, change)
    checkpoint = StoredModel.of(Checkpoint.open(folder), Configuration.read(folder))
    naming = Naming.of(checkpoint, language_names(checkpoint))
    auto: Any = AutoModelForImageTextToText if role == "vlm" else AutoModelForCausalLM
    model, info = auto.from_pretrained(folder, dtype="auto", use_safetensors=True, output_loading_info=True)
    absent = {name for name in (EMBEDDINGS, HEAD) if not naming.tied and name not in naming.names}
    assert bool(absent) == bool(info["missing_keys"])
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert naming.tied == (embeddings.data_ptr() == head.data_ptr())
    for name, expected in ((EMBEDDINGS, embeddings), (HEAD, head)):
        assert name in absent or torch.equal(checkpoint.tensor(naming.place(name)), expected), name


@pytest.mark.parametrize("roles", [("vlm",), ("expert",), ("base",), ROLES])
def test_a_head_of_other_values_is_merged_as_a_head_though_the_configuration_says_tied(
    folder: Path, roles: tuple[str, ...], tmp_path: Path
) -> None:
    for role in ROLES:
        reconfigure(folder / role, top=True)
    for role in roles:
        rewrite(folder / role, own_head)
    for role in set(ROLES) - set(roles):
        rewrite(folder / role, no_head)
    pair = Pair.read(folder)
    diagnosis = diagnose(pair)
    assert diagnosis.fit
    notes = [f.message for f in diagnosis.findings if "stores a head of other values" in f.message]
    assert sorted(note.split("'s ")[0].removeprefix("the ") for note in notes) == sorted(roles)
    which = HEAD if "vlm" in roles else EMBEDDINGS
    alignment = Alignment.of(pair)
    base, vlm, expert = (alignment.read(role, alignment.names[role].place(which)).float() for role in ROLES)
    out = export_merge(pair, LoadedPair.load(pair), SETTING, tmp_path / "out")
    model: Any = AutoModelForImageTextToText.from_pretrained(out, dtype=torch.float32, use_safetensors=True)
    assert alignment.vocabulary is not None
    base, expert = alignment.vocabulary.align(vlm, base, expert)
    expected = base + 0.5 * (vlm - base) + 0.75 * (expert - base)
    torch.testing.assert_close(model.get_output_embeddings().weight, expected, rtol=2**-7, atol=1e-6)
    streamed = Checkpoint.open(stream_merge(pair, SETTING, tmp_path / "streamed"))
    at_once = Checkpoint.open(out)
    for name in at_once.tensors:
        assert torch.equal(at_once.tensor(name), streamed.tensor(name)), name


def test_a_head_that_differs_in_more_digits_than_are_loaded_is_refused(folder: Path) -> None:
    reconfigure(folder / "vlm", top=True)

    def differ_by_little(tensors: Tensors, embeddings: str, head: str) -> None:
        tensors[embeddings] = tensors[embeddings].float()
        tensors[head] = tensors[embeddings] * (1 + 1e-6)

    rewrite(folder / "vlm", differ_by_little)
    assert LoadedPair.load(Pair.read(folder), dtype="float32").names
    with pytest.raises(MergeError, match="which are the same in bfloat16; merge in float32"):
        LoadedPair.load(Pair.read(folder), dtype="bfloat16")


def test_tied_weights_pass_the_self_test_and_have_one_fingerprint(folder: Path) -> None:
    loaded = LoadedPair.load(Pair.read(folder))
    engine = Resident(loaded)
    engine.self_test()
    fingerprint = engine.merge(SETTING)
    assert fingerprint == engine.fingerprint() == Resident(loaded).fingerprint()
    engine.merge(MergeSetting("ta", 1.0, 0.0))
    assert fingerprint != engine.fingerprint()


def test_a_vlm_whose_head_would_be_filled_at_random_is_refused(folder: Path) -> None:
    for role in ROLES:
        reconfigure(folder / role, top=False)
        rewrite(folder / role, no_head)
    reconfigure(folder / "vlm", top=False, text=False)
    messages = [f.message for f in diagnose(Pair.read(folder)).findings if f.severity == "error"]
    assert messages == ["the VLM stores no head, and its configuration does not say `tie_word_embeddings: true`"]
