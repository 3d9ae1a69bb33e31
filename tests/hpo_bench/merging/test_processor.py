"""Processors of real families are loaded as published, and what is missing is named."""

import json
from pathlib import Path

import families
import pytest
from transformers import AutoConfig

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import disagreements, load_processor

ASKED = [name for name, family in families.FAMILIES.items() if not family.missing]


@pytest.mark.parametrize("name", ASKED)
def test_processors_are_read_as_published_without_what_looks_at_videos(name: str, tmp_path: Path) -> None:
    families.processor(name).save_pretrained(tmp_path)
    own, family = load_processor(tmp_path), families.FAMILIES[name]
    assert type(own).__name__ == f"{family.processor[0]}Processor"
    assert own.tokenizer.padding_side == family.padding_side
    prompts = Prompts(own)
    assert prompts.framed == bool(family.template)
    two = prompts.text(Example("two", "", "<image>\n<image>\nwhat is this?", (b"1", b"2"), "this"))
    assert two.count(family.image) == 2
    assert "what is this?" in two


def test_a_processor_that_needs_torchvision_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo_bench.merging.processor.find_spec", lambda _: None)
    (tmp_path / "processor_config.json").write_text(json.dumps({"processor_class": "PixtralProcessor"}))
    with pytest.raises(MergeError, match=r"torchvision, which is missing; .*hpo-bench\[vision\]"):
        load_processor(tmp_path)


def test_doctor_tells_of_a_missing_template(tmp_path: Path) -> None:
    pair = Pair.read(families.build(tmp_path, "qwen2-vl"))
    assert not [one for one in diagnose(pair).findings if "chat template" in one.message]
    (pair.vlm / "chat_template.jinja").unlink()
    (found,) = [one for one in diagnose(pair).findings if "chat template" in one.message]
    assert (found.severity, "asked as bare texts" in found.message) == ("warning", True)


def edited(folder: Path, name: str, change: dict[str, object]) -> None:
    """Change keys of a file of JSON wherever they stand in it."""
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))

    def walk(part: dict) -> None:
        for key, value in part.items():
            if key in change:
                part[key] = change[key]
            elif isinstance(value, dict):
                walk(value)

    walk(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("family", ["llava-next", "aya-vision", "gemma3"])
def test_processors_as_published_go_with_their_models(family: str, tmp_path: Path) -> None:
    folder = families.build(tmp_path, family)
    config = AutoConfig.from_pretrained(folder / "vlm")
    assert disagreements(load_processor(folder / "vlm"), config) == []


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("llava-next", "image_grid_pinpoints", [[48, 48]]),
        ("llava-next", "vision_feature_select_strategy", "full"),
        ("llava", "patch_size", 3),
        ("qwen2-vl", "merge_size", 1),
        ("idefics2", "image_seq_len", 3),
    ],
)
def test_a_processor_of_another_model_is_found_before_a_trial(
    family: str, key: str, value: object, tmp_path: Path
) -> None:
    folder = families.build(tmp_path, family)
    (file,) = [one.name for one in (folder / "vlm").glob("*processor_config.json") if f'"{key}"' in one.read_text()]
    edited(folder / "vlm", file, {key: value})
    pair = Pair.read(folder)
    (error,) = [one.message for one in diagnose(pair).findings if one.severity == "error"]
    assert key in error
    assert "in its processor's files, and" in error
    with pytest.raises(UsageError, match=f"{key} is .* so that not every picture can be shown"):
        open_evaluator(pair, LoadedPair.load(pair))
