"""Finding pairs, and the study's six."""

import os
from pathlib import Path

import pytest

from hpo_bench.errors import UsageError
from hpo_bench.merging import find
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import HubModel

# VLM and expert as in the study's appendix A; lmms-lab's own format has a conversion under llava-hf.
STUDY = {
    "zh-llava-mistral-7b": ("llava-hf/llava-v1.6-mistral-7b-hf", "shenzhi-wang/Mistral-7B-v0.3-Chinese-Chat"),
    "ja-llava-llama3-8b": ("llava-hf/llama3-llava-next-8b-hf", "elyza/Llama-3-ELYZA-JP-8B"),
    "maths-llava-llama3-8b": ("llava-hf/llama3-llava-next-8b-hf", "hkust-nlp/dart-math-llama3-8b-prop2diff"),
    "maths-llava-mistral-7b": ("llava-hf/llava-v1.6-mistral-7b-hf", "hkust-nlp/dart-math-mistral-7b-prop2diff"),
    "instructions-qwen2-vl-7b": ("Qwen/Qwen2-VL-7B", "Qwen/Qwen2-7B-Instruct"),
    "instructions-idefics2-8b": ("HuggingFaceM4/idefics2-8b-base", "mistralai/Mistral-7B-Instruct-v0.1"),
}
TRAPS = {
    "zh-llava-mistral-7b": ("Mistral-7B-Instruct-v0.2", "768 control tokens shift every token id", "32768"),
    "ja-llava-llama3-8b": ("both come from Meta-Llama-3-8B-Instruct", "lmms-lab/llama3-llava-next-8b"),
    "maths-llava-llama3-8b": ("common ancestor is Meta-Llama-3-8B", "--candidate-base"),
    "maths-llava-mistral-7b": ("rope theta 1e4 and a sliding window of 4096", "The VLM's configuration is kept"),
    "instructions-qwen2-vl-7b": ("biases", "embeddings are tied", "stay the VLM's"),
    "instructions-idefics2-8b": ("resampler holds names that look like language layers", "32003"),
}
CALIBRATION = {
    "zh": ["hf://hfl/alpaca_zh_51k"],
    "ja": ["hf://fujiki/japanese_alpaca_data"],
    "maths": ["hf://hendrycks/competition_math", "hf://openai/gsm8k"],
    "instructions": ["hf://databricks/databricks-dolly-15k"],
}


def test_the_studys_six_pairs_are_there() -> None:
    assert set(find.study_names()) == set(STUDY)


@pytest.mark.parametrize("name", STUDY)
def test_each_has_its_models_traps_and_calibration_sets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("nothing was asked for yet"))
    pair = find.find_pair(name)
    assert pair.name == name
    assert all(isinstance(source, HubModel) for source in pair.sources.values())
    assert (pair.sources["vlm"], pair.sources["expert"]) == tuple(HubModel(model) for model in STUDY[name])
    traps = " ".join(pair.traps)
    for words in TRAPS[name]:
        assert words in traps
    assert "- " not in traps  # a word that was torn at its hyphen
    expert = pair.calibration["expert"]
    assert expert.get("datasets", [expert.get("dataset")]) == CALIBRATION[name.split("-")[0]]
    assert expert["samples"] == pair.calibration["vlm"]["samples"] == 500
    assert pair.evaluation["kind"] == "lmms-eval"
    assert "not yet run on the weights" in pair.notes


def test_bases_are_what_both_come_from() -> None:
    bases = {name: str(find.find_pair(name).sources["base"]).removeprefix("hf://") for name in STUDY}
    assert bases == {
        "zh-llava-mistral-7b": "mistralai/Mistral-7B-Instruct-v0.2",
        "ja-llava-llama3-8b": "meta-llama/Meta-Llama-3-8B-Instruct",
        "maths-llava-llama3-8b": "meta-llama/Meta-Llama-3-8B",
        "maths-llava-mistral-7b": "mistralai/Mistral-7B-v0.1",
        "instructions-qwen2-vl-7b": "Qwen/Qwen2-7B",
        "instructions-idefics2-8b": "mistralai/Mistral-7B-v0.1",
    }


def test_pairs_are_found_by_name_folder_and_file(shipped: Pair) -> None:
    file = shipped.folder / "pair.yaml"
    for typed in (str(shipped.folder), str(file)):
        assert find.find_pair(typed) == find.find_pair(str(shipped.folder))
    assert find.given(str(file), base=None, vlm=None, expert=None).name == shipped.name


def test_three_places_are_found_from_where_the_user_is(shipped: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped.folder)
    pair = find.given(None, base="base", vlm="vlm", expert=os.path.join(shipped.folder, "expert"))
    assert pair.base == Path(shipped.base)
    assert pair.arguments == f"--base {pair.base} --vlm {pair.vlm} --expert {pair.expert}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("zh-llava-mistral-7", None, None, None), "did you mean 'zh-llava-mistral-7b'"),
        (("ja-llama", "base", None, None), "either PAIR or its models' places .*, not both"),
        ((None, "base", None, "expert"), "missing: --vlm"),
        (("nowhere/pair.yaml", None, None, None), "nowhere/pair.yaml does not exist"),
    ],
)
def test_what_is_not_there_is_said_so(arguments: tuple, message: str) -> None:
    name, base, vlm, expert = arguments
    with pytest.raises(UsageError, match=message):
        find.given(name, base=base, vlm=vlm, expert=expert)
