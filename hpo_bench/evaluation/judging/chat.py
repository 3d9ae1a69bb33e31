"""Asking a chat model over HTTP: the key goes to the host that was named and to no other, and shows up nowhere."""

import json
import math
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from hpo_bench.errors import EvaluationError

ATTEMPTS = 4
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
LONGEST = 2**24
"""Bytes of a reply; a chat completion of a few tokens has some thousands."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect the error that it is: followed, it would take the key along, to any host and unencrypted."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        """None stands for an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A model behind an OpenAI-compatible `chat/completions`.

    Attributes:
        url: Up to and without `/chat/completions`, as `url_flaw` passes it.
        key: Sent as a bearer token, if there is one; replaced by "***" wherever a text comes back.
        seconds: How long an answer may take.
    """

    url: str
    key: str = field(repr=False)
    seconds: float

    def post(self, body: Mapping[str, Any], *, unanswered: Callable[[str], None] = lambda _: None) -> Any:
        """What the server answers, as JSON; tried again where that may help.

        Args:
            body: What is asked.
            unanswered: Told why, before it is tried again, where the server was asked and gave nothing that can be
                read, or nothing in time: it may charge for that. What it raises is passed on.

        Raises:
            EvaluationError: If it does not answer, or sends somewhere else.
        """
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        request = urllib.request.Request(  # noqa: S310, the user's own URL, of which the scheme was checked
            f"{self.url}/chat/completions", data=json.dumps(body).encode(), headers=headers
        )
        opener = urllib.request.build_opener(_NoRedirects)
        why = ""
        for attempt in range(ATTEMPTS):
            try:
                with opener.open(request, timeout=self.seconds) as reply:
                    content = reply.read(LONGEST + 1)
                if len(content) > LONGEST:
                    raise ValueError("it sent no end of text")
                return json.loads(content)
            except urllib.error.HTTPError as error:
                with error:
                    why, again = _explained(error), error.code in RETRIED
            except urllib.error.URLError as error:  # it was never asked
                why, again = str(error), True
            except (OSError, ValueError, RecursionError, HTTPException) as error:
                why, again = " ".join(str(error).split()) or type(error).__name__, True
                unanswered(self.masked(why))
            if not again:
                break
            if attempt < ATTEMPTS - 1:
                time.sleep(2.0**attempt / 4)
        raise EvaluationError(f"the judge at {self.url} does not answer: {self.masked(why)}", kind="judge")

    def masked(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.key, "***") if self.key else text


def url_flaw(url: str) -> str:
    """Why a URL will not do for a chat model, in words that do not repeat it; "" if it will."""
    if not url.startswith(("http://", "https://")):
        return "must begin with http:// or https://"
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and not (parts.username or parts.password or parts.query or parts.fragment)
        _ = parts.port
    except ValueError:
        plain = False
    if not plain or not re.fullmatch(r"[!-~]+", url) or "?" in url or "#" in url:
        return (
            "must be a host and perhaps a path, without user, password or query: a key goes into the environment "
            "variable that key_variable names"
        )
    return ""


def dollars_of(usage: Mapping[str, Any], *, price_in: float, price_out: float) -> float:
    """What an answer cost by the tokens that the server reports.

    Args:
        usage: With `prompt_tokens` and `completion_tokens`.
        price_in: Dollars for a million tokens of prompts.
        price_out: Dollars for a million tokens of answers.

    Raises:
        KeyError: If one is missing.
        ValueError: If one is no number, negative, NaN or infinite.
    """
    total = 0.0
    for key, price in (("prompt_tokens", price_in), ("completion_tokens", price_out)):
        tokens = usage[key]
        if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not 0 <= tokens <= sys.float_info.max:
            raise ValueError(f"it reports {str(tokens)[:20]} {key}")
        total += float(tokens) * price / 1e6
    if not math.isfinite(total):
        raise ValueError("it reports more tokens than there are")
    return total


def _explained(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        try:
            host = urlsplit(error.headers.get("Location", "")).hostname
        except ValueError:
            host = None
        where = f" to {host!r}" if host else ""
        return f"HTTP {error.code}, a redirect{where}, which is not followed; if you trust it, name it as url"
    if error.code in (401, 403):
        return f"HTTP {error.code}; check the key in the environment variable that key_variable names"
    return f"HTTP {error.code}"
