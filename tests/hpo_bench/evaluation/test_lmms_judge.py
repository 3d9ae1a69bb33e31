"""lmms-eval's own judged tasks before a judge on this machine, which answers, fails or talks nonsense."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("lmms_eval", reason="needs the extra lmms")

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import checked
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair

PRICES = {"price_in": 2.0, "price_out": 8.0, "max_dollars": 1.0}
DOLLARS = (100 * 2.0 + 10 * 8.0) / 1e6
"""Of one question to this judge."""
TASKS = {
    "mia": ("mia_bench.utils.mia_bench_process_results", "gpt_eval_score"),
    "mathverse": ("mathverse.utils.mathverse_process_results", "gpt_eval_score"),
    "mathvista": ("mathvista.utils.mathvista_process_results", "llm_as_judge_eval"),
    "wildvision": ("wild_vision_bench.utils.wild_vision_process_results", "raw_scores"),
}
GOOD = {
    "mia": ("score of component 1: 4/4, score of component 2: 2/6, total score: 6/10", 0.6),
    "mathverse": ("1", 1.0),
    "mathvista": ("42", 1.0),
    "wildvision": ("My final verdict is: [[B>A]]", 0.75),
}


@dataclass
class Judge:
    """What it says, with which status, and what it was asked."""

    said: str = ""
    status: int = 200
    fails_first: int = 0
    asked: list[dict] = field(default_factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[Judge]:
    """Its address is in the variables that lmms-eval reads, which it does when it is imported."""
    judge = Judge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            judge.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status = 503 if len(judge.asked) <= judge.fails_first else judge.status
            reply = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "judge",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": judge.said}}
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            }
            body = json.dumps(reply if status == 200 else {"error": {"message": "no"}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_URL", f"http://127.0.0.1:{running.server_port}/v1")
        patch.setenv("OPENAI_API_KEY", "a key")
        patch.setenv("MODEL_VERSION", "judge")
        yield judge
    running.shutdown()


@pytest.fixture
def judge(server: Judge, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setattr("time.sleep", lambda _: None)  # tasks wait ten seconds before they ask again
    server.__init__()
    return server


def opened(shipped: Pair, loaded: LoadedPair, folder: Path, name: str, **options: Any) -> Any:
    from datasets import Dataset
    from datasets import Image as Picture

    function, metric = TASKS[name]
    rows = [
        # What the four tasks' own code reads of a document.
        {
            **dict.fromkeys(("id", "pid", "sample_index"), one.id),
            **dict.fromkeys(("question", "instruction", "query", "query_wo", "query_cot"), one.question),
            "question_for_eval": one.question,
            "components": ["a", "b"],
            "component_weight": [4, 6],
            "question_type": "free_form",
            "answer_type": "text",
            "answer": "42",
            "choices": [],
            "precision": 0,
            "problem_index": 1,
            "problem_version": "v",
            "metadata": {"split": "x"},
            "claude-3-sonnet-20240229": "a dog",
            "image": Image.open(BytesIO(one.images[0])),
        }
        # Which the VLM answers at all: mathvista asks no judge about an empty answer.
        for one in read_examples(shipped.examples)[:80]
        if one.category == "general"
    ]
    (folder / "tasks").mkdir(exist_ok=True)
    Dataset.from_list(rows).cast_column("image", Picture()).to_parquet(folder / "tasks" / "docs.parquet")
    (folder / "tasks" / "utils.py").write_text("def look(doc):\n    return [doc['image'].convert('RGB')]\n")
    (folder / "tasks" / "task.yaml").write_text(
        f"""
task: judged
dataset_path: parquet
dataset_kwargs:
  data_files: {{test: docs.parquet}}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.look
doc_to_text: question
doc_to_target: answer
process_results_use_image: true
generation_kwargs: {{max_new_tokens: 8}}
process_results: !function lmms_eval.tasks.{function}
metric_list:
  - {{metric: {metric}, aggregation: mean, higher_is_better: true}}
"""
    )
    judge = {**PRICES, "cache": str(folder / "cache")}
    section = {"kind": "lmms-eval", "tasks": "judged", "include_path": "tasks", "judge": judge}
    section |= {"worst": -2, "best": 2} if name == "wildvision" else {}
    evaluation = {key: value for key, value in (section | options).items() if value is not None}
    return open_evaluator(replace(shipped, folder=folder, evaluation=evaluation), loaded)


@pytest.mark.parametrize("name", TASKS)
def test_verdicts_become_scores_are_paid_for_and_kept(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge, name: str
) -> None:
    judge.said, score = GOOD[name]
    evaluator = opened(shipped, loaded, tmp_path, name)
    assert len(judge.asked) == 1, "one question before the first trial"
    documents = evaluator.examples("validation")
    outcome = checked(evaluator.evaluate(loaded.vlm, documents), documents)
    assert outcome.scores.tolist() == pytest.approx([score] * len(documents))
    assert outcome.dollars == pytest.approx(len(documents) * DOLLARS)
    assert len(judge.asked) == 1 + len(documents)
    again = evaluator.evaluate(loaded.vlm, documents)
    assert (again.dollars, again.scores.tolist()) == (0.0, outcome.scores.tolist())
    assert len(judge.asked) == 1 + len(documents), "what was judged before is not asked again"


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("how", [{"status": 500}, {"status": 401}, {"said": ""}], ids=str)
def test_a_judge_that_fails_is_a_failure_and_no_score(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge, name: str, how: dict
) -> None:
    judge.said, _ = GOOD[name]
    evaluator = opened(shipped, loaded, tmp_path, name)
    for key, value in how.items():
        setattr(judge, key, value)
    with pytest.raises(EvaluationError, match="the judge does not answer") as caught:
        evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    assert caught.value.kind == "judge"
    with pytest.raises(EvaluationError):
        opened(shipped, loaded, tmp_path, name, judge={**PRICES, "cache": str(tmp_path / "other")})


@pytest.mark.parametrize("name", ["mia", "wildvision"])
def test_a_reply_without_a_verdict_is_a_failure(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge, name: str
) -> None:
    judge.said = "purple"
    with pytest.raises(EvaluationError) as caught:
        opened(shipped, loaded, tmp_path, name)
    assert caught.value.kind == "judge"


@pytest.mark.parametrize("name", TASKS)
def test_a_judge_that_answers_in_the_end_has_answered(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge, name: str
) -> None:
    judge.said, _ = GOOD[name]
    judge.fails_first = 2
    opened(shipped, loaded, tmp_path, name)
    assert len(judge.asked) == 3


@pytest.mark.parametrize("name", TASKS)
def test_nobody_is_asked_without_terms_a_key_or_money(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    judge.said, _ = GOOD[name]
    with pytest.raises(UsageError, match="say what under `judge`"):
        opened(shipped, loaded, tmp_path, name, judge=None)
    with pytest.raises(EvaluationError, match=r"exceed the limit of 1e-05") as caught:
        opened(shipped, loaded, tmp_path, name, judge={**PRICES, "max_dollars": 1e-5, "cache": str(tmp_path / "c")})
    assert caught.value.kind == "money"
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EvaluationError, match="set OPENAI_API_KEY") as caught:
        opened(shipped, loaded, tmp_path, name)
    assert caught.value.kind == "judge"
    assert judge.asked == []


def test_the_limit_holds_while_documents_are_judged_at_once(
    shipped: Pair, loaded: LoadedPair, tmp_path: Path, judge: Judge
) -> None:
    judge.said, _ = GOOD["mathverse"]
    terms = {**PRICES, "max_dollars": 0.02, "parallel": 3, "cache": str(tmp_path / "c")}
    evaluator = opened(shipped, loaded, tmp_path, "mathverse", judge=terms)
    with pytest.raises(EvaluationError, match="exceed the limit") as caught:
        evaluator.evaluate(loaded.vlm, evaluator.examples("test"))
    assert caught.value.kind == "money"
    assert caught.value.dollars == pytest.approx((len(judge.asked) - 1) * DOLLARS)
    assert len(judge.asked) * DOLLARS <= 0.02
