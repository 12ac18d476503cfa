"""A server that tests let codepref start. It lists one model, and misbehaves if an option says so."""

import argparse
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def leave_a_process_behind(pids: Path) -> None:
    """Start a process in another session, let its parent end, and write the pid of the process to the file `pids`."""
    sleeper = (
        f"import os; os.setsid(); open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\nimport time; time.sleep(600)"
    )
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}])"
    subprocess.run([sys.executable, "-c", code], check=True)


def program(prompt: str, *, right: bool) -> str:
    """Return an answer to a prompt. If the prompt names a function `add_N`, the answer defines this function.

    The function adds N if `right` is true, and N + 1 otherwise.
    """
    found = re.search(r"add_(\d+)", prompt)
    if not found:
        return "I do not know."
    return f"```python\ndef add_{found[1]}(x):\n    return x + {int(found[1]) + (not right)}\n```"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--id", help="the id in the list of models (default: the model)")
    parser.add_argument("--pids", type=Path, help="file for the pids of this process and of one that it leaves behind")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--fail", action="store_true", help="print a traceback and end")
    parser.add_argument("--silent", action="store_true", help="take connections, and never answer")
    parser.add_argument("--loading", type=float, default=0, help="seconds in which /health answers 503")
    parser.add_argument("--die-on-chat", action="store_true")
    parser.add_argument("--asked", type=Path, help="file for a line of JSON about each answer: model, prompt and seed")
    parser.add_argument("--seconds", type=float, default=0, help="seconds that each answer takes")
    parser.add_argument("--print-port", action="store_true")
    options = parser.parse_args()
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.pids:
        with options.pids.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        leave_a_process_behind(options.pids)
    if options.fail:
        print("INFO reading the weights", flush=True)
        raise ValueError("the weights of layer 3 are missing")
    ready = time.monotonic() + options.loading
    counts: dict[str, int] = {}
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if options.silent:
                time.sleep(600)
            if time.monotonic() < ready:
                self.answer(503, {"error": "loading"})
            elif self.path == "/health":
                self.answer(200, {})
            else:
                self.answer(200, {"object": "list", "data": [{"id": options.id or options.model, "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if options.die_on_chat:
                print("RuntimeError: the cache is full", file=sys.stderr, flush=True)
                os._exit(3)
            time.sleep(options.seconds)
            prompt = body["messages"][-1]["content"]
            with lock:
                counts[prompt] = counts.get(prompt, 0) + 1
                text = program(prompt, right=counts[prompt] % 2 == 0)
                if options.asked:
                    line = {"model": options.model, "prompt": prompt, "seed": body.get("seed")}
                    options.asked.open("a").write(json.dumps(line) + "\n")
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

        def answer(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    if options.print_port:
        print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
