"""Rows are matched by token, case by case of the table in the module."""

import json
from pathlib import Path

import random_models
import torch

from hpo_bench.merging.checkpoints.vocabulary import VocabularyMap, read_vocabulary

VLM = {"a": 0, "b": 1, "c": 2, "<image>": 3, "<pad>": 4}
BASE = {"a": 0, "b": 1, "c": 2}
EXPERT = {"[control]": 0, "b": 1, "a": 2, "<pad>": 3}
ROWS = {"vlm": 6, "base": 3, "expert": 4}


def rows(first: float, count: int) -> torch.Tensor:
    return torch.arange(count, dtype=torch.float32)[:, None].expand(count, 2) + first


def test_each_row_is_its_tokens() -> None:
    vlm, base, expert = rows(100, 6), rows(200, 3), rows(300, 4)
    started, expertly = VocabularyMap.of(VLM, BASE, EXPERT, ROWS).align(vlm, base, expert)
    # a and b are in all; c is not in the expert; <image>, <pad> and the last row are not in the base
    assert started[:, 0].tolist() == [200, 201, 202, 103, 104, 105]
    assert expertly[:, 0].tolist() == [302, 301, 202, 103, 104, 105]


def test_what_is_shared_is_counted() -> None:
    found = VocabularyMap.of(VLM, BASE, EXPERT, ROWS)
    assert found.counts["base"] == {"shared": 3, "only_vlm": 2, "only_other": 0, "moved": 0}
    assert found.counts["expert"] == {"shared": 3, "only_vlm": 2, "only_other": 1, "moved": 2}
    assert found.untokened == 1
    assert found.share("base") == 1.0
    assert found.share("expert") == 0.75


def test_a_token_beyond_the_rows_has_none() -> None:
    found = VocabularyMap.of({"a": 0, "b": 9}, {"a": 0, "b": 1}, {"a": 0, "b": 1}, {"vlm": 2, "base": 2, "expert": 2})
    assert found.base.tolist() == [0, -1]


def test_equal_vocabularies_are_not_copied() -> None:
    same = {"a": 0, "b": 1}
    found = VocabularyMap.of(same, same, same, {"vlm": 2, "base": 2, "expert": 2})
    base, expert = rows(0, 2), rows(5, 2)
    started, expertly = found.align(rows(9, 2), base, expert)
    assert started is base
    assert expertly is expert


def test_rows_of_the_vlm_are_copied_in_a_type_that_holds_them() -> None:
    vlm = torch.tensor([[1.0, 2.0], [1e-30, 3e38]], dtype=torch.bfloat16)  # beyond float16's range
    base = torch.tensor([[1.0, 2.0]], dtype=torch.float16)
    found = VocabularyMap.of({"a": 0, "b": 1}, {"a": 0}, {"a": 0}, {"vlm": 2, "base": 1, "expert": 1})
    started, expertly = found.align(vlm, base, base)
    assert torch.equal(started[1].to(torch.bfloat16), vlm[1])
    assert torch.equal(expertly[1].to(torch.bfloat16), vlm[1])


def test_a_vocabulary_is_read_as_it_is_stored_with_tokens_of_the_configuration(tmp_path: Path) -> None:
    random_models.tokenizer([*random_models.SPECIAL, "word"]).save_pretrained(tmp_path)
    # transformers would add its own <|endoftext|> under the first free id to a Qwen2 tokenizer.
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    stored = {token: row for row, token in enumerate([*random_models.SPECIAL, "word"])}
    assert read_vocabulary(tmp_path) == stored
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "added_tokens_decoder": {"4": {"content": "<pad>"}}}))
    assert read_vocabulary(tmp_path) == {**stored, "<pad>": 4}
