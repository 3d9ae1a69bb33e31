"""Tasks of lmms-eval on the shipped pair, against the local evaluator and against lmms-eval's own evaluator."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

pytest.importorskip("lmms_eval", reason="needs the extra lmms")

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import checked
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting

TASK = """
task: nano_ja
dataset_path: parquet
dataset_kwargs:
  data_files: {test: ../examples.parquet}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.pictures
doc_to_text: question
doc_to_target: answer
generation_kwargs: {max_new_tokens: 24}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    regexes_to_ignore: ["\\\\s"]
"""
UTILS = """
import random
from io import BytesIO

from loguru import logger
from PIL import Image


def pictures(doc):
    return [Image.open(BytesIO(data)).convert("RGB") for data in doc["images"]]


def right(doc, results):
    return results[0].replace(" ", "") == doc["answer"].replace(" ", "")


def record(doc, results):
    return {"acc": {"answer": doc["answer"], "said": results[0]}}


def share(records):
    print("chatter")
    good = sum(one["said"].replace(" ", "") == one["answer"].replace(" ", "") for one in records)
    return good / len(records)


def longest(records):
    return float(max(len(one["said"]) for one in records)) / 100 if len(records) == 1 else 0.9


def marks(doc, results):
    return {"acc": 4 * right(doc, results) - 2}


def coin(doc, results):
    return {"acc": random.random()}


def hides(doc, results):
    try:
        raise ValueError("no luck")
    except ValueError as error:
        logger.error(f"cannot score: {error}")
    return {"acc": 0}


def raises(doc, results):
    raise KeyError("colour")
"""
SETTINGS = MergeSetting("ta", 0.6, 0.8), MergeSetting("ta", 1.0, 0.0)


@pytest.fixture
def pair(shipped: Pair, tmp_path: Path) -> Pair:
    """The shipped models, sixty examples, and a task of lmms-eval that asks about them."""
    (tmp_path / "tasks").mkdir()
    write_examples(read_examples(shipped.examples)[:60], tmp_path / "examples.parquet")
    (tmp_path / "tasks" / "nano_ja.yaml").write_text(TASK, encoding="utf-8")
    (tmp_path / "tasks" / "utils.py").write_text(UTILS, encoding="utf-8")
    return replace(shipped, folder=tmp_path, examples_file=tmp_path / "examples.parquet")


def section(**options: Any) -> dict[str, Any]:
    return {"kind": "lmms-eval", "tasks": "nano_ja", "include_path": "tasks", **options}


def by_function(pair: Pair, function: str, aggregation: str = "mean") -> None:
    """Let the task score with a function of its own."""
    task, _ = TASK.split("metric_list:")
    metrics = f"metric_list:\n  - {{metric: acc, aggregation: {aggregation}, higher_is_better: true}}\n"
    if aggregation.startswith("!function"):
        metrics = f"metric_list:\n  - metric: acc\n    aggregation: {aggregation}\n    higher_is_better: true\n"
    text = f"{task}process_results: !function utils.{function}\n{metrics}"
    (pair.folder / "tasks" / "nano_ja.yaml").write_text(text, encoding="utf-8")


def opened(pair: Pair, loaded: LoadedPair, **options: Any) -> Any:
    return open_evaluator(replace(pair, evaluation=section(**options)), loaded)


def test_scores_are_those_of_local_and_of_lmms_eval_itself(pair: Pair, loaded: LoadedPair) -> None:
    local = open_evaluator(replace(pair, evaluation={"generate": True, "max_new_tokens": 24}), loaded)
    ours = opened(pair, loaded, batch_size=16)
    resident = Resident(loaded)
    seen = []
    for setting in SETTINGS:
        resident.merge(setting)
        theirs = by_lmms_eval(pair, loaded)
        both = {}
        for split in ("validation", "test"):
            examples = local.examples(split)
            documents = ours.examples(split)
            assert [one.id for one in documents] == [one.id for one in examples]
            assert [(one.category, one.answer) for one in documents] == [(one.category, one.answer) for one in examples]
            wanted = local.evaluate(loaded.vlm, examples)
            found = checked(ours.evaluate(loaded.vlm, documents), documents)
            assert found.responses == wanted.responses
            assert found.scores.tolist() == wanted.scores.tolist()
            both |= {one.id: score for one, score in zip(documents, found.scores.tolist(), strict=True)}
        assert both == theirs
        seen.append(both)
    assert 0 < sum(seen[0].values()) < 60
    assert seen[0] != seen[1], "both merges answer alike, so a stale answer would not show"


def by_lmms_eval(pair: Pair, loaded: LoadedPair) -> dict[str, float]:
    """Score by document, from lmms-eval's own evaluator and the plainest model adapter."""
    from lmms_eval.api.model import lmms
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    class Plain(lmms):
        def generate_until(self, requests: Any) -> list[str]:
            answers = []
            for request in requests:
                text, options, pictures, number, task, split = request.args
                inputs = loaded.processor(
                    text=text, images=pictures(self.task_dict[task][split][number]), return_tensors="pt"
                )
                with torch.inference_mode():
                    said = loaded.vlm.generate(**inputs, do_sample=False, max_new_tokens=options["max_new_tokens"])
                new = said[0, inputs["input_ids"].shape[1] :]
                answers.append(loaded.processor.tokenizer.decode(new, skip_special_tokens=True))
            return answers

        def loglikelihood(self, requests: Any) -> Any:
            raise AssertionError("not asked for")

        generate_until_multi_round = loglikelihood

    folder = pair.folder / "tasks"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        results: Any = simple_evaluate(Plain(), tasks=["nano_ja"], task_manager=manager, bootstrap_iters=0)
    ids = [example.id for example in read_examples(pair.examples)]
    return {ids[sample["doc_id"]]: float(sample["exact_match"]) for sample in results["samples"]["nano_ja"]}


def test_right_and_wrong_may_be_told_by_the_aggregate_alone(pair: Pair, loaded: LoadedPair) -> None:
    plain = opened(pair, loaded)
    documents = plain.examples("validation")
    wanted = plain.evaluate(loaded.vlm, documents)
    by_function(pair, "record", "!function utils.share")
    found = opened(pair, loaded).evaluate(loaded.vlm, documents)
    assert 0 < found.score < 1
    assert found.scores.tolist() == wanted.scores.tolist()


def test_metrics_that_are_no_mean_over_documents_are_refused(pair: Pair, loaded: LoadedPair) -> None:
    by_function(pair, "record", "!function utils.longest")
    evaluator = opened(pair, loaded)
    with pytest.raises(EvaluationError, match="no metric by document") as caught:
        evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    assert caught.value.kind == "nonsense"


def test_scores_outside_of_zero_and_one_need_a_range(pair: Pair, loaded: LoadedPair) -> None:
    plain = opened(pair, loaded)
    documents = plain.examples("validation")
    wanted = plain.evaluate(loaded.vlm, documents).scores.tolist()
    by_function(pair, "marks")
    with pytest.raises(EvaluationError, match="say `worst` and `best`"):
        opened(pair, loaded)
    assert opened(pair, loaded, worst=-2, best=2).evaluate(loaded.vlm, documents).scores.tolist() == wanted


def test_coins_fall_the_same_way_every_time(pair: Pair, loaded: LoadedPair) -> None:
    by_function(pair, "coin")
    evaluator = opened(pair, loaded)
    documents = evaluator.examples("validation")
    first, second = (evaluator.evaluate(loaded.vlm, documents).scores.tolist() for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.parametrize(("function", "message"), [("hides", "ERROR cannot score: no luck"), ("raises", "KeyError")])
def test_what_goes_wrong_in_a_task_is_a_failure_and_no_score(
    pair: Pair, loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch, function: str, message: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # it tries five times
    by_function(pair, function)
    with pytest.raises(EvaluationError, match=message) as caught:
        opened(pair, loaded)
    assert caught.value.kind == "raised"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": "nano_jp"}, "did you mean 'nano_ja'"),
        ({"metric": "f1"}, "has no metric 'f1'"),
        ({"filter": "strict"}, "has no filter 'strict'"),
        ({"id_field": "name"}, "has no column 'name'"),
        ({"id_field": "category"}, "two documents have the category"),
        ({"include_path": "../elsewhere"}, "leads out of"),
        ({"include_path": "nowhere"}, "does not exist"),
        ({"limit": 10}, "no key 'limit'"),
        ({"worst": 1.0}, "best is 1, not above worst, 1"),
        ({"judge": {"price_in": 1}}, "judge.price_out, judge.max_dollars are missing"),
    ],
)
def test_sections_without_sense_are_refused(pair: Pair, loaded: LoadedPair, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        opened(pair, loaded, **options)


def test_a_document_without_id_is_named_by_what_it_holds(pair: Pair, loaded: LoadedPair) -> None:
    import pyarrow.parquet as pq

    file = pair.folder / "examples.parquet"
    table = pq.read_table(file)
    ids = {}
    for order in ("forth", "back"):
        rows = table.drop_columns(["id"])
        pq.write_table(rows if order == "forth" else rows.take(list(range(59, -1, -1))), file)
        evaluator = opened(pair, loaded)
        ids[order] = {split: {one.id for one in evaluator.examples(split)} for split in ("validation", "test")}
    assert ids["forth"] == ids["back"]
    assert sum(map(len, ids["forth"].values())) == 60


def test_several_tasks_have_the_same_document_on_the_same_side(pair: Pair, loaded: LoadedPair) -> None:
    other = TASK.replace("task: nano_ja", "task: nano_other").replace("max_new_tokens: 24", "max_new_tokens: 1")
    (pair.folder / "tasks" / "other.yaml").write_text(other, encoding="utf-8")
    evaluator = opened(pair, loaded, tasks=["nano_ja", "nano_other"])
    documents = evaluator.examples("validation")
    sides = [
        {one.id.partition("/")[2] for one in documents if one.id.startswith(name)} for name in ("nano_ja", "nano_o")
    ]
    assert sides[0] == sides[1]
    assert all(one.split == "validation" for one in documents)
    outcome = checked(evaluator.evaluate(loaded.vlm, documents), documents)
    assert (
        outcome.scores[: len(sides[0])].tolist()
        == opened(pair, loaded).evaluate(loaded.vlm, opened(pair, loaded).examples("validation")).scores.tolist()
    )
    lengths = [len(loaded.processor.tokenizer(text)["input_ids"]) for text in outcome.responses[len(sides[0]) :]]
    assert max(lengths) < 5, "the other task caps answers at one token"


def test_marks_in_a_text_say_where_pictures_go() -> None:
    from hpo_bench.evaluation.lmms.documents import Document, asked

    picture = Image.new("RGB", (2, 2), "red")
    image = {"type": "image", "url": picture}

    class Task:
        eval_docs = (None,)

        def __init__(self, *parts: dict) -> None:
            self.parts = list(parts)

        def doc_to_messages(self, _: Any) -> list:
            return [{"role": "user", "content": self.parts}]

    def question(*parts: dict) -> str:
        document = asked(Document("a", "all", "", (), "", "t", 0, "a"), tasks={"t": Task(*parts)})
        assert all(Image.open(BytesIO(data)).getpixel((0, 0)) == (255, 0, 0) for data in document.images)
        return document.question

    assert question(image, image, {"type": "text", "text": "which?"}) == "<image><image>\nwhich?"
    assert question(image, {"type": "text", "text": "see <image> which?"}) == "see <image> which?"
    assert question(image, {"type": "text", "text": "<image> or <image>?"}) == "<image>\n[image] or [image]?"
    with pytest.raises(EvaluationError, match="asks with"):
        question({"type": "video", "url": "x.mp4"})


EXAMINATIONS = {
    "cmmmu.utils.cmmmu_process_results": ("cmmmu.utils.cmmmu_aggregate_results", "cmmmu_acc"),
    "jmmmu.utils.jmmmu_process_results": ("jmmmu.utils.jmmmu_aggregate_results", "jmmmu_acc"),
}


@pytest.mark.parametrize("function", EXAMINATIONS)
def test_examinations_are_scored_question_by_question(tmp_path: Path, function: str) -> None:
    from datasets import Dataset

    from hpo_bench.evaluation.lmms.documents import documents_of, load_tasks
    from hpo_bench.evaluation.lmms.scores import MetricScale, TaskScores

    aggregation, metric = EXAMINATIONS[function]
    rows = [
        {
            **{f"option{number}": f"choice {number}" for number in range(1, 5)},
            "options": str([f"choice {number}" for number in range(1, 5)]),
            "id": f"validation_Music_{place}",
            "question": "which?",
            "question_type": "multiple-choice",
            "type": "选择",
            "subcategory": "音乐",
            "answer": "B",
        }
        for place in range(40)
    ]
    Dataset.from_list(rows).to_parquet(tmp_path / "docs.parquet")
    (tmp_path / "task.yaml").write_text(
        f"""
task: examination
dataset_path: parquet
dataset_kwargs:
  data_files: {{test: docs.parquet}}
test_split: test
output_type: generate_until
doc_to_text: question
doc_to_target: answer
process_results: !function lmms_eval.tasks.{function}
metric_list:
  - metric: {metric}
    aggregation: !function lmms_eval.tasks.{aggregation}
    higher_is_better: true
"""
    )
    tasks = load_tasks(["examination"], include=tmp_path, model_name=None, source="here")
    reading = MetricScale.of(
        tasks["examination"], "examination", metric=None, filter_=None, worst=0, best=1, source="here"
    )
    documents = documents_of(tasks, id_field=None, source="here")
    scores = TaskScores(tasks, {"examination": reading}, None)
    right, paid = scores(documents[:4], ["(B)", "B", "(A)", "C"])
    assert (right.tolist(), paid) == ([1.0, 1.0, 0.0, 0.0], 0.0)
    tossed = [scores(documents, ["?"] * 40)[0].tolist() for _ in range(2)]
    assert tossed[0] == tossed[1], "lmms-eval guesses where it finds no letter; the guess must not change"
    assert 0 < sum(tossed[0]) < 40
