"""A judge behind a local server of the test's own."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.judging import chat
from hpo_bench.evaluation.judging.cache import JudgeCache
from hpo_bench.evaluation.judging.judge import Judge, JudgeOptions
from hpo_bench.evaluation.judging.mark import mark_in
from hpo_bench.evaluation.lmms.judge import JudgeTerms, Stopped, Watch
from landscapes.written import parse_record

EXAMPLES = [Example(f"e{i}", "skill", "what {is} it?", (), "dog") for i in range(4)]


class Server:
    """Says 1 where the judged answer has a d in it; 1,000 tokens in and 10 out a question."""

    def __init__(self) -> None:
        self.asked = 0
        self.status, self.says = 200, ""
        self.location, self.body, self.raw = "", "", b""
        self.keys: list[str | None] = []
        self.usage: Any = {"prompt_tokens": 100, "completion_tokens": 10}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                outer.keys.append(self.headers["Authorization"])

            def do_POST(self) -> None:
                outer.asked += 1
                outer.keys.append(self.headers["Authorization"])
                outer.body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if outer.raw:
                    self.wfile.write(outer.raw)
                    return
                messages = json.loads(outer.body)["messages"] or [{"content": ""}]
                judged = messages[0]["content"].partition("judge: ")[2].partition("\n")[0]
                said = outer.says or str(int("d" in judged))
                reply = {
                    "choices": [{"message": {"content": said}}],
                    "usage": outer.usage,
                }
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                self.wfile.write(json.dumps(reply).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(chat.time, "sleep", lambda _: None)
    made = Server()
    yield made
    made.stop()


def judge(server: Server, tmp_path: Path, **changes: Any) -> Judge:
    options = {"url": server.url, "model": "m", "price_in": 10_000.0, "price_out": 0.0, "max_dollars": 100.0}
    told = {**options, "cache": str(tmp_path / "cache"), **changes}
    return Judge.of(parse_record(told, JudgeOptions, where="pair.yaml, judge", wrong=UsageError)).ready()


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


@pytest.mark.parametrize(
    "raw",
    [
        b"what is this?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"choices": [',
    ],
)
def test_what_comes_back_unreadable_is_asked_again_and_paid_for(server: Server, tmp_path: Path, raw: bytes) -> None:
    # A question can cost about 3 dollars by its length; a server that was asked may charge for it, whatever it sends.
    one = judge(server, tmp_path, max_dollars=7.0)
    server.raw, before = raw, server.asked
    with pytest.raises(EvaluationError) as caught:
        one(EXAMPLES[:1], ["dig"])
    assert caught.value.kind == "money"
    assert "does not answer" in str(caught.value)
    assert server.asked - before == 2, "a third time might go beyond the limit"
    assert 4.0 < caught.value.dollars < 6.0
    assert caught.value.dollars == pytest.approx(one.cache.spent() - 1.0)
    server.raw = b""
    assert judge(server, tmp_path, max_dollars=12.0)(EXAMPLES[:1], ["dig"])[0].tolist() == [1.0]


def test_unreachable_judges_are_known_before_the_first_merge(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="does not answer"):
        judge(server, tmp_path, url="http://127.0.0.1:9", seconds=0.5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_key_follows_no_redirect(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, host: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    one = judge(server, tmp_path)
    other = Server()
    try:
        server.status, server.location = status, f"http://{host}:{other.url.rpartition(':')[2]}/chat/completions"
        with pytest.raises(EvaluationError, match=f"HTTP {status}, a redirect to '{host}', which is not followed"):
            one(EXAMPLES[:1], ["dig"])
    finally:
        other.stop()
    assert (other.asked, other.keys) == (0, [])
    assert server.keys == ["Bearer sk-secret"] * 2, "nor is it tried again"


@pytest.mark.parametrize("odd", [-1e9, float("nan"), float("inf"), -1, True, None, "12", [1], 10**400])
@pytest.mark.parametrize("key", ["prompt_tokens", "completion_tokens"])
def test_usage_that_cannot_be_counts_is_paid_as_the_most(server: Server, tmp_path: Path, key: str, odd: Any) -> None:
    one = judge(server, tmp_path, max_dollars=6.0)
    before = one.cache.spent()
    server.usage = {**server.usage, key: odd}
    with pytest.raises(EvaluationError) as caught:
        one(EXAMPLES[:1], ["dig"])
    assert caught.value.kind == "judge"
    # By its length the question costs at most some 3 dollars.
    assert 1 < caught.value.dollars < 4
    assert one.cache.spent() == pytest.approx(before + caught.value.dollars)
    with pytest.raises(EvaluationError) as caught:
        one(EXAMPLES[1:], ["dig", "dug", "dag"])
    assert one.cache.spent() <= 6.0, "the limit holds"


def test_what_was_paid_before_negative_payments_were_refused_still_counts(tmp_path: Path) -> None:
    cache = JudgeCache.of(str(tmp_path))
    cache.make()
    for dollars in (2.0, -1e9, float("nan")):
        number = cache.reserve(0.0, limit=9.0)
        assert number is not None
        cache.settle(number, dollars)
    assert cache.spent() == 2.0
    assert cache.reserve(float("nan"), limit=9.0) is None
    assert cache.reserve(1.0, limit=float("nan")) is None


@pytest.mark.parametrize("key", ["price_in", "price_out", "max_dollars"])
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1.0, 10**400, "1", True, None])
def test_money_is_a_finite_number(server: Server, tmp_path: Path, key: str, odd: Any) -> None:
    with pytest.raises(
        UsageError, match=rf"pair\.yaml, judge: {key} (must be (a|a finite) number|must be at least 0), not"
    ):
        judge(server, tmp_path, **{key: odd})
    assert server.asked == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "https://user:hunter2@host/v1"}, "url must be a host and perhaps a path, without user"),
        ({"url": "https://host/v1?api-key=hunter2"}, "url must be a host and perhaps a path, without user"),
        ({"url": "https://[hunter2/v1"}, "url must be a host"),
        ({"url": "https://host/v1\nhunter2"}, "url must be a host"),
        ({"url": "file:///hunter2"}, "url must begin with http"),
        ({"key_variable": "sk-hunter2"}, "key_variable must be the name of an environment variable"),
        ({"key": "hunter2"}, "there is no key 'key'"),
    ],
)
def test_secrets_in_the_wrong_place_are_refused_and_not_repeated(
    server: Server, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        judge(server, tmp_path, **changes)
    assert "hunter2" not in str(caught.value)
    assert server.asked == 0


def test_a_key_that_cannot_be_sent_or_comes_back_is_not_shown(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2\nX: y")
    with pytest.raises(UsageError, match="names OPENAI_API_KEY, which holds a space or something") as caught:
        judge(server, tmp_path)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", " sk-hunter2\n")
    one = judge(server, tmp_path)
    assert server.keys == ["Bearer sk-hunter2"]
    assert "hunter2" not in repr(one)
    server.says = "your key is sk-hunter2!"
    with pytest.raises(EvaluationError, match=r"your key is \*\*\*!") as found:
        one(EXAMPLES[:1], ["dig"])
    assert "hunter2" not in str(found.value)
    assert all(b"hunter2" not in path.read_bytes() for path in (tmp_path / "cache").iterdir())


def test_a_refused_key_names_the_variable(server: Server, tmp_path: Path) -> None:
    server.status = 401
    with pytest.raises(EvaluationError, match="HTTP 401; check the key in the environment variable"):
        judge(server, tmp_path)


def test_a_damaged_cache_is_refused_in_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "verdicts.sqlite3").write_bytes(b"no database" * 99)
    with pytest.raises(EvaluationError, match=r"verdicts\.sqlite3: judges' cache cannot be used .*; delete it"):
        judge(server, tmp_path)


@pytest.mark.parametrize("folder", ["file", "~no-such-user-here/judge", "file/inner"])
def test_a_cache_where_none_can_be_is_refused_and_a_misspelt_option_makes_none(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no key 'max_dolars'; did you mean 'max_dollars'"):
        judge(server, tmp_path, max_dolars=1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    if folder.startswith("file"):
        with pytest.raises(EvaluationError, match="judges' cache cannot be there"):
            judge(server, tmp_path, cache=folder)
    else:
        assert judge(server, tmp_path, cache=folder).cache.spent() > 0


def test_places_in_questions_and_responses_are_left_alone(server: Server, tmp_path: Path) -> None:
    one = judge(server, tmp_path)
    example = Example("a", "skill", "what is {response}?", (), "{question}")
    one([example], ["{answer}"])
    assert "what is {response}?" in server.body
    assert "Right answer: {question}\\nAnswer to judge: {answer}" in server.body


def test_requests_of_tasks_follow_no_redirect_either(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = pytest.importorskip("requests")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    terms = JudgeTerms(price_in=1.0, price_out=1.0, max_dollars=1.0, cache=str(tmp_path))
    other = Server()
    server.status, server.location = 302, other.url
    terms.kept.make()
    watch = Watch(terms)
    sends = partial(watch._send, stay={"allow_redirects": False})
    try:
        with (
            watch._over(requests.Session, sends),
            watch.document(),
            pytest.raises(Stopped, match="a redirect, which is not followed"),
        ):
            requests.post(server.url, json={"messages": []}, headers={"api-key": "sk-secret"}, timeout=9)
    finally:
        other.stop()
    assert (server.asked, other.asked) == (1, 0)


def test_a_task_pays_for_a_request_that_was_put_and_not_answered(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = pytest.importorskip("requests")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    terms = JudgeTerms(price_in=1.0, price_out=1.0, max_dollars=1.0, cache=str(tmp_path))
    terms.kept.make()
    watch, server.raw = Watch(terms), b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"choices": ['
    send = partial(watch._send, stay={"allow_redirects": False})
    with watch._over(requests.Session, send), watch.document() as talk:
        with pytest.raises(requests.RequestException):
            requests.post(server.url, json={"messages": []}, timeout=9)
        assert talk.dollars == pytest.approx(terms.kept.spent())
        assert (paid := talk.dollars) > 0
        with pytest.raises(requests.ConnectionError):
            requests.post("http://127.0.0.1:9", json={"messages": []}, timeout=9)
        assert talk.dollars == paid, "nobody was there to ask"


def test_marks_on_another_scale_are_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.says = "7"
    judge(server, tmp_path, scale=10.0)(EXAMPLES[:1], ["dog"])
    server.says = ""
    assert judge(server, tmp_path)(EXAMPLES[:1], ["dog"])[0].tolist() == [1.0]


@pytest.mark.parametrize(
    ("reply", "scale", "mark"),
    [
        ("1", 1, 1.0),
        ("**.5**", 1, 0.5),
        ("7/10", 10, 7.0),
        ("8 out of 10", 10, 8.0),
        ("**Score:** 2/10.", 10, 2.0),
        ("Score: 7\nIt names 2 of 3.", 10, 7.0),
        ("0.5/1", 1, 0.5),
        ("0 (wrong), since 1 + 1 is not 1", 1, 0.0),
        ("0\n\nThe right answer is 1.", 1, 0.0),
        ("The mark is 1.", 1, 1.0),
        ("10/100", 10, None),
        ("0 or 1?", 1, None),
        ("1. It is wrong.\n2. So 0", 1, None),
        ("7/10, or 8/10", 10, None),
        ("-1", 1, None),
        ("none", 1, None),
        ("0,8", 1, 0.8),
        ("Score: 0,8", 1, 0.8),
        ("½", 1, None),
        ("Score: 1/2", 1, None),
        ("Score: 10/20", 10, None),
        ("Score: 1/2", 2, 1.0),
        ("8,5/10", 10, 8.5),
        ("０．８", 1, 0.8),
        ("評価：８点", 10, 8.0),
        ("1,000", 1000, 1000.0),
        ("7〜8", 10, None),
    ],
)
def test_a_reply_is_read_where_it_is_plain_and_else_no_mark(reply: str, scale: float, mark: float | None) -> None:
    assert mark_in(reply, scale=scale) == mark


def test_a_judge_sees_every_right_answer_once() -> None:
    from hpo_bench.evaluation.examples import Example
    from hpo_bench.evaluation.judging.judge import _all

    assert _all(Example("a", "all", "?", (), "two", others=("2", "two", "a pair"))) == "two / 2 / a pair"
