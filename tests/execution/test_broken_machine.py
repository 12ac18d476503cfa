"""Tests of execution on machines that lack something, and of workers and runs that are killed.

The tests cause real faults: they refuse system calls, set limits, fill disks and kill processes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from codepref.errors import MachineError
from codepref.execution import engine as engine_module
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

PROBLEM = {"task_id": "a", "prompt": "Add one to x.", "entry_point": "f", "tests": ["assert f(1) == 2"]}
OWN_PROCESS = "import os\ndef f(x):\n    return x + 1  # {}\n"

DENY = """
import ctypes, os, struct, sys
calls, command = sys.argv[1].split(","), sys.argv[2:]
steps = [(0x20, 0, 0, 0)]
for call in calls:
    number, error = map(int, call.split("="))
    steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | error)]
raw = b"".join(struct.pack("=HBBI", *step) for step in [*steps, (0x06, 0, 0, 0x7FFF0000)])
program = ctypes.create_string_buffer(raw, len(raw))
head = ctypes.create_string_buffer(struct.pack("@HP", len(raw) // 8, ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, head, 0, 0) == 0
os.execv(command[0], command)
"""
"""A program that runs a command under a seccomp filter, as a container does. Some system calls fail for the command.

The first argument names them as NUMBER=ERRNO, separated by commas. The other arguments are the command.
"""

LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446  # the same on x86-64 and aarch64
IS_X86 = os.uname().machine == "x86_64"
SECCOMP, PERSONALITY = (317, 135) if IS_X86 else (277, 92)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[int], list[str]]:
    """A function that writes n correct solutions, and returns the command `codepref execute` that runs them."""

    def make(count: int = 2) -> list[str]:
        problems, solutions = tmp_path / "p.jsonl", tmp_path / "s.jsonl"
        problems.write_text(json.dumps(PROBLEM) + "\n")
        lines = [json.dumps({"task_id": "a", "solution": OWN_PROCESS.format(at)}) for at in range(count)]
        solutions.write_text("".join(line + "\n" for line in lines))
        command = [sys.executable, "-m", "codepref", "execute", "--problems", str(problems), "--jobs", "1"]
        return [*command, "--solutions", str(solutions), "--out", str(tmp_path / "out")]

    return make


def _ended(command: list[str], limit: Callable[[], object] | None = None, **options: object) -> tuple[int, str, str]:
    ended = subprocess.run(  # type: ignore[call-overload]
        command, capture_output=True, text=True, timeout=120, preexec_fn=limit and (lambda: limit() and None), **options
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


def _denied(call: int, error: int, command: list[str]) -> list[str]:
    return [sys.executable, "-c", DENY, f"{call}={error}", *command]


def _codes(out: Path) -> set[str]:
    return set(pq.read_table(out / "verdicts.parquet")["verdicts"].to_pylist())


DOCTOR = [sys.executable, "-m", "codepref", "doctor"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (LANDLOCK_CREATE, errno.ENOSYS, "this kernel offers no Landlock"),
        (LANDLOCK_CREATE, errno.EOPNOTSUPP, "this kernel offers no Landlock"),
        (LANDLOCK_RESTRICT, errno.EPERM, "a worker cannot be started on this machine"),
        (SECCOMP, errno.EINVAL, "refused the system-call filter"),
    ],
)
def test_a_refusal_of_the_kernel_is_reported_with_a_remedy(
    call: int, error: int, message: str, files: Callable[..., list[str]], tmp_path: Path
) -> None:
    for command in (files(), DOCTOR):
        status, _, err = _ended(_denied(call, error, command))
        assert status == 3
        assert message in err
        assert "seccomp profile" in err
        assert "--unconfined" in err
    assert not (tmp_path / "out" / "summary.json").exists()


def test_random_addresses_are_a_note_of_the_doctor_and_not_a_failure() -> None:
    status, out, _ = _ended(_denied(PERSONALITY, errno.EPERM, DOCTOR))
    assert status == 0
    assert "note: addresses stay random" in out
    assert "untrusted programs are confined on this machine" in out


def test_the_doctor_works_where_there_is_no_home() -> None:
    status, out, _ = _ended(DOCTOR, env={**os.environ, "HOME": "/nowhere/{at}/all", "TMPDIR": "/nowhere"})
    assert status == 0
    assert out.count(": refused (") == 5


def test_a_missing_sandlock_is_named(files: Callable[..., list[str]], tmp_path: Path) -> None:
    broken = tmp_path / "path" / "sandlock.py"
    broken.parent.mkdir()
    broken.write_text("raise ImportError('no such library')\n")
    paths = os.pathsep.join([str(broken.parent), *filter(None, sys.path)])
    for command in (files(), DOCTOR):
        status, _, err = _ended(command, env={**os.environ, "PYTHONPATH": paths})
        assert status == 3
        assert "sandlock is missing or broken (no such library). Install it with pip install" in err


def _limit(kind: int, value: int) -> Callable[[], object]:
    return lambda: resource.setrlimit(kind, (value, value))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (resource.RLIMIT_NOFILE, 40, "a process may open 40 files here, and 1 workers need 131"),
        (resource.RLIMIT_AS, 2 << 30, "this shell allows 2,048 MiB of address space a process"),
        (resource.RLIMIT_CPU, 600, "this shell ends every process after 600 s of CPU time"),
        (resource.RLIMIT_FSIZE, 0, "cannot write"),
    ],
)
def test_a_tight_limit_of_the_shell_is_refused_before_any_verdict(
    kind: int, value: int, message: str, files: Callable[..., list[str]], tmp_path: Path
) -> None:
    status, _, err = _ended(files(), _limit(kind, value))
    assert status == 3
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize("soft_and_hard", [(1024, 1024), (64, 1024), (256, 256)])
def test_the_usual_number_of_descriptors_is_enough(
    soft_and_hard: tuple[int, int], files: Callable[..., list[str]], tmp_path: Path
) -> None:
    status, _, err = _ended(files(60), lambda: resource.setrlimit(resource.RLIMIT_NOFILE, soft_and_hard))
    assert (status, err) == (0, "")
    assert _codes(tmp_path / "out") == {"P"}


def test_a_limit_of_address_space_that_is_large_enough_changes_nothing(
    files: Callable[..., list[str]], tmp_path: Path
) -> None:
    status, _, err = _ended(files(), _limit(resource.RLIMIT_AS, 30 << 30))
    assert (status, err) == (0, "")
    assert _codes(tmp_path / "out") == {"P"}


@contextlib.contextmanager
def _few_processes(count: int) -> Iterator[Callable[[], object]]:
    """Limit the number of processes of a command by a control group, because RLIMIT_NPROC does not apply to root.

    Yields the function that puts the calling process into the group.
    """
    groups = Path("/sys/fs/cgroup/pids")
    if os.geteuid() != 0:
        pytest.skip("the limit counts all processes of this user, which other tests start too")
    group = groups / f"codepref-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(count))
    except OSError:
        pytest.skip("no control group for processes can be created here")
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_lack_of_process_slots_is_reported(count: int, files: Callable[..., list[str]]) -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with _few_processes(count) as limit:
        status, _, err = _ended(files(60), limit, env=environment)
    assert status == 3
    assert "processes or threads are used up" in err
    assert err.count("\n") == 1


def test_a_full_disk_is_reported_and_the_run_continues_when_there_is_room(
    files: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(out)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (out / "ballast").write_bytes(bytes(56 << 10))
        status, _, err = _ended(files())
        assert status == 3
        assert "Free some space" in err
        assert not (out / "summary.json").exists()
        (out / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", str(out)], check=True)
        assert _ended(files())[0] == 0
        assert _codes(out) == {"P"}
    finally:
        subprocess.run(["umount", str(out)], check=True)


def _processes() -> dict[int, tuple[int, str]]:
    """Return pid -> (pid of the parent, name) of all visible processes."""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                table[int(entry.name)] = (int(rest.split()[1]), name)
    return table


def _below(ancestor: int) -> dict[int, str]:
    """Return pid -> name of all processes below the process `ancestor`."""
    processes, below = _processes(), {ancestor: ""}
    while more := {pid: name for pid, (parent, name) in processes.items() if parent in below and pid not in below}:
        below |= more
    del below[ancestor]
    return below


class _Killer:
    """Kills the first `times` workers that the process `ancestor` starts after this object is made.

    killed: the number of killed workers so far.
    """

    def __init__(self, ancestor: int, times: int) -> None:
        self.killed = 0
        self._ancestor, self._times, self._stop = ancestor, times, threading.Event()
        self._spared = set(_below(ancestor))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set() and self.killed < self._times:
            for pid, name in _below(self._ancestor).items():
                if name == "supervisor" and pid not in self._spared and self.killed < self._times:
                    self._spared.add(pid)
                    os.kill(pid, signal.SIGKILL)
                    self.killed += 1
            self._stop.wait(0.02)

    def __enter__(self) -> _Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _with_killings(command: list[str], times: int) -> tuple[int, str, int]:
    """Run a command and kill its first `times` workers.

    Returns exit status, stderr and the number of killed workers.
    """
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    with _Killer(running.pid, times) as killer:
        err = running.communicate(timeout=120)[1]
    assert "Traceback" not in err
    return running.returncode, err, killer.killed


def test_a_worker_that_is_killed_changes_no_verdict(files: Callable[..., list[str]], tmp_path: Path) -> None:
    assert _with_killings(files(100), times=2) == (0, "", 2)
    assert _codes(tmp_path / "out") == {"P"}


SLOW = "import os\nfor n in range(3 * 10**7): pass\ndef f(x):\n    return x + 1\n"


def test_a_solution_whose_workers_are_always_killed_gets_the_code_i_with_the_cause(
    files: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = files()
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "a", "solution": SLOW}) + "\n")
    status, err, killed = _with_killings(command, times=1000)
    assert status == 1, err
    assert killed >= 3  # a worker that is killed during its start has not tried the solution
    assert "1 of 1 verdicts are I, in a: the worker ended with status" in err
    assert "No solution caused this" in err
    assert _codes(tmp_path / "out") == {"I"}


def test_execution_gives_up_soon_on_a_machine_where_no_worker_works() -> None:
    solutions = [Solution("a", at, OWN_PROCESS.format(at)) for at in range(1000)]
    task = Task(Problem("a", "", "f"), solutions, [Test("a", "0", "assert f(1) == 2")])
    with Engine(jobs=1) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "MAX_LOST_IN_A_ROW", 6)
        slow = [Solution("a", at, SLOW + f"# {at}") for at in range(1000)]
        with (
            _Killer(os.getpid(), 1000) as killer,
            pytest.raises(
                MachineError, match=r"6 workers were lost in a row\. The cause of the last loss was: the worker ended"
            ),
        ):
            list(engine.run([Task(task.problem, slow, task.tests)], limits=Limits(cpu_seconds=9)))
        assert 6 <= killer.killed <= 18  # a worker that is killed during its start is restarted and not counted
        (matrix,) = engine.run([Task(task.problem, solutions[:3], task.tests)])
    assert [verdict.codes for verdict in matrix.verdicts] == ["P", "P", "P"]


def test_a_worker_that_is_stopped_is_replaced() -> None:
    solutions = [Solution("a", at, OWN_PROCESS.format(at)) for at in range(40)]
    stopped: list[int] = []

    def stop_once(done: int) -> None:
        if not stopped:
            stopped.append(engine._workers[0]._process.pid)
            os.kill(stopped[0], signal.SIGSTOP)

    with Engine(jobs=1, progress=stop_once) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "SILENCE_SECONDS", 4.0)
        (matrix,) = engine.run([Task(Problem("a", "", "f"), solutions, [Test("a", "0", "assert f(1) == 2")])])
    assert stopped
    assert {verdict.codes for verdict in matrix.verdicts} == {"P"}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_run_leaves_no_process_and_can_be_continued(
    number: int, status: int, files: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = files(150)
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A shell may start this test with SIGINT ignored, and the command would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not any(name == "solution" for name in _below(running.pid).values()):
        assert running.poll() is None
        time.sleep(0.01)
    below = _below(running.pid)
    running.send_signal(number)
    err = running.communicate(timeout=30)[1]
    assert running.returncode == status
    assert "Traceback" not in err
    for _ in range(200):
        if not below.keys() & _processes().keys():
            break
        time.sleep(0.05)
    assert not below.keys() & _processes().keys()
    assert not (tmp_path / "out" / "summary.json").exists()
    assert _ended(command)[0] == 0
    assert _codes(tmp_path / "out") == {"P"}


SENSITIVE = """
import locale, os, random, time
def f(x):
    return [hash("text"), list({"a", "b", "c", "d", "e"}), random.random(), time.tzname, locale.getlocale(), os.environ]
"""


def test_verdicts_do_not_depend_on_the_caller_s_environment(tmp_path: Path) -> None:
    test = "assert repr(f(1)) == ''"
    seen = set()
    (tmp_path / "p.jsonl").write_text(json.dumps({**PROBLEM, "tests": [f"raise ValueError(repr(f(1)))  # {test}"]}))
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "a", "solution": SENSITIVE}))
    odd = {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "PYTHONOPTIMIZE": "2", "LANG": "C"}
    for name, environment in (("plain", {}), ("odd", odd)):
        out = tmp_path / name
        command = [sys.executable, "-m", "codepref", "execute", "--problems", str(tmp_path / "p.jsonl"), "--jobs", "1"]
        command += ["--solutions", str(tmp_path / "s.jsonl"), "--out", str(out)]
        assert _ended(command, env={**os.environ, **environment})[0] == 0
        seen.add(pq.read_table(out / "details.parquet")["detail"].to_pylist()[0])
    assert len(seen) == 1
    assert "UTC" in seen.pop()
