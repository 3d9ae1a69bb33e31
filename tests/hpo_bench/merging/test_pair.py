"""Pairs that cannot be read or do not fit together are refused before any work."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub.utils import filter_repo_objects

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


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
    ("keys", "message"),
    [
        ({"vlm": None}, "vlm is missing; write a folder beside it, or hf://"),
        ({"base": "nowhere"}, "'nowhere' does not exist"),
    ],
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


def test_a_key_that_is_given_twice_is_refused(copied: Path) -> None:
    path = copied / "pair.yaml"
    path.write_text("name: twice\nbase: base\nvlm: vlm\nexpert: expert\nvlm: base\n")
    with pytest.raises(UsageError, match=r"pair\.yaml, line 5: key 'vlm' was given on line 3 already; leave one out"):
        Pair.read(copied)
    path.write_text("name: twice\nbase: base\nvlm: vlm\nexpert: expert\nmerge: {norms: true, norms: false}\n")
    with pytest.raises(UsageError, match="line 5: key 'norms' was given on line 5 already"):
        Pair.read(copied)


def test_a_mistyped_key_gets_the_nearest(copied: Path) -> None:
    change(copied, evaluatoin={"kind": "local"})
    with pytest.raises(UsageError, match="did you mean 'evaluation'"):
        Pair.read(copied)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"merge": {"embedding": False}}, "no key 'embedding' in merge; did you mean 'embeddings'"),
        ({"merge": {"norms": "no"}}, "merge.norms must be true or false"),
        (
            {"merge": {"dtype": "float8"}},
            r"pair\.yaml: merge.dtype must be float32 or .*, not 'float8'; did you mean 'float32'",
        ),
        ({"merge": {"dtype": ["bfloat16"]}}, r"pair\.yaml: merge.dtype must be float32"),
        ({"language_prefixes": {"model.": 3}}, r"language_prefixes.model\. must be text, not 3"),
        ({"calibration": {"example": "mine.parquet"}}, "no key 'example' in calibration; did you mean 'examples'"),
        ({"evaluation": "lmms-eval"}, "evaluation must hold keys and values, not 'lmms-eval'"),
        ({"expert": "someone/expert"}, "write hf://someone/expert"),
        ({"expert": "https://huggingface.co/someone/expert"}, "write hf://someone/expert"),
        ({"expert": "HF:/someone/expert"}, "write hf://someone/expert"),
        ({"expert": "hf://no-owner"}, "is no hub model"),
    ],
)
def test_a_manifest_with_wrong_values_is_refused(copied: Path, keys: dict, message: str) -> None:
    change(copied, **keys)
    with pytest.raises(UsageError, match=message):
        Pair.read(copied)


def test_a_pair_without_a_benchmark_is_a_pair(copied: Path) -> None:
    change(copied, **dict.fromkeys(("examples", "domain", "benchmark", "licence", "notes")))
    pair = Pair.read(copied / "pair.yaml")
    assert pair.notes == ""
    assert set(pair.file_hashes()) == {"base", "vlm", "expert"}
    with pytest.raises(UsageError, match="has no examples of its own"):
        _ = pair.examples


def test_sections_are_passed_on_as_they_are(copied: Path) -> None:
    change(copied, evaluation={"kind": "local", "batch": 3}, merge={"head": False})
    pair = Pair.read(copied)
    assert pair.evaluation == {"kind": "local", "batch": 3}
    assert not pair.merge.head
    assert pair.merge.norms


def test_three_paths_are_a_pair(copied: Path) -> None:
    pair = Pair.of(base=str(copied / "base"), vlm=str(copied / "vlm"), expert=str(copied / "expert"))
    assert pair.vlm == (copied / "vlm").resolve()
    with pytest.raises(UsageError, match="--expert: 'nowhere' does not exist"):
        Pair.of(base=str(copied / "base"), vlm=str(copied / "vlm"), expert="nowhere")


def test_a_hub_model_is_fetched_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, shipped: Pair) -> None:
    asked: list[tuple[str, str | None]] = []

    def download(repository: str, *, revision: str | None, allow_patterns: list, ignore_patterns: list) -> str:
        assert "*.bin" in ignore_patterns
        assert not any(pattern.endswith((".bin", ".py")) for pattern in allow_patterns)
        asked.append((repository, revision))
        return str(shipped.expert)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    pair = Pair.of(base=str(shipped.base), vlm=str(shipped.vlm), expert="hf://owner/expert@v2")
    assert asked == []
    assert pair.expert == shipped.expert
    assert asked == [("owner/expert", "v2")]


@pytest.mark.parametrize("trusted", [False, True])
def test_code_and_terms_of_a_hub_model_are_fetched_where_they_are_asked_for(
    trusted: bool, monkeypatch: pytest.MonkeyPatch, shipped: Pair
) -> None:
    held = ["config.json", "own.py", "own.bin", "LICENSE", "NOTICE", "USE_POLICY.md", "README.md", "picture.png"]

    def download(_: str, *, allow_patterns: list[str], ignore_patterns: list[str], **__: object) -> str:
        kept = filter_repo_objects(held, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
        assert {*held} - {*kept} == {"own.bin", "picture.png"} | (set() if trusted else {"own.py"})
        return str(shipped.vlm)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    pair = Pair.of(base=str(shipped.base), vlm="hf://owner/vlm", expert=str(shipped.expert))
    assert replace(pair, trust_remote_code=trusted).vlm == shipped.vlm


def test_a_hub_that_cannot_be_reached_is_said_so(monkeypatch: pytest.MonkeyPatch, shipped: Pair) -> None:
    def download(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    pair = Pair.of(base=str(shipped.base), vlm=str(shipped.vlm), expert="hf://owner/expert")
    with pytest.raises(MergeError, match=r"hf://owner/expert: cannot be fetched: no route to host"):
        LoadedPair.load(pair)


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


def test_examples_may_be_a_folder_or_a_pattern_and_all_that_decides_them_is_hashed(copied: Path) -> None:
    shards = copied / "set" / "data"
    shards.mkdir(parents=True)
    for name in ("test-0.jsonl", "test-1.jsonl", "train-0.jsonl", "bird.png", "answers.json"):
        (shards / name).write_text(name)
    change(copied, evaluation={"kind": "local", "examples": "set/data/test-*.jsonl", "annotations": "answers.json"})
    pattern = Pair.read(copied)
    assert pattern.examples == (shards / "test-*.jsonl").resolve()
    assert list(pattern.file_hashes()["examples"]) == ["answers.json", "test-0.jsonl", "test-1.jsonl"]
    change(copied, evaluation={"kind": "local", "examples": "set"})
    assert list(Pair.read(copied).file_hashes()["examples"]) == [
        f"data/{name}" for name in ("answers.json", "test-0.jsonl", "test-1.jsonl", "train-0.jsonl")
    ]
    change(copied, evaluation={"kind": "local", "examples": "../*/set/*.jsonl"})
    with pytest.raises(UsageError, match="leads out of the pair's folder"):
        _ = Pair.read(copied).examples
