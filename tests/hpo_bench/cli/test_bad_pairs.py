"""Pairs that cannot be tuned or merged end in one line that says what, where and what to do; nothing is written."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import backbones
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from hpo_bench import cli

Made = Callable[[str], Path]
MERGE = ("-m", "ta", "--vl-weight", "0.5", "--exp-weight", "0.5", "--out", "out")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return cache(lambda name: backbones.build(tmp_path_factory.mktemp(name), name))


def unknown_architecture(made: Made, folder: Path) -> None:
    """A language model of another width stands as the base, of which nothing fits."""
    shutil.rmtree(folder / "base")
    shutil.copytree(made("qwen2-vl") / "base", folder / "base")
    configuration = json.loads((folder / "base" / "config.json").read_text())
    configuration["hidden_size"], wide = 16, {}
    (folder / "base" / "config.json").write_text(json.dumps(configuration))
    for file in (folder / "base").glob("*.safetensors"):
        wide |= load_file(file)
        file.unlink()
    (folder / "base" / "model.safetensors.index.json").unlink()
    narrow = {name: each[..., :16].contiguous() for name, each in wide.items()}
    save_file(narrow, folder / "base" / "model.safetensors", metadata={"format": "pt"})


def base_of_another_family(made: Made, folder: Path) -> None:
    shutil.rmtree(folder / "base")
    shutil.copytree(made("llava") / "base", folder / "base")


def expert_with_other_layers(made: Made, folder: Path) -> None:
    """The last layer is gone."""
    configuration = json.loads((folder / "expert" / "config.json").read_text())
    configuration |= {"num_hidden_layers": 1, "layer_types": configuration.get("layer_types", ["full_attention"])[:1]}
    (folder / "expert" / "config.json").write_text(json.dumps(configuration))
    kept: dict = {}
    for file in (folder / "expert").glob("*.safetensors"):
        kept |= {name: each for name, each in load_file(file).items() if ".layers.1." not in name}
        file.unlink()
    (folder / "expert" / "model.safetensors.index.json").unlink()
    save_file(kept, folder / "expert" / "model.safetensors", metadata={"format": "pt"})


def lora_of_another_base(made: Made, folder: Path) -> None:
    shutil.rmtree(folder / "expert")
    backbones.lora(made("qwen3-vl") / "base", folder / "expert", target_modules=["q_proj", "o_proj"], r=2)
    tensors = load_file(folder / "expert" / "adapter_model.safetensors")
    deeper = {name.replace("layers.1.", "layers.7."): each for name, each in tensors.items()}
    save_file(deeper, folder / "expert" / "adapter_model.safetensors")


def mapping_that_leaves_something(made: Made, folder: Path) -> None:
    with (folder / "pair.yaml").open("a") as file:
        file.write('language_prefixes: {"model.language_model.": "model."}\n')


def evaluation_of_no_kind(made: Made, folder: Path) -> None:
    with (folder / "pair.yaml").open("a") as file:
        file.write("evaluation: {kind: locl}\n")


def evaluation_with_a_mistyped_option(made: Made, folder: Path) -> None:
    with (folder / "pair.yaml").open("a") as file:
        file.write("evaluation: {max_new_token: 5}\n")


def dataset_without_the_column(made: Made, folder: Path) -> None:
    table = {"question": [f"{i}?" for i in range(20)], "answer": ["yes"] * 20, "photo": [""] * 20}
    pd.DataFrame(table).to_csv(folder / "questions.csv", index=False)
    with (folder / "pair.yaml").open("a") as file:
        file.write("examples: questions.csv\nevaluation: {category: topic, image: photo}\n")


CASES: dict[Callable[[Made, Path], None], tuple[tuple[str, ...], tuple[str, ...]]] = {
    unknown_architecture: (("merge", "pair", *MERGE), ("base", "give")),
    base_of_another_family: (("merge", "pair", *MERGE), ("q_norm.weight", "base")),
    expert_with_other_layers: (("merge", "pair", *MERGE), ("expert", "model.layers.1")),
    lora_of_another_base: (("merge", "pair", *MERGE), ("is no LoRA of this base", "model.layers.7")),
    mapping_that_leaves_something: (("merge", "pair", *MERGE), ("lm_head.weight", "language_prefixes")),
    evaluation_of_no_kind: (("doctor", "pair"), ("'locl'", "local")),
    evaluation_with_a_mistyped_option: (("doctor", "pair"), ("max_new_token", "did you mean", "max_new_tokens")),
    dataset_without_the_column: (("tune", "pair", "--trials", "2"), ("'topic'", "there are", "'photo'")),
}


@pytest.mark.parametrize("spoil", CASES, ids=lambda spoil: spoil.__name__)
def test_it_is_said_in_one_line_and_nothing_is_written(
    spoil: Callable[[Made, Path], None],
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil(made, Path(shutil.copytree(made("qwen3-vl"), "pair")))
    before = sorted(path for path in tmp_path.rglob("*"))
    command, names = CASES[spoil]
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([*command])
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert ended.value.code in (1, 2), said
    assert said.startswith("error: "), said
    assert "not foreseen" not in said
    assert [name for name in names if name not in said] == [], said
    assert sorted(path for path in tmp_path.rglob("*")) == before
