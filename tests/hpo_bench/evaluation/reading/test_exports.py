"""Files of public benchmarks, made in small as their makers publish them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.metrics import METRICS, ByRule
from hpo_bench.evaluation.reading.benchmark import read_examples, read_table
from hpo_bench.evaluation.reading.choices import INSTRUCTION
from hpo_bench.evaluation.reading.columns import Columns


def encoded(colour: int, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(file, kind)
    return file.getvalue()


PICTURES = [encoded(colour, kind) for colour in range(4) for kind in ("PNG", "JPEG")]
BASE64 = [base64.b64encode(data).decode() for data in PICTURES]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def as_json(path: Path, value: Any, *, indent: int | None = None) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")
    return path


def as_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def test_mmbench_as_its_makers_export_it(tmp_path: Path) -> None:
    rows = {
        "index": [241, 252],
        "question": ["What is\nshown?", 'Who said "hm"?'],
        "hint": [np.nan, "Look at the hat."],
        "A": ["a cat", "he"], "B": ["a dog", "she"], "C": ["a cow", np.nan], "D": ["a hen", np.nan],
        "answer": ["B", "A"],
        "category": ["object", "person"],
        "image": BASE64[:2],
        "source": ["x", "y"], "l2-category": ["perception", "reasoning"], "comment": [np.nan] * 2, "split": ["dev"] * 2,
    }  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "MMBench_DEV_EN.tsv", sep="\t", index=False)
    found = read_table(tmp_path / "MMBench_DEV_EN.tsv", Columns(id="index", question="{hint}\n{question}"))
    first, second = found.examples
    assert (first.id, first.category, first.answer, first.images) == ("241", "object", "B", (PICTURES[0],))
    assert first.question == (f"<image>\nWhat is\nshown?\nA. a cat\nB. a dog\nC. a cow\nD. a hen\n{INSTRUCTION}")
    assert second.question == f'<image>\nLook at the hat.\nWho said "hm"?\nA. he\nB. she\n{INSTRUCTION}'
    assert found.notes == (
        "2 questions offer choices; their answers are read as letters",
        "columns left aside: source, l2-category, comment, split",
    )


def test_pictures_that_another_row_has_or_several_in_a_cell(tmp_path: Path) -> None:
    """As the files of VLMEvalKit spare room."""
    rows = {
        "index": [7, 8, 9],
        "question": ["one?", "two?", "three?"],
        "answer": ["a", "b", "c"],
        "image": [BASE64[0], "7", str(BASE64[:2])],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "e.tsv", sep="\t", index=False)
    examples = read_examples(tmp_path / "e.tsv", Columns(id="index"))
    assert [one.images for one in examples] == [(PICTURES[0],), (PICTURES[0],), tuple(PICTURES[:2])]


def mmmu(folder: Path, *, name: str = "validation-00000-of-00001.parquet") -> Path:
    images = [{"bytes": data, "path": "x.png"} for data in PICTURES]
    table = {
        "id": [f"{folder.name}_{i}" for i in (1, 2, 3)],
        "question": ["Of <image 1> and <image 2>, which?", "How many?", "Draw <image 1>?"],
        "options": ["['<image 1>', '<image 2>']", "[]", '["it\'s", "not"]'],
        "explanation": ["", "", ""],
        **{
            f"image_{place}": pa.array([images[place] if shown else None for shown in by_row], STRUCT)
            for place, by_row in enumerate([(1, 0, 1), (1, 0, 0), *[(0, 0, 0)] * 5], start=1)
        },
        "answer": ["B", "['24', 'twenty four']", "A"],
        "question_type": ["multiple-choice", "open", "multiple-choice"],
        "subfield": ["a", "b", "c"],
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(table), folder / name)
    return folder


def test_mmmu_with_pictures_in_seven_columns_and_open_questions(tmp_path: Path) -> None:
    found = read_table(mmmu(tmp_path / "Art"), Columns(category="subfield"))
    first, second, third = found.examples
    one, two = PICTURES[1], PICTURES[2]
    assert first.images == (one, two, one, two), "as often as they are named"
    assert first.question.startswith("Of <image> and <image>, which?\nA. <image>\nB. <image>\n")
    assert (second.question, second.images, second.answers) == ("How many?", (), ("24", "twenty four"))
    assert third.question.startswith("Draw <image>?\nA. it's\nB. not\n")
    assert "1 questions have several right answers, each of which is right" in found.notes


def test_a_pattern_reads_the_same_split_of_every_subject(tmp_path: Path) -> None:
    for subject in ("Art", "Music"):
        mmmu(tmp_path / subject)
        mmmu(tmp_path / subject / "other", name="dev-00000-of-00001.parquet")
    examples = read_examples(tmp_path / "*" / "validation-*.parquet", Columns(category="subfield"))
    assert [one.id for one in examples] == [f"{subject}_{i}" for subject in ("Art", "Music") for i in (1, 2, 3)]
    with pytest.raises(UsageError, match="no file matches"):
        read_examples(tmp_path / "*" / "train-*.parquet")


def test_llava_conversations(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "1.jpg").write_bytes(PICTURES[1])
    turns = [("human", "<image>\nWhat is it?"), ("gpt", "A hat."), ("human", "Whose?"), ("gpt", "Hers.")]
    chats = [
        {
            "id": "000000033471",
            "image": "coco/1.jpg",
            "conversations": [{"from": who, "value": said} for who, said in turns],
        },
        {"id": "2", "conversations": [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]},
    ]
    found = read_table(as_json(tmp_path / "llava.json", chats, indent=2))
    assert [(one.question, one.answer, len(one.images)) for one in found.examples] == [
        ("Whose?", "Hers.", 1),
        ("2 + 2?", "4", 0),
    ]
    assert found.examples[0].before == (("user", "<image>\nWhat is it?"), ("assistant", "A hat."))
    assert found.notes == ("of 1 chats with several turns the last answer is asked",)


def test_messages_of_openai(tmp_path: Path) -> None:
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64[0]}"}}
    asked = [{"type": "text", "text": "Compare "}, url, {"type": "text", "text": " and "}, url]
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": asked}]
    found = read_table(
        as_lines(tmp_path / "e.jsonl", [{"messages": [*said, {"role": "assistant", "content": "Equal."}]}])
    )
    assert found.examples[0].question == "Compare <image> and <image>"
    assert found.examples[0].images == (PICTURES[0],) * 2
    assert found.examples[0].before == (("system", "Be brief."),)
    assert "1 chats have a system prompt of their own" in found.notes[0]
    write_examples(found.examples, tmp_path / "again.parquet")
    assert read_examples(tmp_path / "again.parquet") == found.examples


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "its chat is no list of turns"),
        ([{"role": "user", "content": "?"}], "its chat goes 'user', and not from user to assistant in turn"),
        ([{"role": "tool", "content": "?"}], "a turn of its chat is by 'tool'"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "a part of its chat is of type 'audio'"),
        (["?"], "a turn of its chat is str"),
        (
            [{"role": role, "content": "?"} for role in ("user", "assistant", "user")],
            "its chat goes 'user', 'assistant', 'user', and not from user to assistant in turn",
        ),
    ],
)  # fmt: skip
def test_chats_without_sense_are_named(tmp_path: Path, messages: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"line 1: {message}"):
        read_examples(as_lines(tmp_path / "e.jsonl", [{"messages": messages}]))


def test_heron_bench_and_its_answers_in_a_second_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "001.jpg").write_bytes(PICTURES[1])
    head = {"image": "001.jpg", "image_category": "anime"}
    questions = [{"question_id": i, **head, "category": "conv", "text": f"{i}は何色？"} for i in range(3)]
    answers = [{"question_id": i, "images": "001.jpg", "prompt": "", "text": f"{i}は青です。"} for i in (2, 1, 0)]
    as_lines(tmp_path / "answers_gpt4.jsonl", answers)
    columns = Columns(
        id="question_id", question="text", answer="annotations.text", image=("images/{image}",),
        annotations="answers_gpt4.jsonl",
    )  # fmt: skip
    path = as_lines(tmp_path / "questions_ja.jsonl", questions)
    examples = read_examples(path, columns)
    assert [(one.id, one.question, one.answer) for one in examples] == [
        (str(i), f"<image>\n{i}は何色？", f"{i}は青です。") for i in range(3)
    ]
    as_lines(tmp_path / "answers_gpt4.jsonl", answers[:2])
    with pytest.raises(UsageError, match=r"1 of 3 .*line 1 .*has no row in answers_gpt4\.jsonl"):
        read_examples(path, columns)
    as_lines(tmp_path / "answers_gpt4.jsonl", [*answers, answers[0]])
    assert len(read_examples(path, columns)) == 3, "the same twice is once"
    as_lines(tmp_path / "answers_gpt4.jsonl", [*answers, {**answers[0], "text": "赤"}])
    with pytest.raises(UsageError, match=r"1 of 3 .*line 3 .*has several rows in answers_gpt4\.jsonl, which differ"):
        read_examples(path, columns)
    with pytest.raises(UsageError, match="must be named as `id`"):
        read_examples(path, Columns(annotations="answers_gpt4.jsonl"))
    with pytest.raises(UsageError, match="leads out of the folder of the examples"):
        read_examples(path, Columns(id="question_id", annotations="../a.jsonl"))


def test_scienceqa_as_a_table_and_by_problem(tmp_path: Path) -> None:
    table = {
        "image": pa.array([{"bytes": PICTURES[0], "path": None}, None], STRUCT),
        "question": ["Which?", "Why?"],
        "choices": [["one", "two", "three"], ["yes", "no"]],
        "answer": [2, 0],
        "hint": ["", "Think."],
        "subject": ["natural science", "social science"],
    }
    pq.write_table(pa.table(table), tmp_path / "test-00000-of-00001.parquet")
    found = read_table(tmp_path, Columns(category="subject"))
    assert [one.answer for one in found.examples] == ["C", "A"]
    assert found.notes[0].endswith("read as indices from 0")
    (tmp_path / "images" / "train" / "1").mkdir(parents=True)
    (tmp_path / "images" / "train" / "1" / "image.png").write_bytes(PICTURES[0])
    problems = {
        "1": {"question": "Which?", "choices": ["a", "b"], "answer": 1, "image": "image.png", "split": "train"},
        "2": {"question": "Why?", "choices": ["a", "b"], "answer": 0, "image": None, "split": "train"},
    }
    path = as_json(tmp_path / "problems.json", problems, indent=4)
    examples = read_examples(path, Columns(image=("images/{split}/{id}/{image}",)))
    assert [(one.id, one.answer, len(one.images)) for one in examples] == [("1", "B", 1), ("2", "A", 0)]


def test_vqa_of_two_files_with_ten_answers(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_000000262148.jpg").write_bytes(PICTURES[1])
    asked = [{"image_id": 262148, "question": f"Where {i}?", "question_id": 262148000 + i} for i in range(3)]
    words = ["down", "down", "at table", "skateboard", "down", "table", "down", "down", "down", "down"]
    answers = [{"answer": word, "answer_confidence": "yes", "answer_id": i + 1} for i, word in enumerate(words)]
    told = [
        {"question_type": "none of the above", "multiple_choice_answer": "down", "answers": answers, **one}
        for one in ({"image_id": 262148, "question_id": row["question_id"]} for row in asked)
    ]
    head = {"info": {"version": "2.0"}, "license": {"name": "CC"}, "data_type": "mscoco"}
    as_json(tmp_path / "v2_mscoco_val2014_annotations.json", {**head, "annotations": told})
    path = as_json(tmp_path / "v2_OpenEnded_mscoco_val2014_questions.json", {**head, "questions": asked})
    columns = Columns(
        id="question_id", answer="answers.answer", annotations="v2_mscoco_val2014_annotations.json",
        image=("val2014/COCO_val2014_{image_id:012}.jpg",),
    )  # fmt: skip
    examples = read_examples(path, columns)
    assert [one.id for one in examples] == ["262148000", "262148001", "262148002"]
    assert examples[0].answer == "down"
    assert sorted(examples[0].answers) == sorted(words)
    scores, _ = ByRule(METRICS["exact_match"])(examples, ["skateboard", "down", "up"])
    assert scores.tolist() == [1, 1, 0]
    drawn = read_examples(path, replace(columns, limit=2))
    assert len(drawn) == 2
    backwards = as_json(tmp_path / "backwards.json", {**head, "questions": asked[::-1]})
    assert {one.id for one in read_examples(backwards, replace(columns, limit=2))} == {one.id for one in drawn}
    with pytest.raises(UsageError, match="answer is a list of mappings with answer, answer_confidence"):
        read_examples(path, replace(columns, answer="answers"))


def saved_to_disk(folder: Path, table: pa.Table, *, shards: int = 1) -> Path:
    """As `datasets.Dataset.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    size = -(-len(table) // shards)
    for place, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table.slice(place * size, size))
    as_json(folder / "state.json", {"_data_files": [{"filename": name} for name in names], "_split": "test"})
    as_json(folder / "dataset_info.json", {"features": {}, "splits": {}})
    return folder


CLASSES = {"answer": {"names": ["no", "yes"], "_type": "ClassLabel"}}


def test_a_data_set_saved_to_disk(tmp_path: Path) -> None:
    table = pa.table(
        {
            "question": ["a?", "b?", "c?"],
            "answer": pa.array([1, 0, 1], pa.int64()),
            "image": pa.array([{"bytes": PICTURES[i], "path": None} for i in range(3)], STRUCT),
            "score": pa.array([0.1, 0.2, 0.3], pa.float32()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": CLASSES}})})
    saved_to_disk(tmp_path / "both" / "test", table, shards=2)
    saved_to_disk(tmp_path / "both" / "train", table)
    as_json(tmp_path / "both" / "dataset_dict.json", {"splits": ["train", "test"]})
    found = read_table(tmp_path / "both" / "test")
    assert [one.answer for one in found.examples] == ["yes", "no", "yes"], "numbers of classes are told by their names"
    assert [one.images for one in found.examples] == [(data,) for data in PICTURES[:3]]
    assert found.notes == ("columns left aside: score",)
    with pytest.raises(UsageError, match="has the splits train, test; name the folder of one, such as both/test"):
        read_table(tmp_path / "both")
    as_json(tmp_path / "both" / "dataset_dict.json", {"splits": ["test"]})
    assert read_table(tmp_path / "both").examples == found.examples
    (tmp_path / "both" / "test" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(UsageError, match=r"data-00001-of-00002\.arrow: does not exist"):
        read_table(tmp_path / "both")


def test_shards_of_one_split_are_one_and_several_splits_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for place in range(2):
        rows = {"question": [f"{place}?"], "answer": ["x"], "source": ["y"]}
        pq.write_table(pa.table(rows), folder / f"test-0000{place}-of-00002.parquet")
    as_json(tmp_path / "set" / "dataset_infos.json", {})
    assert [one.question for one in read_examples(tmp_path / "set")] == ["0?", "1?"]
    pq.write_table(pa.table(rows), folder / "train-00000-of-00001.parquet")
    with pytest.raises(UsageError, match=r"several kinds or splits .* a pattern such as set/data/train\*\.parquet"):
        read_examples(tmp_path / "set")
    assert len(read_examples(folder / "test-*.parquet")) == 2
    lines = tmp_path / "lines"
    lines.mkdir()
    as_lines(lines / "part-1.jsonl", [{"question": "1?", "answer": "a"}])
    as_lines(lines / "part-2.jsonl", [{"question": "2?", "answer": None}])
    with pytest.raises(UsageError, match=r"1 of 2 examples cannot be used: part-2\.jsonl, line 1: answer is missing"):
        read_examples(lines)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_of_text_is_read_whatever_stands_between_its_columns(tmp_path: Path, delimiter: str) -> None:
    frame = pd.DataFrame({"frage": ['Was,\nwo; "wie"|\t?', "x"], "antwort": ["A;B", "1,5"], "bild": ["a.png", ""]})
    frame.to_csv(tmp_path / "e.csv", sep=delimiter, index=False, encoding="utf-8-sig")
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    first, second = read_examples(tmp_path / "e.csv", Columns(question="frage", answer="antwort", image=("bild",)))
    assert (first.question, first.answer) == ('<image>\nWas,\nwo; "wie"|\t?', "A;B")
    assert (second.images, second.answer) == ((), "1,5")


ARC = {"text": ["ice", "fog"], "label": ["1", "2"]}


@pytest.mark.parametrize(
    ("choices", "answers", "letters", "how"),
    [
        ([["x", "y"]] * 2, ["b", "(A)"], "BA", "letters"),
        ([["x", "y"]] * 2, ["y", "X"], "BA", "texts of choices"),
        ([["x", "y"]] * 2, [1, 0], "BA", "indices from 0"),
        ([["x", "y"]] * 2, [2, 1], "BA", "indices from 1"),
        ([["x", "y"]] * 2, ["1", "0"], "BA", "indices from 0"),
        ([["3", "4", "5"]] * 2, ["4", "3"], "BA", "texts of choices"),
        ([["3", "4", "5"]] * 2, [4, 3], "BA", "texts of choices"),
        ([["1", "0"]] * 2, [0, 1], "AB", "indices from 0"),
        ([["B", "A"]] * 2, ["A", "B"], "AB", "letters"),
        ([ARC] * 2, ["2", "1"], "BA", "letters"),
        ([{"A": "x", "B": "y"}] * 2, ["B", "A"], "BA", "letters"),
        ([[{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]] * 2, ["B", "A"], "BA", "letters"),
        ([json.dumps(["x", "y"])] * 2, ["B", "A"], "BA", "letters"),
        ([["x", "y"]] * 2, [["B"], "['A']"], "BA", "letters"),
        ([["犬", "猫"]] * 2, ["Ｂ", "（ａ）"], "BA", "letters"),
        ([["犬", "USB", "２匹"]] * 2, ["ＵＳＢ", "2匹"], "BC", "texts of choices"),
        ([["A. x", "B. y"]] * 2, ["B", "A"], "BA", "letters"),
        ([["(a) x", "(b) y"]] * 2, ["(b) y", "x"], "BA", "texts of choices"),
        ([["1. x", "2. y", "3. z"]] * 2, ["1", "2"], "AB", "indices from 1"),
        ([["(1) x", "(2) y", "(3) z"]] * 2, [1, 2], "AB", "indices from 1"),
        ([["1. x", "2. y"]] * 2, [0, 1], "AB", "indices from 0"),
        ([["1. x", "2. y"]] * 2, ["B", "A"], "BA", "letters"),
        (
            [["x", "y", "z"]] * 2,
            [1, 2],
            "BC",
            "indices from 0, which they fit as well from 1; see that the right ones are shown",
        ),
    ],
)
def test_answers_to_choices(
    tmp_path: Path, choices: Sequence[Any], answers: Sequence[Any], letters: str, how: str
) -> None:
    pairs = enumerate(zip(choices, answers, strict=True))
    rows = [{"question": f"{i}?", "choices": one, "answer": right} for i, (one, right) in pairs]
    found = read_table(as_lines(tmp_path / "e.jsonl", rows))
    assert "".join(one.answer for one in found.examples) == letters
    assert found.notes == (f"2 questions offer choices; their answers are read as {how}",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"choices": ["x", "y"], "answer": "C"},
            "answer 'C' is none of the choices 'x', 'y', where answers are letters",
        ),
        ({"choices": ["x"], "answer": "A"}, "there are 1 choices; there must be 2 to 26"),
        ({"choices": "['x' 'y']", "answer": "A"}, ".*is a list without commas, as numpy prints one"),
        ({"choices": ["x", None], "answer": "A"}, "choice B is missing"),
        ({"choices": 3, "answer": "A"}, "choices are int; write a list"),
        ({"choices": ["x", "y"], "answer": None}, "answer is missing"),
        ({"choices": ["x", "y"], "answer": " "}, "answer is empty"),
        ({"choices": ["x", "y"], "answer": True}, "answer is true, not text"),
        ({"choices": ["x", "y"], "answer": ["A", "B"]}, "answer is a list; choose one"),
        ({"choices": ["x", "y"], "answer": "['A' 'B']"}, ".*is a list without commas, as numpy prints one"),
    ],
)
def test_choices_without_sense_are_named(tmp_path: Path, row: Mapping[str, Any], message: str) -> None:
    rows = [{"question": "ok?", "choices": ["x", "y"], "answer": "A"}] * 2
    rows = [{**one, "id": str(i)} for i, one in enumerate([*rows, {"question": "?", **row}])]
    with pytest.raises(UsageError, match=rf"1 of 3 .*line 3 \(id '2'\): {message}"):
        read_examples(as_lines(tmp_path / "e.jsonl", rows))


@pytest.mark.parametrize(
    ("choices", "shown"),
    [
        (["A. a cat", "B. a dog"], "A. a cat\nB. a dog"),
        (["(A) a cat", "(B) a dog"], "A. a cat\nB. a dog"),
        (["a) a cat", "b) a dog"], "A. a cat\nB. a dog"),
        (["A、猫", "B、犬"], "A. 猫\nB. 犬"),
        (["Ａ．猫", "Ｂ．犬"], "A. 猫\nB. 犬"),
        (["（Ａ）猫", "（Ｂ）犬"], "A. 猫\nB. 犬"),
        (["A.5", "B.6"], "A. A.5\nB. B.6"),
        (["1. a cat", "2. a dog"], "A. a cat\nB. a dog"),
        (["2. a cat", "1. a dog"], "A. 2. a cat\nB. 1. a dog"),
        (["A cat", "B flat"], "A. A cat\nB. B flat"),
        (["B. a cat", "A. a dog"], "A. B. a cat\nB. A. a dog"),
    ],
)
def test_choices_that_bring_their_letters_are_shown_with_one(tmp_path: Path, choices: list[str], shown: str) -> None:
    path = as_lines(tmp_path / "e.jsonl", [{"question": "What?", "choices": choices, "answer": "A"}])
    assert f"\n{shown}\n" in read_examples(path)[0].question


@pytest.mark.parametrize(
    "names", ["option_a option_b", "optionA optionB", "choice1 choice2", "choice_0 choice_1", "opa opb opc", "a b c d"]
)
def test_choices_in_columns_of_other_names_are_not_left_aside(tmp_path: Path, names: str) -> None:
    """A question would be asked without them, and its answer be a letter."""
    several = tuple(names.split())
    row = {"question": "What?", **dict.fromkeys(several, "x"), several[0]: "y", "answer": "A"}
    path = as_lines(tmp_path / "e.jsonl", [row])
    with pytest.raises(UsageError, match=rf"look like choices.*`choices: \[{', '.join(several)}\]`"):
        read_examples(path)
    assert "\nA. y\nB. x\n" in read_examples(path, Columns(choices=several))[0].question
    assert read_examples(path, Columns.of({"choices": []}))[0].question == "What?"
    assert read_examples(path, Columns(question=f"{{question}} {{{'} {'.join(several)}}}"))[0].question[:7] == "What? y"


@pytest.mark.parametrize("name", ["image", "source", "photo_url"])
def test_questions_are_asked_without_pictures_where_that_is_said(tmp_path: Path, name: str) -> None:
    """Texts alone, of a table with a column that looks like pictures: where they are from, perhaps."""
    path = as_lines(tmp_path / "e.jsonl", [{"question": "What?", name: "cat.png", "answer": "A"}])
    with pytest.raises(UsageError, match="cannot be read" if name == "image" else r"none by `image: \[\]`"):
        read_examples(path)
    columns = Columns.of({"image": []})
    assert Columns.of(columns.section) == columns
    assert Columns.named(image=[""]) == columns
    assert read_examples(path, columns)[0].images == ()


@pytest.mark.parametrize(
    "read",
    [
        {"question": "What?", "choices": ["y", "x"], "answer": "A"},
        {"messages": [{"role": "user", "content": "What?\nA. y"}, {"role": "assistant", "content": "A"}]},
    ],
)
def test_columns_of_choices_are_left_aside_beside_what_has_them(tmp_path: Path, read: Mapping[str, Any]) -> None:
    found = read_table(as_lines(tmp_path / "e.jsonl", [{**read, "option_a": "y", "option_b": "x"}]))
    assert "\nA. y" in found.examples[0].question
    assert "columns left aside: option_a, option_b" in found.notes


def test_a_pattern_places_choices_and_adds_no_instruction(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "e.jsonl", [{"q": "Which?", "options": ["x", "y"], "answer": "A"}])
    columns = Columns(question="Q: {q}\n{choices}\nReply with one letter.")
    assert read_examples(path, columns)[0].question == "Q: Which?\nA. x\nB. y\nReply with one letter."


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(question="txt"), "question: there is no column 'txt'; did you mean 'text'"),
        (Columns(question="{txt}?"), "question: there is no column 'txt'"),
        (Columns(question="{text!r}"), "in the pattern .* a column stands in braces"),
        (Columns(question="{text:>999999999}"), "in the pattern .* a column stands in braces"),
        (Columns(question="{text"), "the pattern '{text' cannot be read"),
        (Columns(question="text", answer="answer.deep"), "line 1: answer is missing"),
        (Columns(question="text", category="{text:03}"), "category: 'What' is no whole number"),
    ],
)
def test_columns_that_are_not_there_are_named(tmp_path: Path, columns: Columns, message: str) -> None:
    path = as_lines(tmp_path / "e.jsonl", [{"text": "What", "answer": "a"}])
    with pytest.raises(UsageError, match=message):
        read_examples(path, columns)


def test_choices_may_be_left_aside(tmp_path: Path) -> None:
    rows = [{"question": "What?", "options": ["a cat", "a dog"], "answer": "a small dog"}]
    path = as_lines(tmp_path / "e.jsonl", rows)
    with pytest.raises(UsageError, match=r"is none of the choices .*, or none by `choices: \[\]`"):
        read_examples(path)
    columns = Columns.of({"choices": []})
    assert [(one.question, one.answer) for one in read_examples(path, columns)] == [("What?", "a small dog")]


@pytest.mark.parametrize("cut", [0, 3, 200, -40])
def test_a_damaged_arrow_file_is_named_in_a_line(tmp_path: Path, cut: int) -> None:
    folder = saved_to_disk(tmp_path / "test", pa.table({"question": ["a?"] * 99, "answer": ["x"] * 99}))
    file = next(folder.glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(UsageError, match=r"data-00000-of-00001\.arrow: (is damaged|cannot be read)") as caught:
        read_examples(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "br[1]").mkdir()
    (tmp_path / "br[1]" / "x.png").write_bytes(PICTURES[0])
    path = tmp_path / "br[1]" / "q.csv"
    path.write_text("question,answer,image\nWhat?,dog,x.png\nWhat else?,cat,x.png\n")
    assert [len(one.images) for one in read_examples(path)] == [1, 1]


def test_a_list_in_a_cell_may_be_json_with_nulls(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('question,answer\nWhat?,"[""dog"", null]"\nWhat else?,"[""cat"", ""kitten""]"\n')
    assert [one.answers for one in read_examples(path)] == [("dog",), ("cat", "kitten")]


def test_an_annotation_that_cannot_be_read_is_told_of_where_it_is_missed(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("id,question\n1,What?\n2,Which?\n")
    (tmp_path / "a.csv").write_text("id,answer\n1,a,b\n2,c\n")
    message = r"1 of 2 .*has no row in a\.csv; line 2 there has more cells than there are columns"
    with pytest.raises(UsageError, match=message):
        read_examples(tmp_path / "q.csv", Columns(id="id", annotations="a.csv"))


def test_ids_of_annotations_are_matched_as_examples_have_them(tmp_path: Path) -> None:
    """pandas makes floats of whole numbers where one is missing."""
    (tmp_path / "q.csv").write_text("id,question\n1,What?\n2,Which?\n")
    as_lines(tmp_path / "a.jsonl", [{"id": 1.0, "answer": "x"}, {"id": 2.0, "answer": "y"}])
    columns = Columns(id="id", annotations="a.jsonl")
    assert [(one.id, one.answer) for one in read_examples(tmp_path / "q.csv", columns)] == [("1", "x"), ("2", "y")]
    path = as_lines(tmp_path / "q.jsonl", [{"id": None, "question": "What?"}])
    as_lines(tmp_path / "a.jsonl", [{"id": None, "answer": "of no question"}])
    with pytest.raises(UsageError, match=r"line 1: has no id, by which its row in a\.jsonl would be found"):
        read_examples(path, columns)


@pytest.mark.parametrize("form", ["<image 1> or <image 2>?", "<image1> or <image2>?"])
def test_numbered_places_of_pictures_are_read_with_and_without_a_space(tmp_path: Path, form: str) -> None:
    path = as_lines(tmp_path / "e.jsonl", [{"question": form, "answer": "a", "images": BASE64[:2]}])
    assert read_examples(path)[0].question == "<image> or <image>?"
