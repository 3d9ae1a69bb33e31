"""docs/from_a_lora.md from its first command to the export: a LoRA, a csv of questions with pictures, and a Qwen3-VL.

Models are tiny and of random weights (SYNTHETIC); what the page fetches from the hub lies beside its pair here.
"""

from pathlib import Path
from typing import Any

import backbones
import families
import pandas as pd
import pytest
from documents import ROOT, blocks, commands
from transformers import AutoModelForImageTextToText
from tuning_toys import open_here

from hpo_bench.cli import tree
from hpo_bench.tuning.study import Study

PAGE = ROOT / "docs" / "from_a_lora.md"
HUB = {"hf://Qwen/Qwen3-4B ": "base ", "hf://Qwen/Qwen3-VL-4B-Instruct": "vlm"}


def prepared(folder: Path) -> Path:
    """What readers have: the three models, the spreadsheet and the photos."""
    families.build(folder, "qwen3-vl")
    backbones.lora(folder / "base", folder / "lora")
    (folder / "photos").mkdir()
    asked = [one for one in families.examples(80, pictured=True) if len(one.images) == 1]
    for place, one in enumerate(asked):
        (folder / "photos" / f"{place}.png").write_bytes(one.images[0])
    table = {
        "Frage": [one.question.removeprefix("<image>\n") for one in asked],
        "Antwort": [one.answer for one in asked],
        "Foto": [f"{place}.png" for place in range(len(asked))],
    }
    pd.DataFrame(table).to_csv(folder / "questions.csv", sep=";", index=False, encoding="utf-8-sig")
    return folder


def test_five_commands_lead_to_an_exported_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpo_bench.tuning.run.open_workers", open_here)
    prepared(Path("my-pair"))
    run = []
    for block in blocks(PAGE.read_text("utf-8")):
        if block.title:
            text = block.code
            for there, here in HUB.items():
                assert there in text
                text = text.replace(there, here)
            Path(block.title).write_text(text, "utf-8")
        for words in commands(block):
            words = ["2" if word == "40" else word for word in words]
            assert tree.run(words) == 0, words
            run.append(words[0])
    assert run == ["examples", "doctor", "tune", "tune", "export"]
    study = Study.open("my-pair-ta-gp-bo-0")
    assert [trial.state for trial in study.trials] == ["complete"] * 2
    assert "Loaded again, it answers" in Path("merged/README.md").read_text()
    model: Any = AutoModelForImageTextToText.from_pretrained("merged")
    assert type(model).__name__ == "Qwen3VLForConditionalGeneration"
