"""A server in a thread of the test. The name of the model in a call decides what the server does (see `BEHAVIOURS`)."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = "print('a whole answer')"
BEHAVIOURS: dict[str, Callable[[Call], tuple[int, Any]]] = {}


@dataclass(frozen=True)
class Call:
    """One call. again: the number of earlier calls with the same model and messages."""

    body: dict[str, Any]
    again: int

    @property
    def prompt(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"])

    @property
    def answer(self) -> str:
        """Return a judge's answer that rates each response by its mark `worth=N`, or GOOD if there is no mark."""
        marks = re.findall(r"worth=(\d)", self.prompt)
        entries = [{"id": n, "rationale": "", "rating": int(mark)} for n, mark in enumerate(marks, 1)]
        return json.dumps({"ratings": entries}) if marks else GOOD


def chat(text: Any, finish: str = "stop", *, choice: dict[str, Any] | None = None, **message: Any) -> tuple[int, Any]:
    one = {"message": {"content": text, **message}, "finish_reason": finish, **(choice or {})}
    return 200, {"choices": [one], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}


def refuse(words: str, status: int = 400, **more: Any) -> tuple[int, Any]:
    return status, {"error": {"message": words, **more}}


def behaviour(name: str) -> Callable[[Callable[[Call], tuple[int, Any]]], None]:
    return lambda work: BEHAVIOURS.__setitem__(name, work)


def refuses(name: str, condition: Callable[[dict[str, Any]], bool], answer: tuple[int, Any]) -> None:
    BEHAVIOURS[name] = lambda call: answer if condition(call.body) else chat(call.answer)


def first_time(name: str, answer: tuple[int, Any]) -> None:
    BEHAVIOURS[name] = lambda call: chat(call.answer) if call.again else answer


refuses("good", lambda body: False, (200, {}))
refuses("new-limit", lambda body: "max_tokens" in body, refuse("max_tokens is unsupported, use max_completion_tokens"))
refuses("fixed-temperature", lambda body: body.get("temperature", 1) != 1, refuse("temperature: only the default"))
refuses("one-of-two", lambda body: {"temperature", "top_p"} <= set(body), refuse("send temperature or top_p, not both"))
refuses("no-seed", lambda body: "seed" in body, (422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]}))
refuses("no-schema", lambda body: "response_format" in body, refuse("no provider takes all parameters", 404))
first_time("error-in-choice", chat("print('a wh", choice={"error": {"code": 502, "message": "gone"}}))
first_time("aborted", chat("print('a wh", "abort"))
first_time("error-in-answer", (200, {"error": {"message": "try again", "code": 503}}))
BEHAVIOURS["parts"] = lambda call: chat([{"type": "text", "text": call.answer[:5]}, {"text": call.answer[5:]}])
BEHAVIOURS["filtered"] = lambda call: chat("print('a wh", "content_filter")
BEHAVIOURS["thinks-to-the-limit"] = lambda call: chat(None, "length", reasoning_content="so many things")
BEHAVIOURS["no-money"] = lambda call: (200, {"error": "Sorry, the purse is empty."})
BEHAVIOURS["thinks-aloud"] = lambda call: chat(f"<think>{call.answer.replace('4', '3')}</think>{call.answer}")


@behaviour("moderated")
def _(call: Call) -> tuple[int, Any]:
    return refuse("held back by moderation", 403) if "forbidden" in call.prompt else chat(call.answer)


@behaviour("short")
def _(call: Call) -> tuple[int, Any]:
    return refuse("the context has 100 tokens at most") if "forbidden" in call.prompt else chat(call.answer)


@behaviour("waits")
def _(call: Call) -> tuple[int, Any]:
    return refuse("so many a day and no more", 429)


@dataclass
class OddServer:
    """A context manager that runs the server.

    headers: further headers of each answer. calls: the bodies of the chat calls. keys: their Authorization headers.
    """

    headers: dict[str, str] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def of(self, model: str) -> list[dict[str, Any]]:
        return [call for call in self.calls if call["model"] == model]

    def __enter__(self) -> OddServer:
        server, seen, lock = self, Counter[str](), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                known = self.path == "/v1/models"
                self.give(*((200, {"data": [{"id": name} for name in BEHAVIOURS]}) if known else (404, {})))

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                if self.path != "/v1/chat/completions":
                    self.give(404, {"detail": "Not Found"})
                    return
                body = json.loads(raw)
                same = json.dumps([body["model"], body["messages"]])
                with lock:
                    server.keys.add(self.headers["authorization"])
                    server.calls.append(body)
                    call = Call(body, seen[same])
                    seen[same] += 1
                self.give(*BEHAVIOURS[body["model"]](call))

            def give(self, status: int, document: Any) -> None:
                data = json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **server.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self.root = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.url = f"{self.root}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
