"""Questions of one's own: every command and every block of docs/examples.md works on files as it says."""

import base64
import json
import re
import shlex
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from documents import ROOT, blocks, commands
from PIL import Image

from hpo_bench.cli.examples import command
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.reading.columns import Columns

PAGE = ROOT / "docs" / "examples.md"
COUNT = 40
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the page speaks of, in small."""
    folder, drawn, many = tmp_path_factory.mktemp("data"), picture(), range(COUNT)
    for place in ("bird.png", "001.jpg", "coco/1.jpg", "images/001.jpg", "val2014/COCO_val2014_000000000009.jpg"):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(drawn)
    struct, url = pa.array([{"bytes": drawn, "path": None}] * COUNT, STRUCT), base64.b64encode(drawn).decode()
    common = {"question": [f"{i}?" for i in many], "answer": ["A"] * COUNT}
    words = "\ufeffquestion;answer;image\n" + "".join(f'"{i} ""or""\nmore?";{i};bird.png\n' for i in many)
    (folder / "questions.csv").write_text(words, encoding="utf-8")
    choices = {"A": ["x"] * COUNT, "B": ["y"] * COUNT}
    bench = {
        "index": many,
        **common,
        **choices,
        "hint": [None] * COUNT,
        "image": [url] * COUNT,
        "category": ["c"] * COUNT,
    }
    pd.DataFrame(bench).to_csv(folder / "MMBench_DEV_EN.tsv", sep="\t", index=False)
    for subject in ("Art", "Music"):
        (folder / "MMMU" / subject).mkdir(parents=True)
        ids, none = [f"{subject}{i}" for i in many], pa.array([None] * COUNT, STRUCT)
        asked = {
            **common,
            "id": ids,
            "options": ["['x', 'y']"] * COUNT,
            "subfield": ids,
            "image_1": struct,
            "image_2": none,
        }
        pq.write_table(pa.table(asked), folder / "MMMU" / subject / "validation-00000-of-00001.parquet")
    (folder / "ScienceQA" / "data").mkdir(parents=True)
    science = {**common, "answer": [i % 2 for i in many], "choices": [["x", "y"]] * COUNT, "hint": [""] * COUNT}
    science |= {"image": struct, "subject": ["s"] * COUNT}
    pq.write_table(pa.table(science), folder / "ScienceQA" / "data" / "test-00000-of-00001.parquet")
    problem = {"choices": ["x", "y"], "answer": 0, "image": None, "split": "test", "subject": "s"}
    write(folder / "problems.json", {str(i): {"question": f"{i}?", **problem} for i in many})
    chat = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A hat."}]
    write(folder / "llava.json", [{"id": str(i), "image": "coco/1.jpg", "conversations": chat} for i in many])
    asked = [{"type": "image_url", "image_url": {"url": "bird.png"}}]
    said = {"role": "assistant", "content": "x"}
    turns = [{"role": "user", "content": [*asked, {"type": "text", "text": f"{i}?"}]} for i in many]
    lines(folder / "messages.jsonl", [{"messages": [turn, said]} for turn in turns])
    lines(folder / "questions_ja.jsonl", [{"question_id": i, "image": "001.jpg", "text": f"{i}？"} for i in many])
    lines(folder / "answers_gpt4.jsonl", [{"question_id": i, "text": "青"} for i in many])
    vqa = [{"question_id": i, "image_id": 9, "question": f"{i}?"} for i in many]
    write(folder / "v2_OpenEnded_mscoco_val2014_questions.json", {"info": {}, "questions": vqa})
    ten = [{"answer": "yes", "answer_id": i} for i in range(10)]
    annotations = [{"question_id": i, "image_id": 9, "answers": ten} for i in many]
    write(folder / "v2_mscoco_val2014_annotations.json", {"info": {}, "annotations": annotations})
    saved = folder / "saved" / "test"
    saved.mkdir(parents=True)
    write(saved / "state.json", {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    table = pa.table({**common, "image": struct})
    with (
        pa.OSFile(str(saved / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table)
    return folder


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def run(*words: str) -> Result:
    return CliRunner().invoke(command, words, catch_exceptions=False)


def test_every_block_of_the_page_works(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(data)
    page = PAGE.read_text(encoding="utf-8")
    typed = [words for block in blocks(page) for words in commands(block)]
    assert len(typed) == 11
    for words in typed:
        assert words[0] == "examples"
        assert run(*words[1:]).exit_code == 0, words
    sections = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(sections) == 4
    for section in sections:
        told = yaml.safe_load(section)["evaluation"]
        assert len(read_examples(data / told["examples"], Columns.of(told))) >= COUNT
    for kind, text in re.findall(r"```(csv|json)\n(.*?)```", page, re.DOTALL):
        # On the page an object has several lines.
        (data / f"block.{kind}").write_text(text if kind == "csv" else f"{json.dumps(json.loads(text))}\n")
        assert read_examples(data / f"block.{kind}")[0].images


def test_what_is_printed_for_a_pair_reads_the_same_examples(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    told = run("MMBench_DEV_EN.tsv", "--id", "index", "--question", r"{hint}\n{question}").output
    assert "40 examples (" in told
    assert "Note: 40 questions offer choices; their answers are read as letters." in told
    section = yaml.safe_load(told[told.index("evaluation:") :])["evaluation"]
    first = read_examples(data / section["examples"], Columns.of(section))
    assert run("MMBench_DEV_EN.tsv", "--id", "index", "--to", "mine.parquet").exit_code == 0
    assert read_examples(data / "mine.parquet") == first
    assert run("v2_OpenEnded_mscoco_val2014_questions.json", *VQA, "--to", "vqa.parquet").exit_code == 0
    again = read_examples(data / "vqa.parquet")
    assert again[0].answers == ("yes",) * 10


VQA = shlex.split(
    "--annotations v2_mscoco_val2014_annotations.json --id question_id --answer answers.answer "
    "--image 'val2014/COCO_val2014_{image_id:012}.jpg'"
)


def test_pictures_may_lie_elsewhere_on_the_command_line_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("question,answer,image\n" + "".join(f"{i}?,{i},bird.png\n" for i in range(COUNT)))
    assert run(str(tmp_path / "e.csv"), "--images-dir", str(data), "--to", str(tmp_path / "e.parquet")).exit_code == 0
    assert read_examples(tmp_path / "e.parquet")[0].images == (picture(),)
