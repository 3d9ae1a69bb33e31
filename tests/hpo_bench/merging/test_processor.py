"""Processors of real families are loaded as published, and what is missing is named."""

import json
from io import BytesIO
from pathlib import Path

import families
import pytest
import torch
from PIL import Image

from hpo_bench.errors import MergeError
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import load_processor

CLASSES = {
    "llava": ("LlavaProcessor", "left"),
    "llava_next": ("LlavaNextProcessor", "left"),
    "qwen2_vl": ("Qwen2VLProcessor", "left"),
    "qwen2_5_vl": ("Qwen2_5_VLProcessor", "left"),
    "idefics2": ("Idefics2Processor", "right"),
}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family_answers_a_question_through_its_own_processor(family: str, tmp_path: Path) -> None:
    loaded = LoadedPair.load(Pair.read(families.build(tmp_path, family)))
    own = loaded.processor
    assert (type(own).__name__, own.tokenizer.padding_side) == CLASSES[family]
    example = families.examples(1)[0]
    parts = [{"type": "image"}, {"type": "text", "text": "what is this?"}]
    text = own.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False)
    image = Image.open(BytesIO(example.images[0])).convert("RGB")
    inputs = own(text=[text], images=[[image]], return_tensors="pt")
    assert inputs["input_ids"].tolist()[0].count(own.image_token_id) > 1
    with torch.inference_mode():
        assert loaded.vlm(**inputs).logits.isfinite().all()


def test_a_processor_that_needs_torchvision_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo_bench.merging.processor.find_spec", lambda _: None)
    (tmp_path / "processor_config.json").write_text(json.dumps({"processor_class": "PixtralProcessor"}))
    with pytest.raises(MergeError, match=r"torchvision, which is missing; .*hpo-bench\[vision\]"):
        load_processor(tmp_path)


def test_doctor_tells_of_a_missing_template(tmp_path: Path) -> None:
    pair = Pair.read(families.build(tmp_path, "qwen2_vl"))
    assert not [one for one in diagnose(pair).findings if "chat template" in one.message]
    (pair.vlm / "chat_template.jinja").unlink()
    (found,) = [one for one in diagnose(pair).findings if "chat template" in one.message]
    assert (found.severity, "asked as bare texts" in found.message) == ("warning", True)
