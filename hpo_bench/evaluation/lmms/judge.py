"""What lmms-eval's tasks ask of judges: counted, paid for, and a failure where lmms-eval makes it a score of 0."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any

from hpo_bench.errors import EvaluationError, HpoBenchError, UsageError
from hpo_bench.evaluation.judging.cache import JudgeTerms
from hpo_bench.evaluation.judging.chat import ATTEMPTS, RETRIED, dollars_of
from hpo_bench.evaluation.judging.judge import FRAME

PICTURE_TOKENS = 8192
"""More than any judge counts for a picture."""
REPLY_TOKENS = 4096
"""What a reply is taken to have at most, where the task sets no limit."""
_ONCE_ASKED = {"ReadTimeout", "ReadError", "RemoteProtocolError", "ChunkedEncodingError"}
"""What requests and httpx raise where a judge was asked, and may charge, though no whole reply came."""


class Stopped(BaseException):
    """Ends a document's scoring; not an `Exception`, as tasks catch those and score 0.

    Args:
        error: What to raise outside of lmms-eval.
    """

    def __init__(self, error: HpoBenchError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class Talk:
    """What was said about one document.

    Attributes:
        calls: How many questions a judge was asked.
        failures: How many of the last in a row went without a reply.
        why: What became of the last of those.
        dollars: What it cost.
        warnings: What lmms-eval logged since the last reply, with "ERROR" or "WARNING" before it.
    """

    calls: int = 0
    failures: int = 0
    why: str = ""
    dollars: float = 0.0
    warnings: list[str] = field(default_factory=list)


class Watch:
    """Stands between lmms-eval's tasks and the judges they ask.

    A task's own code asks, by requests or by OpenAI's client, retries, logs what went wrong and scores 0. Requests are
    therefore seen where they leave: what a judge did not answer is known whatever the task makes of it.

    Args:
        terms: What judges may cost; None if none may be asked.
    """

    def __init__(self, terms: JudgeTerms | None) -> None:
        self._terms = terms
        self._thread = threading.local()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See all requests of this process for a while, in all threads."""
        with ExitStack() as stack:
            if "requests" in sys.modules:
                send = partial(self._send, stay={"allow_redirects": False})
                stack.enter_context(self._over(sys.modules["requests"].Session, send))
            for client in ("httpx", "httpx2"):  # OpenAI's package went from one to the other
                if client in sys.modules:
                    send = partial(self._send, stay={"follow_redirects": False})
                    stack.enter_context(self._over(sys.modules[client].Client, send))
                    stack.enter_context(self._over(sys.modules[client].AsyncClient, self._send_async))
            logger = import_module("loguru").logger
            stack.callback(logger.remove, logger.add(self._hear, level="WARNING", format="{level} {message}"))
            yield

    @contextmanager
    def document(self) -> Iterator[Talk]:
        """Put what this thread asks down to one document."""
        self._thread.talk = talk = Talk()
        try:
            yield talk
        finally:
            self._thread.talk = None

    @contextmanager
    def _over(self, owner: Any, make: Callable[[Any], Any]) -> Iterator[None]:
        before = owner.send
        owner.send = make(before)
        try:
            yield
        finally:
            owner.send = before

    def _send(self, before: Any, *, stay: Mapping[str, bool]) -> Any:
        def send(client: Any, request: Any, **options: Any) -> Any:
            with self._asking(request) as replies:
                # A key in a header of the task's own would follow a redirect to any host.
                reply = before(client, request, **{**options, **(stay if _question(request) else {})})
                replies.append(reply)
                return reply

        return send

    def _send_async(self, before: Any) -> Any:
        async def send(client: Any, request: Any, **options: Any) -> Any:
            with self._asking(request) as replies:
                stay = {"follow_redirects": False} if _question(request) else {}
                reply = await before(client, request, **{**options, **stay})
                replies.append(reply)
                return reply

        return send

    def _hear(self, message: str) -> None:
        talk = getattr(self._thread, "talk", None)
        if talk is not None:
            talk.warnings.append(message.strip())

    @contextmanager
    def _asking(self, request: Any) -> Iterator[list[Any]]:
        talk: Talk | None = getattr(self._thread, "talk", None)
        question = _question(request)
        if talk is None or question is None:
            yield []
            return
        terms = self._allowed()
        most = (_tokens(question) * terms.price_in + _reply_tokens(question) * terms.price_out) / 1e6
        reservation = terms.kept.reserve(most, limit=terms.max_dollars)
        if reservation is None:
            raise Stopped(
                EvaluationError(
                    f"judges have cost {terms.kept.spent():.2f} dollars, and one more question may exceed the limit "
                    f"of {terms.max_dollars:g}",
                    kind="money",
                )
            )
        talk.calls += 1
        dollars, replies = 0.0, []
        try:
            try:
                yield replies
            except Exception as error:
                dollars = most if type(error).__name__ in _ONCE_ASKED else 0.0
                self._failed(talk, str(error) or type(error).__name__)
                raise
            dollars = self._read(talk, replies[0], most)
        finally:
            terms.kept.settle(reservation, dollars)
            talk.dollars += dollars

    def _allowed(self) -> JudgeTerms:
        if self._terms is None:
            raise Stopped(
                UsageError(
                    "the task asks a judge model, for money: say what under `judge`, with price_in, price_out (dollars "
                    "for a million tokens) and max_dollars"
                )
            )
        if os.environ.get("API_TYPE", "openai") == "openai" and not os.environ.get("OPENAI_API_KEY"):
            raise Stopped(EvaluationError("the task asks a judge model: set OPENAI_API_KEY", kind="judge"))
        return self._terms

    def _read(self, talk: Talk, reply: Any, most: float) -> float:
        """Dollars of a reply; what is no reply is a failure."""
        if reply.status_code >= 300:
            redirect = ", a redirect, which is not followed" if reply.status_code < 400 else ""
            self._failed(talk, f"HTTP {reply.status_code}{redirect}", again=reply.status_code in RETRIED)
            return 0.0
        try:
            content = reply.json()
            said = content["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            self._failed(talk, "it sent no chat completion")
            return most
        if said:
            talk.failures = 0
            talk.warnings.clear()  # of earlier attempts
        else:
            self._failed(talk, "it said nothing")
        usage = content.get("usage") or {}
        if "prompt_tokens" not in usage or self._terms is None:
            return most
        try:
            return dollars_of(usage, price_in=self._terms.price_in, price_out=self._terms.price_out)
        except (KeyError, ValueError):
            return most

    def _failed(self, talk: Talk, why: str, *, again: bool = True) -> None:
        talk.failures += 1
        if key := os.environ.get("OPENAI_API_KEY", "").strip():
            why = why.replace(key, "***")
        talk.why = why
        if not again or talk.failures >= ATTEMPTS:
            raise Stopped(EvaluationError(f"the judge does not answer: {why}", kind="judge"))


def _question(request: Any) -> dict[str, Any] | None:
    """What a request asks of a chat model; None if it is something else."""
    if request.method != "POST":
        return None
    body = request.body if hasattr(request, "body") else request.read()  # of requests, or of httpx
    try:
        asked = json.loads(body)
    except (TypeError, ValueError):
        return None
    return asked if isinstance(asked, dict) and isinstance(asked.get("messages"), list) else None


def _tokens(question: Mapping[str, Any]) -> int:
    """Tokens of a question, at most: no text has more of them than bytes."""
    total = FRAME
    for message in question["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else [{"text": content}]:
            text = part.get("text")
            total += PICTURE_TOKENS if text is None else len(str(text).encode()) + FRAME
    return total


def _reply_tokens(question: Mapping[str, Any]) -> int:
    return int(question.get("max_tokens") or question.get("max_completion_tokens") or REPLY_TOKENS)
