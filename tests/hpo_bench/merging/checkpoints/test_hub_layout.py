"""A checkpoint's names to those of the hub, for every family."""

from pathlib import Path

import backbones
import pytest
from safetensors.torch import load_file, save_file

from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.hub_layout import hub_names
from hpo_bench.merging.pair import Pair

CLIP, SIGLIP = "llava", "gemma3"


def names(folder: Path) -> dict[str, str]:
    return dict(hub_names(Alignment.of(Pair.read(folder)).models["vlm"]))


@pytest.mark.parametrize(("family", "inside"), [(CLIP, "pre_layrnorm"), (SIGLIP, "post_layernorm")])
@pytest.mark.parametrize("layout", backbones.LAYOUTS)
def test_encoders_of_models_made_from_nothing_are_called_as_on_hubs(
    family: str, inside: str, layout: str, tmp_path: Path
) -> None:
    found = names(backbones.build(tmp_path / "pair", family, layout=layout))
    begin = "vision_tower." if layout == "hub" else "model.vision_tower."
    assert found[f"{begin}{inside}.weight"] == f"{begin}vision_model.{inside}.weight"
    apart = {hub for name, hub in found.items() if not name.startswith(begin)}
    assert apart == {name for name in found if not name.startswith(begin)}


def test_what_a_hub_holds_keeps_its_names(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", CLIP)
    before = names(folder)
    for file in (folder / "vlm").glob("*.safetensors"):
        save_file({before[name]: each for name, each in load_file(file).items()}, file, metadata={"format": "pt"})
    index = folder / "vlm" / "model.safetensors.index.json"
    if index.exists():
        text = index.read_text()
        for name, hub in before.items():
            text = text.replace(f'"{name}"', f'"{hub}"')
        index.write_text(text)
    after = names(folder)
    assert set(after) == set(before.values())
    assert all(name == hub for name, hub in after.items())


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3.5", "internvl", "idefics3", "mistral3"])
def test_other_families_have_their_hub_names_already(family: str, tmp_path: Path) -> None:
    assert all(name == hub for name, hub in names(backbones.build(tmp_path / "pair", family)).items())
