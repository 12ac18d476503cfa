"""Whole programs must print what they print in plain Python, whatever way they read, write and end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codepref.execution.limits import Limits
from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

INPUT = "3\n4 5 6\n"

READING = {
    "open(0)": "text = open(0).read()",
    "io.open(0)": "import io\ntext = io.open(0).read()",
    "open(0, 'rb')": "text = open(0, 'rb').read().decode()",
    "open(0) unbuffered": "text = open(0, 'rb', buffering=0).read().decode()",
    "/dev/stdin": "text = open('/dev/stdin').read()",
    "/dev/fd/0": "text = open('/dev/fd/0').read()",
    "/proc/self/fd/0": "text = open('/proc/self/fd/0').read()",
    "Path": "from pathlib import Path\ntext = Path('/dev/stdin').read_text()",
    "os.open": "import os\ntext = os.read(os.open('/dev/stdin', os.O_RDONLY), 1000).decode()",
    "FileIO": "import io\ntext = io.FileIO(0).read().decode()",
    "BufferedReader": "import io\ntext = io.BufferedReader(io.FileIO(0)).read().decode()",
    "TextIOWrapper": "import io, sys\ntext = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8').read()",
    "os.fdopen": "import os\ntext = os.fdopen(0).read()",
    "os.dup": "import os\ntext = os.fdopen(os.dup(0)).read()",
    "os.dup2": "import os\nos.dup2(0, 9)\ntext = os.read(9, 1000).decode()",
    "os.readv": "import os\nb = bytearray(1000)\nn = os.readv(0, [b])\ntext = b[:n].decode()",
    "size": "import os\ntext = os.read(0, os.fstat(0).st_size).decode()",
    "mmap": "import mmap\ntext = mmap.mmap(0, 0, access=mmap.ACCESS_READ).read().decode()",
    "mmap shared": "import mmap\ntext = mmap.mmap(0, 0, prot=mmap.PROT_READ)[:].decode()",
    "raw": "import sys\ntext = sys.stdin.buffer.raw.read().decode()",
    "peek": "import sys\nassert sys.stdin.buffer.peek(1)\ntext = sys.stdin.buffer.read().decode()",
    "readinto": "import sys\nb = bytearray(1000)\nn = sys.stdin.buffer.readinto(b)\ntext = b[:n].decode()",
    "readlines": "import sys\ntext = ''.join(sys.stdin.readlines())",
    "iteration": "import sys\ntext = ''.join(line for line in sys.stdin)",
    "__stdin__": "import sys\ntext = sys.__stdin__.read()",
    "seek": "import sys\nsys.stdin.read()\nsys.stdin.seek(0)\ntext = sys.stdin.read()",
    "fileinput": "import fileinput\ntext = ''.join(fileinput.input())",
    "select": "import select, sys\nassert select.select([0], [], [], 5)[0] == [0]\ntext = sys.stdin.read()",
    "reconfigure": "import sys\nsys.stdin.reconfigure(encoding='latin-1')\ntext = sys.stdin.read()",
    "detach": "import sys\ntext = sys.stdin.detach().read().decode()",
    "read again": "import os\nos.lseek(0, 0, 0)\ntext = os.read(0, 1000).decode()\nos.lseek(0, 0, 0)",
    "thread": "import sys, threading\nparts = []\nt = threading.Thread(target=lambda: parts.append(sys.stdin.read()))\n"
    "t.start()\nt.join()\ntext = parts[0]",
    "input": "text = input() + '\\n' + input() + '\\n'",
    "end of file": "text = ''\ntry:\n    while True:\n        text += input() + '\\n'\nexcept EOFError:\n    pass",
    "codecs": "import codecs, sys\ntext = codecs.getreader('utf-8')(sys.stdin.buffer).read()",
    "csv": "import csv, sys\ntext = '\\n'.join(' '.join(r) for r in csv.reader(sys.stdin, delimiter=' ')) + '\\n'",
    "attributes": "import sys\nassert (sys.stdin.mode, sys.stdin.name, sys.stdin.fileno(), sys.stdin.isatty()) == "
    "('r', '<stdin>', 0, False)\ntext = sys.stdin.read()",
}

WRITING = {
    "print": "print(answer)",
    "buffer": "import sys\nsys.stdout.buffer.write(f'{answer}\\n'.encode())",
    "raw": "import sys\nsys.stdout.buffer.raw.write(f'{answer}\\n'.encode())",
    "__stdout__": "import sys\nsys.__stdout__.write(f'{answer}\\n')",
    "open(1)": "open(1, 'w').write(f'{answer}\\n')",
    "open(1) kept open": "out = open(1, 'w', closefd=False)\nout.write(f'{answer}\\n')",
    "os.write": "import os\nos.write(1, f'{answer}\\n'.encode())",
    "os.writev": "import os\nos.writev(1, [str(answer).encode(), b'\\n'])",
    "os.fdopen": "import os\nwith os.fdopen(1, 'w') as out:\n    out.write(f'{answer}\\n')",
    "os.dup": "import os\nout = os.fdopen(os.dup(1), 'w')\nout.write(f'{answer}\\n')\nout.close()",
    "/dev/stdout": "print(answer, flush=True)\nwith open('/dev/stdout', 'w') as out:\n    out.write('more\\n')\nprint('end')",
    "/dev/fd/1": "with open('/dev/fd/1', 'w') as out:\n    out.write(f'{answer}\\n')",
    "sendfile": "import os\nos.lseek(0, 0, 0)\nos.sendfile(1, 0, 0, 100)",
    "buffered and not": "import os\nprint(1)\nos.write(1, b'2\\n')\nprint(3)",
    "a new stdout": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, write_through=True)\nprint(answer)",
    "a captured stdout": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as kept:\n    print('x')\n"
    "print(kept.getvalue() + str(answer))",
    "closed stdout": "import sys\nprint(answer)\nsys.stdout.close()",
    "stderr": "import sys\nprint('no', file=sys.stderr)\nopen('/dev/stderr', 'w').write('no')\nos = __import__('os')\n"
    "os.write(2, b'no')\nprint(answer)",
    "atexit": "import atexit\natexit.register(print, answer)",
    "destructor": "class A:\n    def __del__(self):\n        print(answer)\na = A()",
    "destructor in a cycle": "class A:\n    def __del__(self):\n        print(answer)\na = A()\na.me = a",
    "destructor of a local": "class A:\n    def __del__(self):\n        print('gone')\ndef f():\n    a = A()\n    print('f')\n"
    "f()\nprint(answer)",
    "a finalizer": "import weakref\nclass A:\n    pass\na = A()\nweakref.finalize(a, print, answer)",
    "a thread at the end": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print(answer))).start()",
    "an executor at the end": "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(2).submit(print, answer)",
    "a daemon": "import threading\nt = threading.Thread(target=print, args=(answer,), daemon=True)\nt.start()\nt.join()",
    "pprint": "import pprint\npprint.pprint(answer)",
    "logging": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(message)s')\nlogging.warning(answer)",
    "attributes": "import sys\nprint(sys.stdout.mode, sys.stdout.name, sys.stdout.fileno(), sys.stderr.name, sys.stdin.encoding)",
}

ENDING = {
    "exit": "print(1)\nexit()\nprint(2)",
    "exit in a function": "def f():\n    print(1)\n    exit(0)\nf()\nprint(2)",
    "quit": "print(1)\nquit()\nprint(2)",
    "sys.exit": "import sys\nprint(1)\nsys.exit()\nprint(2)",
    "sys.exit(256)": "import sys\nprint(1)\nsys.exit(256)",
    "raise": "print(1)\nraise SystemExit",
    "os._exit": "import os\nprint(1, flush=True)\nos._exit(0)",
    "os._exit in a thread": "import os, threading\nprint(1, flush=True)\nthreading.Thread(target=os._exit, args=(0,)).start()\n"
    "threading.Event().wait(60)",
    "exit after input": "input()\nprint(1)\nexit()",
    "exit with finally": "try:\n    exit()\nfinally:\n    print(1)",
    "exit is caught": "try:\n    exit()\nexcept SystemExit:\n    print(1)",
    "atexit after exit": "import atexit\natexit.register(print, 2)\nprint(1)\nexit()",
    "the last line": "print(1)\nexit",
}

SURROUNDINGS = {
    "file": "import os\nprint(os.path.exists(__file__), os.path.samefile(__file__, __import__('sys').argv[0]))",
    "own text": "print(open(__file__).read())",
    "inspect": "import inspect\ndef f(x):\n    return x\nprint(inspect.getsource(f))",
    "main": "import sys, __main__\nx = 5\nprint(__name__, __main__.x, sys.modules['__main__'].x, __doc__, __annotations__)",
    "pickle": "import pickle\nclass A:\n    x = 1\nprint(pickle.loads(pickle.dumps(A())).x)",
    "dataclass": "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(A(1))",
    "type hints": "import typing\ndef f(a: 'int'): pass\nprint(typing.get_type_hints(f))",
    "a bigger stack": "import resource, sys\nresource.setrlimit(resource.RLIMIT_STACK, (2 ** 27, -1))\nsys.setrecursionlimit(10 ** 5)\n"
    "f = lambda n: n and 1 + f(n - 1)\nprint(f(20000))",
    "a lower limit": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))",
    "more files": "import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\nprint(1)",
    "no core": "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nprint(resource.getrlimit(resource.RLIMIT_CORE))",
    "a wrong limit": "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_NOFILE, (50, 40))\nexcept ValueError:\n    print('no')",
    "files": "import os\nopen('a.txt', 'w').write('hi')\nos.mkdir('d')\nos.rename('a.txt', 'd/b.txt')\n"
    "print(open('d/b.txt').read(), os.listdir('d'))",
    "temporary files": "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('hi')\n    f.seek(0)\n    print(f.read())",
    "a module of its own": "open('helper_of_mine.py', 'w').write('x = 3')\nimport helper_of_mine\nprint(helper_of_mine.x)",
    "thread with a stack": "import sys, threading\ndef main():\n    print(input())\nthreading.stack_size(2 ** 26)\n"
    "t = threading.Thread(target=main)\nt.start()\nt.join()",
    "thread pool": "from multiprocessing.pool import ThreadPool\nwith ThreadPool(2) as pool:\n    print(pool.map(str, range(4)))",
    "locks of multiprocessing": "import multiprocessing as m\nwith m.RLock() as a, m.Semaphore(2), m.Lock():\n    print(a)\n"
    "q = m.SimpleQueue()\nq.put(1)\nprint(q.get(), m.Value('i', 3).value)",
    "signals": "import signal\nsignal.signal(signal.SIGALRM, lambda *_: print('late'))\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\n"
    "signal.pause()",
    "a raised signal": "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('signal'))\nos.kill(os.getpid(), signal.SIGUSR1)",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0.01)\n    print(1)\nasyncio.run(main())",
}

PROGRAMS = {
    **{f"reads {name}": f"{code}\nprint(sum(map(int, text.split()[1:])))\n" for name, code in READING.items()},
    **{f"writes {name}": f"answer = 15\n{code}\n" for name, code in WRITING.items()},
    **{f"ends {name}": f"{code}\n" for name, code in ENDING.items()},
    **{f"has {name}": f"{code}\n" for name, code in SURROUNDINGS.items()},
}


def plain_output(program: str, folder: Path) -> str:
    """Return what a program prints in an interpreter of its own, with a file as its standard input."""
    (folder / "solution.py").write_text(program)
    (folder / "input").write_text(INPUT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (folder / "input").open() as given:
        ended = subprocess.run(
            [sys.executable, "solution.py"],
            stdin=given,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**environment, "PYTHONUTF8": "1"},
            timeout=60,
        )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_it_prints_in_plain_python(verdict_on, tmp_path, name):
    expected = plain_output(PROGRAMS[name], tmp_path)
    test = Test("t", "0", json.dumps({"input": INPUT, "output": expected}), "stdio")
    verdict = verdict_on(PROGRAMS[name], test, limits=Limits(cpu_seconds=3))
    assert verdict.codes == "P", (verdict.detail, expected)
    assert verdict.isolation == "separate"
