"""Finding pairs, the study's six, and those of today's models."""

import os
import shlex
import shutil
from pathlib import Path

import pytest

from hpo_bench import cli
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


# Base, VLM and expert, and what is easily got wrong.
TODAY = {
    "ja-qwen3-vl-8b": (
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-VL-8B-Instruct", "tokyotech-llm/Qwen3-Swallow-8B-SFT-v0.2"),
        ("--candidate-base hf://Qwen/Qwen3-8B-Base", "Rope theta is 5e6 in Qwen3-VL", "DeepStack"),
    ),
    "medical-gemma3-27b": (
        ("google/gemma-3-27b-pt", "google/gemma-3-27b-it", "google/medgemma-27b-text-it"),
        ("itself a VLM", "the VLM's task vector is zero", "262208", "tied"),
    ),
    "maths-qwen2.5-vl-7b": (
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen2.5-Math-7B"),
        ("without Instruct", "rope theta 1e4 and 4096 positions", "biases"),
    ),
    "maths-internvl3-8b": (
        ("Qwen/Qwen2.5-7B", "OpenGVLab/InternVL3-8B-hf", "Qwen/Qwen2.5-Math-7B"),
        ("not with their chat models", "internvl_chat", "151674", "rope theta 1e4"),
    ),
    "instructions-qwen3-vl-4b": (
        ("Qwen/Qwen3-4B", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-4B-Instruct-2507"),
        ("embeddings are tied", "nothing is left to inject", "Rope theta is 5e6"),
    ),
}


def test_the_studys_six_pairs_and_those_of_today_are_there() -> None:
    assert set(find.ready_names()) == {*STUDY, *TODAY}


@pytest.mark.parametrize("name", TODAY)
def test_a_pair_of_today_says_what_it_is_of_what_is_easily_got_wrong_and_that_it_never_ran(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("nothing was asked for yet"))
    pair = find.find_pair(name)
    models, traps = TODAY[name]
    assert pair.name == name
    assert tuple(pair.sources.values()) == tuple(map(HubModel, models))
    told = " ".join(pair.traps)
    for words in traps:
        assert words in told
    assert "- " not in told  # a word that was torn at its hyphen
    assert pair.file is not None
    assert "never run here" in " ".join(pair.file.read_text("utf-8").split())
    assert "not yet run on the weights" in pair.notes
    assert f"hpo-bench doctor {name}" in pair.notes
    assert pair.licence.startswith("weights ")
    assert pair.evaluation["kind"] == "lmms-eval"
    assert pair.merge.dtype == "bfloat16"


def test_what_is_easily_got_wrong_is_told_before_gigabytes_are_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "ja-qwen3-vl-8b"])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert "hf://Qwen/Qwen3-8B: cannot be fetched: no network; gated models need" in told.err
    pair, said = find.find_pair("ja-qwen3-vl-8b"), " ".join(told.out.split())
    for text in (*pair.traps, pair.notes, pair.licence):
        assert " ".join(text.split()) in said


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


def test_what_a_command_is_told_of_a_pair_finds_it(
    shipped: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find.find_pair("ja-llama").arguments == "ja-llama"
    mine = Path(shutil.copytree(shipped.folder, tmp_path / "my pairs" / "one"))
    other = mine / "own.yaml"
    other.write_text((mine / "pair.yaml").read_text().replace("name: ja-llama", "name: another"))
    for stands, told in ((tmp_path, ("'my pairs/one'", "'my pairs/one/own.yaml'")), (mine, ("pair.yaml", "own.yaml"))):
        monkeypatch.chdir(stands)
        for file, words in zip(("pair.yaml", "own.yaml"), told, strict=True):
            pair = Pair.read(mine / file)
            assert pair.arguments == pair.arguments_of_vlm == words
            assert find.find_pair(*shlex.split(words)).name == pair.name
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Pair.read(mine).arguments == "one", "and not where it lies on this machine"


def test_of_a_mistyped_folder_the_nearest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-pair").mkdir()
    (tmp_path / "my-pair" / "pair.yaml").touch()
    with pytest.raises(UsageError, match=r"no pair is called 'my-par'.*; did you mean 'my-pair'"):
        find.find_pair("my-par")


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
