"""Pairs that cannot be read or do not fit together are refused before any work."""

import shutil
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import yaml

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.backbone import language_names
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.nano.shelf import find_pair


@pytest.fixture
def copied(shipped: Pair, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped.folder, tmp_path / "pair"))


def change(folder: Path, **keys: object) -> None:
    path = folder / "pair.yaml"
    content = {**yaml.safe_load(path.read_text()), **keys}
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))


def test_no_path_leads_out_of_the_folder(copied: Path) -> None:
    (copied.parent / "elsewhere").mkdir()
    change(copied, expert="../elsewhere")
    with pytest.raises(UsageError, match="leads out of the pair's folder"):
        Pair.read(copied)


@pytest.mark.parametrize(
    ("keys", "message"), [({"vlm": None}, "key 'vlm' is missing"), ({"base": "nowhere"}, "'nowhere' does not exist")]
)
def test_an_incomplete_manifest_is_refused(copied: Path, keys: dict, message: str) -> None:
    change(copied, **keys)
    with pytest.raises(UsageError, match=message):
        Pair.read(copied)


@pytest.mark.parametrize("text", ["- a\n- list\n", "key: [unclosed"])
def test_a_manifest_that_is_no_mapping_is_refused(copied: Path, text: str) -> None:
    (copied / "pair.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"pair\.yaml"):
        Pair.read(copied)


def test_truncated_weights_are_refused(copied: Path) -> None:
    weights = copied / "expert" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(MergeError, match="expert: cannot be loaded"):
        LoadedPair.load(Pair.read(copied))


def test_pickled_weights_are_refused(copied: Path) -> None:
    (copied / "expert" / "model.safetensors").unlink()
    torch.save({}, copied / "expert" / "pytorch_model.bin")
    with pytest.raises(MergeError, match="expert: cannot be loaded"):
        LoadedPair.load(Pair.read(copied))


def test_hashes_follow_the_bytes(copied: Path) -> None:
    before = Pair.read(copied).file_hashes()
    with (copied / "base" / "model.safetensors").open("ab") as file:
        file.write(b" ")
    after = Pair.read(copied).file_hashes()
    assert before["vlm"] == after["vlm"]
    assert before["base"] != after["base"]


def test_a_mistyped_pair_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'ja-llama'"):
        find_pair("ja-lama", tmp_path)


def test_a_pair_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hpo-bench nano build sums-llama"):
        find_pair("sums-llama", tmp_path)


class TestBackbone:
    lm: ClassVar = {"model.embed_tokens.weight": torch.zeros(5, 2), "lm_head.weight": torch.zeros(5, 2)}

    def vlm(self, prefix: str = "model.language_model.") -> dict[str, torch.Tensor]:
        language = {prefix + "embed_tokens.weight": torch.zeros(5, 2), "lm_head.weight": torch.zeros(5, 2)}
        return {**language, "model.vision_tower.layers.0.weight": torch.zeros(3)}

    def test_maps_every_language_weight_and_no_other(self) -> None:
        assert set(language_names("llava", self.vlm(), self.lm).values()) == set(self.lm)

    def test_a_resampler_that_looks_like_language_is_left_alone(self) -> None:
        vlm = self.vlm("model.text_model.")
        vlm["model.connector.perceiver_resampler.model.embed_tokens.weight"] = torch.zeros(1)
        assert len(language_names("idefics2", vlm, self.lm)) == 2

    @pytest.mark.parametrize(
        ("model_type", "vlm", "message"),
        [
            ("gpt2", {}, "no known language backbone"),
            ("llava", {"lm_head.weight": torch.zeros(5, 2)}, "only in the language model model.embed_tokens"),
            ("llava", {"model.language_model.extra": torch.zeros(1)}, "only in the VLM model.extra"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, model_type: str, vlm: dict, message: str) -> None:
        with pytest.raises(MergeError, match=message):
            language_names(model_type, vlm, self.lm)

    def test_other_shapes_are_refused(self) -> None:
        vlm = self.vlm()
        vlm["lm_head.weight"] = torch.zeros(6, 2)
        with pytest.raises(MergeError, match=r"lm_head.weight: shape \(6, 2\)"):
            language_names("llava", vlm, self.lm)
