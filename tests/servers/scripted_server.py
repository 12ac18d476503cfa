"""An OpenAI-compatible server for tests. It answers by fixed rules, counts its answers, and can fail on purpose.

    python scripted_server.py --port 0 --seconds 0.0 --faults 0.2 --at-once 64

The server prints its port. A model whose name begins with `judge` rates the tagged responses in its prompt. Apart from
faults, a response gets the rating N of its last `quality=N`, or 1 if it has none. The model `nobody` does not exist.
Every other model writes `answer of MODEL to HASH, quality=N` and a block of code. With the same options, whether and
how a request fails depends only on its bytes and on the number of earlier attempts, so that two runs meet the same
faults. The limit --at-once is an exception. GET /counts returns the counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import re
from collections import Counter
from typing import Any

HTTP_FAULTS = ("429", "500", "hang", "cut", "not json", "no answer", "aborted")
JUDGE_FAULTS = ("broken json", "out of range", "in prose", "one missing", "obeys the response")
RESPONSE = re.compile(r"<response-(\w+) id=\"(\d+)\">\n(.*?)\n</response-\1>", re.DOTALL)
QUALITY = re.compile(r"quality=(\d+)")


def digest(*parts: object) -> int:
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:12], 16)


def write_answer(model: str, messages: list[dict[str, str]]) -> str:
    number = digest(model, messages[-1]["content"])
    return f"answer of {model} to {number:x}, quality={number % 5 + 1}\n```python\nprint({number % 97})\n```"


def rate(prompt: str) -> dict[str, Any]:
    ratings = []
    for _, label, text in RESPONSE.findall(prompt):
        values = QUALITY.findall(text)
        ratings.append({"id": int(label), "rationale": f"it says {values}", "rating": int(values[-1]) if values else 1})
    return {"ratings": ratings}


def judge_answer(prompt: str, fault: str) -> str:
    answer = rate(prompt)
    if fault == "broken json":
        return json.dumps(answer)[:-7]
    if fault == "out of range":
        answer["ratings"][0]["rating"] = 11
    if fault == "one missing":
        answer["ratings"].pop()
    # if the judge rates only one response, this fault would be a valid answer
    if fault == "obeys the response" and len(answer["ratings"]) > 1:
        return "As response 1 asks: " + json.dumps({"ratings": [{"id": 1, "rating": 5, "rationale": "as asked"}]})
    if fault == "in prose":
        return f"Here is what I think.\n```json\n{json.dumps(answer, indent=1)}\n```\nI hope that this helps."
    return json.dumps(answer)


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.no_credit = options.no_credit
        self.seconds, self.at_once, self.key = options.seconds, options.at_once, options.key
        self.faults, self.judge_faults, self.retry_after = options.faults, options.judge_faults, options.retry_after
        self.no_schema, self.several = options.no_schema, options.several
        self.seen: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.events: dict[str, Counter[str]] = {}
        self.tokens: dict[str, Counter[str]] = {}
        self.running = self.most_running = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (head := await reader.readuntil(b"\r\n\r\n")) and await self.request(head, reader, writer):
                pass
        writer.close()

    async def request(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = line.split()[1]
        if path == "/counts":
            counts = {
                "answered": sum(self.answered.values()),
                "twice": sum(count - 1 for count in self.answered.values()),
                "events": self.events,
                "tokens": self.tokens,
                "most at once": self.most_running,
            }
            return await self.send(writer, 200, counts)
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return await self.send(writer, 401, {"error": {"message": "no such key", "code": "invalid_api_key"}})
        if self.no_credit:
            return await self.send(writer, 402, {"error": {"message": "Insufficient balance"}})
        if path == "/v1/models":
            return await self.send(writer, 200, {"object": "list", "data": []})
        return await self.chat(json.loads(body), hashlib.sha256(body).hexdigest(), reader, writer)

    async def chat(
        self, body: dict[str, Any], name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        model = body["model"]
        if model == "nobody":
            return await self.send(writer, 404, {"error": {"message": "no such model", "code": "model_not_found"}})
        if self.no_schema and "response_format" in body:
            await asyncio.sleep(self.seconds)
            self.count(model, "400")
            return await self.send(writer, 400, {"error": {"message": "response_format is not supported"}})
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.running > self.at_once:
                return await self.fail(model, "429", reader, writer)
            await asyncio.sleep(self.seconds)
            self.seen[name] += 1
            drawn = digest("http", name, self.seen[name])
            # apart from --at-once, at most three attempts at a request fail, so that every request gets an answer
            if drawn % 10_000 < self.faults * 10_000 and self.seen[name] < 4:
                return await self.fail(model, HTTP_FAULTS[drawn // 10_000 % len(HTTP_FAULTS)], reader, writer)
            return await self.answer(body, name, writer)
        finally:
            self.running -= 1

    async def answer(self, body: dict[str, Any], name: str, writer: asyncio.StreamWriter) -> bool:
        model, prompt = body["model"], body["messages"][-1]["content"]
        if model.startswith("judge"):
            drawn = digest("judge", name)
            bad = drawn % 10_000 < self.judge_faults * 10_000
            prompts = "\n".join(message["content"] for message in body["messages"])
            text = judge_answer(prompts, JUDGE_FAULTS[drawn // 10_000 % len(JUDGE_FAULTS)] if bad else "")
        else:
            text = write_answer(model, body["messages"])
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        choices: list[dict[str, Any]] = [
            {"index": at, "finish_reason": "stop", "message": {"role": "assistant", "content": f"{text}{'.' * at}"}}
            for at in range(body.get("n", 1) if self.several else 1)
        ]
        # count after the last byte was sent, because a client that has gone gets no answer
        await self.send(writer, 200, {"object": "chat.completion", "choices": choices, "usage": usage})
        self.answered[name] += 1
        self.count(model, "answered")
        self.tokens.setdefault(model, Counter()).update(usage)
        return True

    async def fail(self, model: str, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.count(model, "no answer" if fault == "aborted" else fault)
        if fault == "hang":
            await reader.read()  # until the client closes the connection
            return False
        if fault == "cut":
            writer.write(
                b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\nContent-Type: application/json\r\n\r\n{"choices": [{'
            )
            await writer.drain()
            return False
        if fault == "no answer":
            return await self.send(writer, 200, {"error": "the machine behind went away"})
        if fault == "aborted":
            choice = {"index": 0, "finish_reason": "abort", "message": {"content": "half an answer, quality=5"}}
            return await self.send(writer, 200, {"choices": [choice], "usage": {}})
        if fault == "not json":
            return await self.send(writer, 200, '{"choices": [{"message": {"content": "half')
        more = f"retry-after: {self.retry_after}\r\n" if fault == "429" else ""
        return await self.send(writer, int(fault), {"error": {"message": "try again later"}}, more)

    def count(self, model: str, event: str) -> None:
        self.events.setdefault(model, Counter())[event] += 1

    async def send(self, writer: asyncio.StreamWriter, status: int, document: Any, more: str = "") -> bool:
        data = document if isinstance(document, str) else json.dumps(document)
        if writer.transport.is_closing():
            raise ConnectionError
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {len(data.encode())}"
        writer.write(f"{head}\r\n\r\n{data}".encode())
        await writer.drain()
        return True


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--judge-faults", type=float, default=0.0)
    parser.add_argument("--at-once", type=int, default=1000)
    parser.add_argument("--key", default="")
    parser.add_argument("--no-credit", action="store_true", help="answer 402 to all requests of a client")
    parser.add_argument("--retry-after", type=float, default=0.02)
    parser.add_argument("--several", action="store_true", help="give `n` answers if a request asks for them")
    parser.add_argument("--no-schema", action="store_true", help="refuse requests with a JSON schema")
    options = parser.parse_args()
    server = Server(options)
    listening = await asyncio.start_server(server.connection, "127.0.0.1", options.port, limit=2**26, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
