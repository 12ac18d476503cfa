"""A server of one model for tests. Each answer holds a different number, which shows lost and invented answers.

    python served_model.py --faults 0.2 --seconds 0.01 --max-n 4

The server prints its port. GET /counts returns the numbers in its answers, its faults and, with --keep-calls, the
bodies of its calls. Whether and how --faults makes a request fail depends only on the request's body and on the number
of earlier requests with this body.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
from collections import Counter
from typing import Any

FAULTS = ("429", "500", "hang", "cut", "not json")


class Model:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.answers = 0
        self.given: dict[str, list[int]] = {}
        self.calls: list[dict[str, Any]] = []
        self.attempts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.running = self.most = 0

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
            counts = {"given": self.given, "faults": self.faults, "calls": self.calls, "most": self.most}
            return await self.send(writer, 200, counts)
        if path == "/v1/models":
            return await self.send(writer, 200, {"object": "list", "data": [{"id": self.options.model}]})
        return await self.generate(json.loads(body), path.endswith("/chat/completions"), body, reader, writer)

    async def generate(
        self, body: dict[str, Any], chat: bool, raw: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        options = self.options
        if self.answers >= options.die_after >= 0:
            os._exit(1)
        for name in options.refuse:
            if name in body:
                self.faults[f"refused {name}"] += 1
                error = {"message": f"{name} is not a known field", "param": name}
                return await self.send(writer, 400, {"error": error})
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        if options.moderated and options.moderated in prompt:
            self.faults["moderated"] += 1
            return await self.send(writer, 400, {"error": {"message": "the prompt was held back"}})
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(options.seconds)
            digest = hashlib.sha256(raw).hexdigest()
            self.attempts[digest] += 1
            drawn = int(hashlib.sha256(f"{digest}/{self.attempts[digest]}".encode()).hexdigest()[:8], 16)
            # at most three attempts at a request fail, so that every request gets an answer
            if drawn % 10_000 < options.faults * 10_000 and self.attempts[digest] < 4:
                return await self.fail(FAULTS[drawn // 10_000 % len(FAULTS)], reader, writer)
            return await self.answer(body, chat, prompt, writer)
        finally:
            self.running -= 1

    async def answer(self, body: dict[str, Any], chat: bool, prompt: str, writer: asyncio.StreamWriter) -> bool:
        count = min(body.get("n", 1), self.options.max_n or 10**9)
        numbers = list(range(self.answers, self.answers + count))
        self.answers += count
        choices = []
        for index, number in enumerate(numbers):
            text = f"```python\ndef f():\n    return {number}\n```\n" + "x" * self.options.padding
            message = {"role": "assistant", "content": text}
            if self.options.reasoning:
                message["reasoning_content"] = f"thinking {number}"
            choices.append(
                {"index": index, "finish_reason": "stop"} | ({"message": message} if chat else {"text": text})
            )
        usage = {"prompt_tokens": 10, "completion_tokens": 20 * count}
        document = {"object": "x", "model": self.options.answers_as or body["model"], "choices": choices}
        # count after the last byte was sent, because a client that has gone gets no answer
        await self.send(writer, 200, document | {"usage": usage})
        self.given.setdefault(prompt, []).extend(numbers)
        if self.options.keep_calls:
            self.calls.append(body)
        return True

    async def fail(self, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.faults[fault] += 1
        if fault == "hang":
            await reader.read()  # until the client closes the connection
            return False
        if fault == "cut":
            writer.write(
                b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\nContent-Type: application/json\r\n\r\n{"choices": [{'
            )
            await writer.drain()
            return False
        if fault == "not json":
            return await self.send(writer, 200, '{"choices": [{"message": {"content": "half')
        return await self.send(writer, int(fault), {"error": {"message": "try again later"}})

    async def send(self, writer: asyncio.StreamWriter, status: int, document: Any) -> bool:
        data = document if isinstance(document, str) else json.dumps(document)
        if writer.transport.is_closing():
            raise ConnectionError
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data.encode())}"
        writer.write(f"{head}\r\n\r\n{data}".encode())
        await writer.drain()
        return True


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default="writer")
    parser.add_argument("--answers-as", default="", help="the name of the model in answers")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--max-n", type=int, default=0, help="most answers a call; 0: no limit")
    parser.add_argument("--refuse", nargs="*", default=[], help="fields that are answered by 400")
    parser.add_argument("--moderated", default="", help="prompts with this text are refused")
    parser.add_argument("--reasoning", action="store_true")
    parser.add_argument("--die-after", type=int, default=-1, help="end the process after so many answers")
    parser.add_argument("--padding", type=int, default=0, help="more characters in each answer")
    parser.add_argument("--keep-calls", action="store_true")
    options = parser.parse_args()
    model = Model(options)
    listening = await asyncio.start_server(model.connection, "127.0.0.1", options.port, limit=2**26, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
