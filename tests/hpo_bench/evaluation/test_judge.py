"""A judge behind a local server of the test's own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation import judge as judges
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.judge import Judge, open_judge

EXAMPLES = [Example(f"e{i}", "skill", "what {is} it?", (), "dog") for i in range(4)]


class Server:
    """Says 1 where the judged answer has a d in it; 1,000 tokens in and 10 out a question."""

    def __init__(self) -> None:
        self.asked = 0
        self.status, self.says = 200, ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                judged = body["messages"][0]["content"].partition("judge: ")[2].partition("\n")[0]
                said = outer.says or str(int("d" in judged))
                reply = {
                    "choices": [{"message": {"content": said}}],
                    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
                }
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(json.dumps(reply).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(judges.time, "sleep", lambda _: None)
    made = Server()
    yield made
    made.stop()


def judge(server: Server, tmp_path: Path, **changes: Any) -> Judge:
    options = {"url": server.url, "model": "m", "price_in": 10_000.0, "price_out": 0.0, "max_dollars": 100.0}
    return open_judge({**options, "cache": str(tmp_path / "cache"), **changes}, "pair.yaml")


def test_answers_are_judged_and_paid_once(server: Server, tmp_path: Path) -> None:
    one = judge(server, tmp_path)
    assert server.asked == 1, "the settings are tried before the first merge"
    scores, dollars = one(EXAMPLES, ["dog", "cat", "dog", "a {response} d"])
    assert scores.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert server.asked == 4, "equal answers to equal questions are asked about once"
    assert dollars == pytest.approx(3 * 100 * 0.01)
    again, nothing = judge(server, tmp_path)(EXAMPLES, ["dog", "cat", "dog", "a {response} d"])
    assert (again.tolist(), nothing, server.asked) == (scores.tolist(), 0.0, 4)
    assert one.cache.spent() == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("status", "says", "calls"), [(500, "", 4), (401, "", 1), (200, "very good", 1), (200, "7", 1)]
)
def test_a_judge_without_an_answer_is_a_failure(
    server: Server, tmp_path: Path, status: int, says: str, calls: int
) -> None:
    one = judge(server, tmp_path)
    server.status, server.says, before = status, says, server.asked
    with pytest.raises(EvaluationError) as caught:
        one(EXAMPLES[:1], ["dig"])
    assert caught.value.kind == "judge"
    assert server.asked - before == calls
    assert caught.value.dollars == (1.0 if status == 200 else 0.0), "paid is paid, whatever it said"


def test_money_has_a_hard_limit(server: Server, tmp_path: Path) -> None:
    # A question can cost about 3 dollars by its length, and costs 1.
    one = judge(server, tmp_path, max_dollars=6.0)
    with pytest.raises(EvaluationError) as caught:
        one(EXAMPLES, ["d1", "d2", "d3", "d4"])
    assert caught.value.kind == "money"
    assert one.cache.spent() <= 6.0


def test_unreachable_judges_are_known_before_the_first_merge(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="does not answer"):
        judge(server, tmp_path, url="http://127.0.0.1:9", seconds=0.5)
