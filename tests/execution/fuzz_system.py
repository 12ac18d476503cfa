"""Generates programs with random system calls, programs that write to the test runner's channel, and odd source texts.

Where such a program names a new file, the name usually contains MARK, so that a file that is left can be recognised.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

from codepref.execution.sandbox.wire.encoder import Encoder

MARK = "codepref-fuzz"
_CALLS = {
    "os": """fork forkpty kill killpg write read open close dup dup2 pipe mkdir symlink link rename unlink chmod chdir
    nice setsid setpgid sched_setaffinity memfd_create posix_spawn execv system popen abort _exit sendfile ftruncate
    mkfifo mknod eventfd pidfd_open closerange set_blocking lseek splice umask wait waitpid getrandom setuid getppid
    set_inheritable fsync listdir scandir stat readlink isatty ttyname login_tty tcgetpgrp setpriority openpty
    sched_setscheduler sched_yield urandom cpu_count putenv unsetenv getlogin pread pwrite fdopen walk""",
    "signal": """alarm setitimer signal raise_signal pthread_kill pthread_sigmask siginterrupt set_wakeup_fd sigpending
    sigtimedwait getitimer pidfd_send_signal sigwait""",
    "socket": "socket socketpair create_connection create_server fromfd gethostbyname close if_nameindex getaddrinfo",
    "threading": "Thread Timer stack_size settrace setprofile excepthook Lock Barrier _shutdown _start_new_thread",
    "ctypes": "string_at create_string_buffer memmove memset cast CDLL PyDLL c_char_p c_void_p pythonapi POINTER",
    "mmap": "mmap",
    "resource": "setrlimit getrlimit prlimit getrusage",
    "sys": """exit settrace setprofile setrecursionlimit setswitchinterval _getframe _current_frames addaudithook
    set_asyncgen_hooks _clear_type_cache unraisablehook excepthook setdlopenflags intern getrefcount breakpointhook""",
    "gc": "collect disable freeze set_threshold set_debug get_objects get_referrers get_referents",
    "atexit": "register _run_exitfuncs _clear unregister",
    "fcntl": "fcntl ioctl flock lockf",
    "time": "sleep clock_settime thread_time",
    "_posixshmem": "shm_open shm_unlink",
    "multiprocessing": "Process Pool Queue Lock",
    "tempfile": "mkstemp mkdtemp TemporaryFile NamedTemporaryFile gettempdir",
    "io": "open open FileIO",
    "shutil": "copyfile copytree rmtree move make_archive disk_usage",
    "sqlite3": "connect",
    "pathlib": "Path",
    "subprocess": "Popen run",
    "faulthandler": "enable _sigsegv _stack_overflow dump_traceback_later _fatal_error_c_thread",
    "select": "epoll poll select",
}
_ARGUMENTS = re.split(
    r"  |\n",
    f"""-1  0  0  1  1  2  3  3  4  5  9  15  19  64  255  1000  2**31  2**63  0.01  None  True  []  ()  {{}}  ''  b''
b'x' * 70000  '/'  '.'  '/dev/null'  '/proc/self/mem'  '/proc/self/fd/3'  '/dev/zero'  '/etc/passwd'  '/bin/true'  0.1
'/tmp/{MARK}-a'  '/tmp/{MARK}-b'  '/tmp/{MARK}-c'  '/dev/shm/{MARK}'  '/{MARK}'  '{MARK}'  os.getpid()  os.getppid()
os.O_RDWR | os.O_CREAT
'w'  'wb'  'a'  '{MARK}/{MARK}'  f  lambda *a: None  lambda *a: f()  os._exit  threading.current_thread()  [3, 4]
(1, 1)  (0, 0)  signal.SIG_IGN  signal.SIGALRM  signal.SIGSEGV  signal.SIGPROF  socket.AF_UNIX  sys.modules""",
)
_ENDS = ("return 3", "return x", "return 3", "os._exit(0)", "sys.exit(0)", "raise SystemExit", "return [x, x]", "pass")
PRELUDE = "import atexit, ctypes, fcntl, gc, mmap, os, resource, signal, socket, struct, sys, threading, time\n"
_LATER = (
    "_posixshmem",
    "multiprocessing",
    "tempfile",
    "io",
    "shutil",
    "sqlite3",
    "pathlib",
    "subprocess",
    "faulthandler",
    "select",
)


def call(rng: random.Random) -> list[str]:
    """Return lines that make one random call, or many equal calls. Most of these lines catch what a call raises."""
    if rng.random() < 0.15:
        numbers = ", ".join(rng.choice(("0", "1", "3", "-1", "4096", "1 << 30")) for _ in range(rng.randint(0, 5)))
        line = f"ctypes.CDLL(None).syscall({rng.randrange(470)}, {numbers})"
    else:
        module = rng.choice(list(_CALLS))
        name = rng.choice(_CALLS[module].split())
        arguments = ", ".join(rng.choice(_ARGUMENTS) for _ in range(rng.choice((0, 1, 1, 2, 2, 2, 3))))
        line = f"{module}.{name}({arguments})"
        if module in _LATER:
            line = f"__import__({module!r}).{name}({arguments})"
        if module == "threading" and name in ("Thread", "Timer"):
            body = rng.choice(
                ("f", "lambda: time.sleep(9)", "lambda: os._exit(0)", "lambda: [0 for _ in iter(int, 1)]")
            )
            line = f"threading.Thread(target={body}, daemon={rng.random() < 0.5}).start()"
    if rng.random() < 0.1:
        line = f"[{line} for _ in range({rng.choice((5, 100, 5000))})]"
    return [line] if rng.random() < 0.25 else [f"try: kept.append({line})", "except BaseException: pass"]


def system(rng: random.Random) -> str:
    """Return a program that makes random calls of `call` in `f`, and in some cases also while it loads."""
    return _program(rng, call, "def f(*x, **y):\n")


def protocol(rng: random.Random) -> str:
    """Return a program whose `f` mostly acts on the test runner's channel (see `write`), and then continues or ends."""
    return _program(rng, lambda rng: write(rng) if rng.random() < 0.8 else call(rng), "def f(x=0, *y):\n")


def _program(rng: random.Random, lines: Callable[[random.Random], list[str]], head: str) -> str:
    loaded = "".join(line + "\n" for _ in range(rng.choice((0, 0, 0, 1, 2))) for line in lines(rng))
    body = "".join(f"    {line}\n" for _ in range(rng.randint(1, 4)) for line in lines(rng))
    return f"{PRELUDE}kept = []\n{loaded}\n\n{head}{body}    {rng.choice(_ENDS)}\n"


def frame(rng: random.Random) -> bytes:
    """Return a frame like those that a solution's process sends.

    It may be valid, have changed bytes, state a wrong length, be cut, or hold random bytes.
    """
    number = struct.pack("<I", rng.choice((0, 1, 2, 2, 3, 3, 4, 5, 2**32 - 1)))
    values = (3, None, [1, [2]], {"f": 3}, ("a", "b"), {1: {2}}, 1 << 200, 1.5, "text", [1.0] * 9, list("abcdefghij"))
    value = Encoder(lambda _: None, exact=False).encode(rng.choice(values))
    if rng.random() < 0.3:
        name = rng.choice((b"f", b"antigravity", b"numpy", b"a\0b", b"\xff", b"int", b"this", b"__main__"))
        value = (
            b"h"
            + rng.choice((b"o", b"c", b"i", b"m", b"b", b"?"))
            + struct.pack("<II", rng.randrange(3), len(name))
            + name
        )
    if rng.random() < 0.2:
        kind = rng.choice(
            ("ValueError", "SystemExit", "AssertionError", "BaseExceptionGroup", "UnicodeDecodeError", "f")
        )
        value = Encoder(lambda _: None, exact=False).encode(
            (kind, kind, rng.choice(((), ("a",), (1,) * 5)), rng.choice((None, 1)))
        )
    body = bytearray(
        number + rng.choice((b"+", b"+", b"-", b"?")) + value + struct.pack("<I", rng.choice((0, 0, 0, 1, 9)))
    )
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        body[rng.randrange(len(body))] = rng.randrange(256)
    if rng.random() < 0.1:
        body = bytearray(rng.randbytes(rng.randrange(300)))
    length = struct.pack(
        "<I", len(body) if rng.random() < 0.8 else rng.choice((0, 1, 4, 5, 2**26, 2**26 + 1, 2**32 - 1))
    )
    return length + bytes(body) if rng.random() < 0.8 else (length + bytes(body))[: rng.randrange(len(body) + 4)]


def write(rng: random.Random) -> list[str]:
    """Return lines that write to, read from, close or change the test runner's channel or another descriptor.

    What they write is mostly frames.
    """
    way = rng.randrange(14)
    descriptor = 3 if rng.random() < 0.8 else rng.randrange(12)
    others = {
        0: "os.close(3)",
        1: f"kept.append(os.read({descriptor}, 65536))",
        2: f"os.dup2({descriptor}, {rng.choice((0, 3, 4, 50))})",
        3: f"os.set_blocking({descriptor}, False)",
        4: f"kept.append(socket.socket(fileno={descriptor}))",
        5: f"socket.socket(fileno={descriptor}).shutdown({rng.randrange(3)})",
        6: f"[os.write({descriptor}, b'x' * 100000) for _ in range(100)]",
        7: f"[os.write(n, {frame(rng)!r}) for n in range(3, 64)]",
        8: f"threading.Thread(target=lambda: os.write({descriptor}, {frame(rng)!r}), daemon=True).start()",
    }
    line = (
        others.get(way) or f"os.write({descriptor}, {b''.join(frame(rng) for _ in range(rng.choice((1, 1, 2, 5))))!r})"
    )
    return [line] if rng.random() < 0.5 else [f"try: {line}", "except BaseException: pass"]


def oddity(rng: random.Random) -> str:
    """Return a program with unusual text, mostly before, after or within an ordinary function."""
    n = rng.choice((10, 50, 100, 500, 3000, 20000))
    plain = "def f(*x):\n    return 3\n"
    pick = rng.choice
    texts: tuple[Callable[[], str], ...] = (
        lambda: plain.replace(
            "3", pick(("'\0'", "'\ud800'", "'\udfff\ud800'", "\f3", "'\u202e'", "\\\n3", "0x" + "f" * n))
        ),
        lambda: pick(("\0", "\ufeff", "\ud800", "\f\n", "\r", "\x1a", "\u2028", "#!\n", "\\\n")) + plain,
        lambda: (
            f"{pick(('', '#!x'))}\n# {pick(('-*- coding: ', 'coding=', 'vim: coding: '))}"
            f"{pick(('latin-1', 'utf-16', 'rot13', 'nonsense', 'utf-7', 'idna', 'cp037', 'utf-8-sig'))}\n{plain}"
        ),
        lambda: plain.replace("3", "1" * n),
        lambda: plain.replace("3", "'" + "a" * n * 10 + "'"),
        lambda: plain.replace("3", "(" * n + "3" + ")" * n),
        lambda: plain.replace("3", "[" * n + "]" * n),
        lambda: plain.replace("3", pick(("-", "~", "not ", "+", "lambda: ", "*", "await ", "yield ")) * n + "3"),
        lambda: plain.replace(
            "3", pick((" + ", " ** ", " if x else ", " < ", ", ", " or ", " @ ", ".")).join(["x"] * n)
        ),
        lambda: plain.replace("3", "x" + pick(("[0]", ".x", "()", "[:]", "(x)")) * n),
        lambda: plain.replace("3", "f'{" * min(n, 500) + "3" + "}'" * min(n, 500)),
        lambda: "".join(f"{' ' * depth}if 1:\n" for depth in range(min(n, 500))) + " " * min(n, 500) + "f = len\n",
        lambda: "\n" * n * 10 + plain,
        lambda: " " * n * 10 + "\n" + plain,
        lambda: ("\n" + " " * pick((1, 8))) * n + "\n" + plain,
        lambda: plain.replace("    ", pick(("\t", " \t", "\t    ", "\f    ", "\u00a0   ", "   "))) + "\n\tx = 1\n",
        lambda: (
            plain + pick(("import ", "from ", "from . import *", "class ", "@", "if x:", "else:", "'''", "f'{", '"\\'))
        ),
        lambda: "".join(f"v{at} = {at}\n" for at in range(n)) + plain,
        lambda: "if x:\n    pass\n" + "elif x:\n    pass\n" * n + plain,
        lambda: f"def f({', '.join(f'a{at}=0' for at in range(n))}):\n    return 3\n",
        lambda: "def f(*x):\n    global " + ", ".join(f"g{at}" for at in range(n)) + "\n    return 3\n",
        lambda: "def f(*ẋ, ﬁ=1):\n    ª = 3\n    return a\n# " + "é" * n,
        lambda: (
            "".join(f"{' ' * at}try: pass\n{' ' * at}finally:\n" for at in range(min(n, 14))) + " " * 14 + "f = len\n"
        ),
        lambda: pick(("", " ", "\n", "#", "pass", "\t", "f", "f = 3", "...", "def", "\0", "f: int", "f = f")),
        lambda: "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) for _ in range(min(n, 500))),
        lambda: "\n" * n + "import" + " " * n + "numpy" + "\n" * n,
    )
    return pick(texts)()
