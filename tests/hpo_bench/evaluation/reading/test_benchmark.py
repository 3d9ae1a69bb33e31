"""Examples as people have them: every format by one reader, and everything verified before anything is paid for."""

import base64
import json
import os
import struct
import zlib
from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import (
    SPLITS,
    Example,
    check_sides,
    of_split,
    write_examples,
)
from hpo_bench.evaluation.reading.benchmark import read_examples, read_table
from hpo_bench.evaluation.reading.columns import Columns
from hpo_bench.evaluation.reading.pictures import opened, size, verify
from hpo_bench.merging.find import SHIPPED


def encoded(kind: str = "PNG", *, size: int = 8, colour: int = 9, mode: str = "RGB") -> bytes:
    file = BytesIO()
    Image.new(mode, (size, size), colour).save(file, kind)
    return file.getvalue()


PNG = encoded()
JPEG = encoded("JPEG")


def bomb(width: int, height: int) -> bytes:
    """A picture of few bytes that says it has so many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), folder / "e.parquet")
    return folder / "e.parquet"


def lines(folder: Path, *rows: Any, name: str = "e.jsonl") -> Path:
    (folder / name).write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return folder / name


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TEXTS: dict[str, Any] = {"question": ["what?", "who?"], "answer": ["dog", "cat"]}


class TestPictures:
    @pytest.mark.parametrize(
        "column",
        [
            pa.array([{"bytes": PNG, "path": "a.png"}, None], STRUCT),
            pa.array([{"bytes": PNG, "path": None}, {"bytes": None, "path": None}], STRUCT),
            pa.array([{"bytes": None, "path": "here.png"}, None], STRUCT),
            pa.array([PNG, None], pa.binary()),
            pa.array([PNG, None], pa.large_binary()),
            pa.array(["here.png", None]),
            pa.array(["here.png", ""]).dictionary_encode(),
            pa.array([[PNG], []], pa.list_(pa.binary())),
            pa.array([[PNG], None], pa.large_list(pa.large_binary())),
            pa.array([[{"bytes": PNG, "path": "a.png"}], []], pa.list_(STRUCT)),
        ],
    )
    @pytest.mark.parametrize("name", ["image", "images"])
    def test_every_way_to_have_a_picture_in_a_table(self, tmp_path: Path, column: pa.Array, name: str) -> None:
        (tmp_path / "here.png").write_bytes(PNG)
        first, second = read_examples(parquet(tmp_path, {**TEXTS, name: column}))
        assert (first.images, first.question) == ((PNG,), "<image>\nwhat?")
        assert (second.images, second.question) == ((), "who?")

    @pytest.mark.parametrize(
        "cells",
        [
            {"image": "here.png"},
            {"image": "here.png", "images": None},
            {"image": None, "images": ["here.png"]},
            {"images": "here.png"},
            {"image": {"bytes": None, "path": "here.png"}},
            {"image": {"bytes": base64.b64encode(PNG).decode(), "path": "gone.png"}},
            {"images": ["data:image/png;base64," + base64.b64encode(PNG).decode()]},
        ],
    )
    def test_every_way_to_have_a_picture_in_json(self, tmp_path: Path, cells: dict[str, Any]) -> None:
        (tmp_path / "here.png").write_bytes(PNG)
        assert read_examples(lines(tmp_path, {"question": "?", "answer": "a", **cells}))[0].images == (PNG,)

    @pytest.mark.parametrize("cells", [{"image": None}, {"images": None}, {"images": []}, {"image": ""}, {}])
    def test_no_picture_is_none(self, tmp_path: Path, cells: dict[str, Any]) -> None:
        assert read_examples(lines(tmp_path, {"question": "?", "answer": "a", **cells}))[0].images == ()

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"])
    def test_pictures_keep_the_bytes_they_came_in(self, tmp_path: Path, kind: str) -> None:
        data = encoded(kind)
        assert read_examples(parquet(tmp_path, {**TEXTS, "image": [data, None]}))[0].images == (data,)

    def test_transparent_pictures_are_counted(self, tmp_path: Path) -> None:
        clear = encoded(mode="LA", colour=(1, 0))  # type: ignore[arg-type]
        assert (
            "1 pictures are transparent, and lie on white, where processors put them"
            in read_table(parquet(tmp_path, {**TEXTS, "image": [clear, encoded()]})).notes
        )

    def test_pictures_of_several_frames_are_counted(self, tmp_path: Path) -> None:
        file, frame = BytesIO(), Image.new("RGB", (8, 8), "red")
        frame.save(file, "GIF", save_all=True, append_images=[Image.new("RGB", (8, 8), "blue")])
        cells = {"question": ["a?", "b?"], "answer": ["a", "b"], "image": [file.getvalue(), PNG]}
        found = read_table(parquet(tmp_path, cells))
        assert "1 pictures have several frames or pages, of which the first is shown" in found.notes

    @pytest.mark.parametrize(("kind", "kept"), [("GIF", -20), ("TIFF", -200), ("TIFF", -600)])
    def test_pictures_that_break_off_behind_the_first_frame_are_read(
        self, tmp_path: Path, kind: str, kept: int
    ) -> None:
        """Pillow counts their frames in an IndexError or a TypeError."""
        file, (frame, *more) = BytesIO(), [Image.new("RGB", (8, 8), each) for each in ("red", "blue", "tan")]
        frame.save(file, kind, save_all=True, append_images=more)
        path = parquet(tmp_path, {"question": ["a?"], "answer": ["a"], "image": [file.getvalue()[:kept]]})
        assert len(read_examples(path)[0].images) == 1

    @pytest.mark.parametrize("tag", [(0x100, 9, -5), (0x11A, 7, 7), (0x100, 2, 65)])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_pictures_are_upright_whatever_else_their_exif_says(
        self, orientation: int, tag: tuple[int, int, int]
    ) -> None:
        lying = Image.fromarray(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6))
        entries = b"".join(
            struct.pack("<HHIi", number, kind, 1, value) for number, kind, value in [tag, (0x112, 3, orientation)]
        )
        exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + b"\0" * 4
        file, plain = BytesIO(), Image.Exif()
        plain[0x112] = orientation
        lying.save(file, "PNG", exif=exif)
        assert verify([file.getvalue()]) == [""]
        expected = BytesIO()
        lying.save(expected, "PNG", exif=plain)
        upright = ImageOps.exif_transpose(Image.open(expected)).convert("RGB")
        assert np.array_equal(np.asarray(opened(file.getvalue())), np.asarray(upright))
        assert size(file.getvalue()) == upright.size

    @pytest.mark.parametrize("mode", ["P", "LA", "I;16", "1"])
    def test_any_mode_of_pixels_will_do(self, tmp_path: Path, mode: str) -> None:
        data = encoded(mode=mode, colour=(1, 255) if mode == "LA" else 1)  # type: ignore[arg-type]
        assert read_examples(parquet(tmp_path, {**TEXTS, "image": [data, None]}))[0].images == (data,)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "picture 1 is empty"),
            (encoded(size=64)[:-40], "picture 1 cannot be decoded"),
            (encoded("JPEG", size=256)[:-200], "picture 1 cannot be decoded"),
            (encoded("TIFF", mode="I"), "picture 1 has pixels of 32 bits, of which nothing says how bright they are"),
            (encoded("TIFF", mode="F"), "picture 1 has pixels of fractions, of which nothing says how bright they are"),
            (b"<!DOCTYPE html><html>404</html>", "page or drawing of HTML or XML"),
            (b"GGUF1234", r"begins with b'GGUF1234' and is no picture"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no picture of a format that is read"),
            (bomb(50_000, 50_000), "more than 89 million"),
            (bomb(10_000, 10_000), "10000 x 10000 pixels; more than 89 million"),
        ],
    )
    def test_what_cannot_be_decoded_is_named(self, tmp_path: Path, data: bytes, message: str) -> None:
        path = parquet(tmp_path, {**TEXTS, "id": ["a", "b"], "images": [[PNG], [data]]})
        with pytest.raises(UsageError, match=rf"1 of 2 examples cannot be used: row 2 \(id 'b'\): .*{message}"):
            read_examples(path)

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            ({"image": "x.png", "images": ["y.png"]}, "has both image and images"),
            ({"images": ["here.png", None]}, "picture 2 is null"),
            ({"image": "gone.png"}, "'gone.png', cannot be read: No such file"),
            ({"image": "../x.png"}, "leads out of the folder"),
            ({"image": "pipe"}, "is no file"),
            ({"image": "a\0b"}, "is no path"),
            ({"image": "x" * 5000}, "cannot be read: File name too long"),
            ({"image": "https://example.org/x.png"}, "is an address"),
            ({"image": 3}, "picture 1 is int"),
            ({"image": {"bytes": "!"}}, "is not base64"),
        ],
    )
    def test_pictures_without_sense_are_named(self, tmp_path: Path, cells: dict[str, Any], message: str) -> None:
        (tmp_path / "here.png").write_bytes(PNG)
        os.mkfifo(tmp_path / "pipe")
        path = lines(tmp_path, {"id": 7, "question": "?", "answer": "a", **cells})
        with pytest.raises(UsageError, match=rf"line 1 \(id '7'\): .*{message}") as caught:
            read_examples(path)
        assert len(str(caught.value)) < 600


class TestTexts:
    @pytest.mark.parametrize(
        ("column", "ids"),
        [
            (pa.array([1, 2]), ["1", "2"]),
            (pa.array([1.0, 2.0]), ["1", "2"]),
            (pa.array(["x", "y"], pa.large_string()), ["x", "y"]),
            (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
            (pa.array([1, 2], pa.uint8()), ["1", "2"]),
        ],
    )
    def test_ids_may_be_numbers(self, tmp_path: Path, column: pa.Array, ids: list[str]) -> None:
        assert [one.id for one in read_examples(parquet(tmp_path, {**TEXTS, "id": column}))] == ids

    @pytest.mark.parametrize(
        "column", [None, pa.array([None, None], pa.string()), pa.array(["", float("nan")][:1] * 2)]
    )
    def test_without_ids_the_content_is_one_whatever_the_format_or_order(self, tmp_path: Path, column: Any) -> None:
        table = {**TEXTS, **({} if column is None else {"id": column, "category": column})}
        by_table = read_examples(parquet(tmp_path, table))
        by_lines = read_examples(
            lines(tmp_path, *({"question": q, "answer": a} for q, a in [("who?", "cat"), ("what?", "dog")]))
        )
        assert set(by_table) == set(by_lines)
        assert {one.category for one in by_table} == {"all"}

    @pytest.mark.parametrize(
        ("column", "answers"),
        [
            (pa.array([3, 4]), ["3", "4"]),
            (pa.array([0.1, 3.0], pa.float32()), ["0.1", "3"]),
            (pa.array([0.1, 3.0]), ["0.1", "3"]),
            (pa.array([Decimal("1.50"), Decimal("2.00")]), ["1.50", "2.00"]),
        ],
    )
    def test_numbers_are_answers(self, tmp_path: Path, column: pa.Array, answers: list[str]) -> None:
        path = parquet(tmp_path, {"question": TEXTS["question"], "answer": column})
        assert [one.answer for one in read_examples(path)] == answers

    @pytest.mark.parametrize(
        ("column", "message"),
        [
            (pa.array(["dog", None]), "answer is missing"),
            (pa.array(["dog", ""]), "answer is empty"),
            (pa.array(["dog", " \n"]), "answer is empty"),
            (pa.array([1.5, float("nan")]), "answer is missing"),
            (pa.array([1.5, float("inf")]), "answer is infinite"),
            (pa.array([None, True]), "answer is true, not text"),
            (pa.array([None, []], pa.list_(pa.string())), "answer is missing"),
            (pa.array([None, {"text": "dog"}]), "answer is dict"),
            (pa.array([None, b"dog"]), "answer is bytes"),
        ],
    )
    def test_what_is_no_answer_is_named(self, tmp_path: Path, column: pa.Array, message: str) -> None:
        with pytest.raises(UsageError, match=rf"row 2: {message}"):
            read_examples(parquet(tmp_path, {"question": TEXTS["question"], "answer": column}))

    def test_all_bad_rows_are_counted_and_the_first_are_named(self, tmp_path: Path) -> None:
        rows = [{"id": str(i), "question": "?", "answer": None if i % 2 else "a"} for i in range(20)]
        with pytest.raises(UsageError) as caught:
            read_examples(lines(tmp_path, *rows))
        said = str(caught.value)
        assert "e.jsonl: 10 of 20 examples cannot be used: line 2 (id '1'): answer is missing; line 4 (id '3')" in said
        assert said.endswith("line 6 (id '5'): answer is missing; and 7 more")

    def test_equal_rows_are_named_with_ids_and_without(self, tmp_path: Path) -> None:
        row = {"question": "?", "answer": "a"}
        with pytest.raises(UsageError, match=r"1 of 3 .*: line 3: is the same as line 1; leave it out, or give each"):
            read_examples(lines(tmp_path, row, {**row, "answer": "b"}, row))
        with pytest.raises(UsageError, match=r"line 2 \(id '1'\): has the id of line 1 \(id '1'\)"):
            read_examples(lines(tmp_path, {**row, "id": 1}, {**row, "answer": "b", "id": "1"}))
        assert len(read_examples(lines(tmp_path, {**row, "id": 1}, {**row, "id": 2}))) == 2


class TestFiles:
    def test_lines_end_at_newlines_alone(self, tmp_path: Path) -> None:
        answer = "one\u2028two\u0085three\u000bfour"
        assert read_examples(lines(tmp_path, {"question": "?", "answer": answer}))[0].answer == answer

    @pytest.mark.parametrize("name", ["e.jsonl", "e.json", "e.ndjson"])
    def test_a_byte_order_mark_and_empty_lines_are_passed_over(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(b'\xef\xbb\xbf\r\n{"question": "?", "answer": "a"}\r\n\n{"question": "!", "answer": "b"}')
        assert [one.answer for one in read_examples(path)] == ["a", "b"]

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_a_list_in_a_json_file(self, tmp_path: Path, mark: bytes) -> None:
        path = tmp_path / "e.json"
        path.write_bytes(mark + json.dumps([{"question": "?", "answer": x} for x in "ab"], indent=1).encode())
        assert [one.answer for one in read_examples(path)] == ["a", "b"]

    def test_tables_of_text_are_taken_word_by_word(self, tmp_path: Path) -> None:
        (tmp_path / "here.png").write_bytes(PNG)
        (tmp_path / "e.csv").write_text(
            '\ufeffid,question,answer,image,source\n01,"a, ""b""\nc?",NA,here.png,x\n,?,1,,y\n'
        )
        first, second = read_examples(tmp_path / "e.csv")
        assert first == Example("01", "all", '<image>\na, "b"\nc?', (PNG,), "NA")
        assert (second.images, second.answer) == ((), "1")
        (tmp_path / "e.tsv").write_text("question\tanswer\n?\ta, b\n")
        assert read_examples(tmp_path / "e.tsv")[0].answer == "a, b"

    def test_letters_are_composed_and_nothing_unseen_stands_around_answers(self, tmp_path: Path) -> None:
        """A model is asked for the tokens of the answer, and says one é and no mark of direction."""
        name = "cafe\u0301.png"
        (tmp_path / name).write_bytes(PNG)
        rows = [
            {"question": "Ou\u0300?", "answer": "cafe\u0301", "image": name, "choices": None},
            {"question": "מה?", "answer": " \u202bחתול\u202c ", "image": name, "choices": None},
            {"question": "which?", "answer": "café", "image": name, "choices": ["the\u0301", "cafe\u0301"]},
            {"question": "ស\u200bក?", "answer": "ស\u200bក\u200b", "image": name, "choices": None},
        ]
        for image in ((), "{image}"):
            read = read_examples(lines(tmp_path, *rows), Columns.named(image=image or None))
            assert [one.answer for one in read] == ["café", "חתול", "B", "ស\u200bក"]
            assert read[0].question == "<image>\nOù?"
            assert "B. café" in read[2].question
            assert all(one.images == (PNG,) for one in read)

    def test_other_columns_of_a_table_are_passed_over(self, tmp_path: Path) -> None:
        more = {"source": ["x", "y"], "question_id": [1, 2], "image_id": [1, 2]}
        assert len(read_examples(parquet(tmp_path, {**TEXTS, **more, "image": [PNG, None]}))) == 2
        more = {key: [1, 2] for key in ["age", "date", "language", "stage", "type", "split", "source", "level"]}
        assert len(read_examples(parquet(tmp_path, {**TEXTS, **more}))) == 2

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"question": ["?"], "anwser": ["a"]}, "no column 'answer'; did you mean 'anwser'"),
            ({"question": ["?"], "Answer": ["a"]}, "no column 'answer'; did you mean 'Answer'"),
            ({"question": ["?"]}, "no column 'answer'; name it, as in `answer: COLUMN`; there are: 'question'"),
            (
                {"text": ["?"], "answer": ["a"]},
                "no column 'question'; name it, as in .question: COLUMN.; there are: 'text'",
            ),
            ({**TEXTS, "categry": ["a", "b"]}, "column 'categry' is unknown; did you mean 'category'"),
            ({**TEXTS, "image_path": ["a.png", "b.png"]}, "column 'image_path' is unknown; did you mean 'image'"),
            ({**TEXTS, "Categories": ["a", "b"]}, "column 'Categories' is unknown; did you mean 'category'"),
            ({**TEXTS, "photo": [PNG, PNG]}, "column 'photo' is unknown; did you mean 'image'"),
            ({**TEXTS, "visual": [PNG, PNG]}, "has bytes in a column 'visual' and none called image"),
            ({**TEXTS, "visual": [{"bytes": PNG}] * 2}, "has bytes in a column 'visual' and none called image"),
            ({**TEXTS, "visual": [[PNG]] * 2}, "has bytes in a column 'visual' and none called image"),
            ({"question": [], "answer": []}, "holds no examples"),
        ],
    )
    def test_columns_that_are_missing_or_misspelt_are_refused(
        self, tmp_path: Path, columns: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            read_examples(parquet(tmp_path, columns))

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("e.parquet", None, "does not exist"),
            ("e.parquet", b"not parquet", "is not parquet"),
            ("e.parquet", b"PAR1 and then nothing of it", "is damaged"),
            ("e.xlsx", b"PK34", "are read from parquet, arrow, jsonl, json, csv and tsv"),
            ("e.arrow", b"ARROW1..", "is damaged"),
            ("e.jsonl", b"", "holds no examples"),
            ("e.jsonl", b"\xff\xfe{\0", "is text in UTF-16"),
            ("e.jsonl", b'{"question": "\xff"}', "line 1: is not UTF-8"),
            ("e.jsonl", b"nonsense", "line 1: is not JSON: Expecting value at character 1"),
            ("e.jsonl", b"[1, 2]", "row 1: must be an object"),
            ("e.jsonl", b"[" * 99_999, "is nested too deeply"),
            ("e.jsonl", b'{"id": ' + b"9" * 5000 + b"}", "line 1: is not JSON that can be read"),
            ("e.jsonl", b'{"id": 1, "id": 2}', "key 'id' is given twice"),
            ("e.jsonl", b'{"question": "?", "answer": "\\ud800"}', "lone surrogate"),
            ("e.jsonl", b'{"question": "?", "answer": NaN}', "answer is missing"),
            ("e.jsonl", b'{"question": " ", "answer": "a"}', "question is empty"),
            ("e.json", b'{\n"data": [\n]}', "is one JSON object"),
            ("e.csv", b"question,answer\n?\n", "line 2: has fewer cells"),
            ("e.csv", b"question,answer\n?,a,b\n", "line 2: has more cells"),
            ("e.csv", b'question,answer\n?,"a\n', "check its quotes"),
            ("e.csv", b"question,answer\n\xff,a\n", "is not UTF-8"),
            ("e.csv", b"\nquestion,answer\n?,a\n", "its first line is empty; begin with the names of the columns"),
        ],
    )
    def test_files_without_sense_are_refused_in_one_line(
        self, tmp_path: Path, name: str, content: bytes | None, message: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=message) as caught:
            read_examples(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_what_is_no_file_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "e.jsonl")
        with pytest.raises(UsageError, match="is no regular file"):
            read_examples(tmp_path / "e.jsonl")
        with pytest.raises(UsageError, match=r"is a folder without examples"):
            read_examples(tmp_path)

    def test_what_ships_is_read_as_it_is_stored(self) -> None:
        path = next(iter(SHIPPED.glob("*/examples.parquet")))
        stored = pq.read_table(path).to_pylist()
        assert [
            {**row, "images": tuple(row["images"])} for row in stored
        ] == [{name: getattr(one, name) for name in stored[0]} for one in read_examples(path)]  # fmt: skip

    def test_written_examples_are_read_back(self, tmp_path: Path) -> None:
        examples = (Example("a", "skill", "<image> これは何？", (JPEG,), "犬"), Example("b", "general", "?", (), "3"))
        write_examples(examples, tmp_path / "e.parquet")
        assert read_examples(tmp_path / "e.parquet") == examples

    @pytest.mark.parametrize("name", ["others", "before"])
    @pytest.mark.parametrize("cell", ["abc", ["x", "y"], [{"role": "x", "content": "y"}], 3])
    def test_what_stands_in_columns_of_our_names_in_files_of_others_is_left_aside(
        self, tmp_path: Path, name: str, cell: Any
    ) -> None:
        """Each letter of a text would be a right answer."""
        rows = [{"question": f"{i}?", "answer": "a", name: cell} for i in range(2)]
        found = read_table(lines(tmp_path, *rows))
        assert [(one.answers, one.before) for one in found.examples] == [(("a",), ())] * 2
        assert found.notes == (f"columns left aside: {name}",)

    def test_files_of_ours_are_read_as_shards_and_after_pandas(self, tmp_path: Path) -> None:
        examples = (
            Example("1", "c", "a?", (), "a"),
            Example("2", "c", "b?", (PNG,), "b", others=("B",), before=(("system", "<image>"),)),
        )
        (tmp_path / "set").mkdir()
        for place, one in enumerate(examples):
            write_examples([one], tmp_path / "set" / f"test-{place}.parquet")
        assert read_examples(tmp_path / "set") == examples
        write_examples(examples, tmp_path / "e.parquet")
        pd.read_parquet(tmp_path / "e.parquet").assign(more=1).to_parquet(tmp_path / "f.parquet")
        assert read_examples(tmp_path / "f.parquet") == examples
        table = pq.read_table(tmp_path / "e.parquet")
        place, texts = table.schema.get_field_index("others"), pa.large_list(pa.large_string())
        pq.write_table(table.set_column(place, "others", table["others"].cast(texts)), tmp_path / "p.parquet")
        assert read_examples(tmp_path / "p.parquet") == examples, "as Polars writes it"

    @pytest.mark.parametrize("named", [False, True])
    def test_a_limit_draws_rows_that_differ_in_their_pictures_alone(self, tmp_path: Path, named: bool) -> None:
        """They were drawn all or none, so that a sample of a thousand classes could be of one."""
        rows = []
        for place in range(40):
            (tmp_path / f"{place}.png").write_bytes(encoded(colour=place))
            picture = f"{place}.png" if named else base64.b64encode(encoded(colour=place)).decode()
            rows.append({"question": "What?", "answer": "cat" if place % 2 else "dog", "image": picture})
        drawn = read_examples(lines(tmp_path, *rows), Columns(limit=10))
        assert {one.answer for one in drawn} == {"cat", "dog"}
        again = read_examples(lines(tmp_path, *rows[::-1], name="r.jsonl"), Columns(limit=10))
        assert {one.id for one in again} == {one.id for one in drawn}

    def test_pictures_named_in_a_column_of_another_name_are_refused(self, tmp_path: Path) -> None:
        """As `datasets` has a folder of pictures with their names in metadata.csv."""
        (tmp_path / "a.png").write_bytes(PNG)
        (tmp_path / "metadata.csv").write_text("file_name,question,answer\na.png,What?,cat\n")
        with pytest.raises(UsageError, match=r"the path of a picture, 'a.png', in a column 'file_name'.*`image: file_"):
            read_examples(tmp_path)
        assert len(read_examples(tmp_path, Columns(image=("file_name",)))[0].images) == 1


def some(sizes: Sequence[int]) -> tuple[Example, ...]:
    """So many examples on each side."""
    every = [Example(f"e{i}", "all", "?", (), "a") for i in range(400)]
    return tuple(one for side, size in zip(SPLITS, sizes, strict=True) for one in of_split(every, side)[:size])


@pytest.mark.parametrize("sizes", [(0, 9), (1, 9), (9, 1), (9, 0)])
def test_too_few_examples_for_a_side_are_refused_with_counts(sizes: tuple[int, int]) -> None:
    check_sides(some((2, 2)), SPLITS, "e.parquet")
    check_sides(some((0, 2)), ("test",), "e.parquet")
    with pytest.raises(UsageError, match=rf"e\.parquet: of {sum(sizes)} .*{sizes[0]} validation and {sizes[1]} test"):
        check_sides(some(sizes), SPLITS, "e.parquet")
