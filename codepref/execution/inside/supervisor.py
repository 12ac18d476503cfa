"""The supervisor of one worker: takes tasks from the engine, forks judge and judged, watches them, tells letters.

It handles tests and solutions as bytes and texts alone and runs or compiles neither.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import sys
import time

from . import frames, judge_zygote, solution, status, zygote
from .children import Hardening
from .codec import Encoder
from .decoder import Decoder
from .plan import Plan
from .remote import clock_of

HEARTBEAT_SECONDS = 2.0
PREPARE_SECONDS = 60.0
COMMON_MODULES = [
    "abc",
    "bisect",
    "cmath",
    "collections.abc",
    "copy",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "typing",
    "unicodedata",
]
"""Loaded before the first fork: what solutions import most; each would cost its child milliseconds."""


class EngineGone(Exception):
    """The engine closed its end: everything ends."""


class Supervisor:
    """One worker. `engine` is the socket to the engine's process."""

    def __init__(self, engine: int, size: int) -> None:
        self.engine = engine
        self.hardening = Hardening(size)
        self.solutions = self._spawn(lambda control: zygote.serve(control, self._run_solution))
        self.judges: zygote.Zygote | None = None
        self.plan: Plan | None = None
        self.page = status.StatusPage(0)
        self._data = b""
        self._shared: set[int] = set()
        self._beat = time.monotonic()

    def _run_solution(self, descriptor: int, payload: bytes) -> None:
        memory, cpu = Decoder(payload).value()
        self.hardening.apply([descriptor], os.getppid(), memory, cpu)
        solution.run()

    def _spawn(self, serve: object) -> zygote.Zygote:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            try:
                kept = os.dup(theirs.fileno())
                os.dup2(kept, 3)
                os.closerange(4, 1 << 16)
                self.hardening.die_with_parent(parent)
                serve(_socket.socket(fileno=3))  # type: ignore[operator]
            finally:
                os._exit(70)
        theirs.close()
        return zygote.Zygote(ours, pid)

    def task(self, data: bytes) -> None:
        """Make ready for the solutions of a task; the same task again keeps what was prepared."""
        if data == self._data:
            return
        self._end_judges()
        self.page.close()
        self.plan, self._data, self._shared = Plan.decode(data), data, set()
        self.page = status.StatusPage(len(self.plan.tests))
        for cautious in (False, True):
            page = self.page
            self.judges = self._spawn(
                lambda control, page=page, cautious=cautious: judge_zygote.serve(
                    control, data, page, self.hardening, cautious
                )
            )
            try:
                if self._await(self.judges, PREPARE_SECONDS) and self.judges.answer() == b"ready":
                    break
            except zygote.ZygoteLost:
                pass
            self._end_judges()
        else:
            raise zygote.ZygoteLost("the tests cannot be prepared")
        self._references()

    def _end_judges(self) -> None:
        if self.judges is not None:
            os.kill(self.judges.pid, signal.SIGKILL)
            os.waitpid(self.judges.pid, 0)
            self.judges.close()
            self.judges, self._data = None, b""

    def _await(self, zygote_: zygote.Zygote, timeout: float) -> bool:
        """Wait for an answer, telling the engine now and then that we live. Raises EngineGone."""
        end = time.monotonic() + timeout
        poll = select.poll()
        poll.register(zygote_.fileno(), select.POLLIN)
        poll.register(self.engine, 0)
        while True:
            left = end - time.monotonic()
            for descriptor, _ in poll.poll(max(0.0, 1000 * min(left, HEARTBEAT_SECONDS))):
                if descriptor == self.engine:
                    raise EngineGone
                return True
            if left <= 0:
                return False
            frames.send(self.engine, Encoder(lambda _: None, exact=True).encode(("alive",)))

    def _references(self) -> None:
        """Have each test of kind "inputs" its expected outputs, from its reference solution."""
        assert self.judges is not None
        assert self.plan is not None
        self.judges.ask(b"I")
        seconds = self.plan.limits["reference_cpu_seconds"]
        for index, source in Decoder(self.judges.answer()).value():
            self.page.reset()
            self.judges.ask(b"O")
            self.judges.answer()
            pair = Pair(self, "produce", source, [index], 4 * seconds + 10)
            self.judges.ask(b"C", bytes([index]))
            pair.watch(4 * seconds + 10, 4 * seconds + 20)
            self.judges.answer()
            pair.end()

    def judge(self, source: str) -> tuple[str, bool, float, str]:
        """All tests against one solution: letters, whether a test shared a process, CPU ms, the first failure."""
        page, plan = self.page, self.plan
        assert plan is not None
        page.reset()
        run = Run(self, source)
        for index in self._shared:
            page.set(index, status.CALL_BY_REFERENCE)
        while (start := page.letters().find(status.UNDECIDED)) >= 0:
            run.separate(start)
        self._shared |= {at for at, letter in enumerate(page.letters()) if letter == status.CALL_BY_REFERENCE}
        shared = run.shared() if self._shared else False
        return page.letters().decode("ascii"), shared, round(1000 * run.cpu, 3), page.detail()


class Pair:
    """A judge and, unless they share a process, the solution it judges."""

    def __init__(self, supervisor: Supervisor, mode: str, source: str, wanted: list[int], cpu: float) -> None:
        assert supervisor.judges is not None
        assert supervisor.plan is not None
        self.supervisor, self.judges = supervisor, supervisor.judges
        self.solution = 0
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            if mode != "shared":
                memory = int(supervisor.plan.limits["memory_bytes"]) * (4 if mode == "produce" else 1)
                told = Encoder(lambda _: None, exact=True).encode((memory, cpu))
                self.solution = supervisor.solutions.fork(theirs.fileno(), told)
            payload = Encoder(lambda _: None, exact=True).encode((mode, self.solution, source, wanted))
            self.judge = self.judges.fork(ours.fileno(), payload)
        finally:
            ours.close()
            theirs.close()
        self.killed = False

    def watch(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Wait until the judge zygote answers; kill a judge that stays too long at one test, by CPU or wall clock."""
        page, clock = self.supervisor.page, clock_of(self.judge)
        place, cpu, wall = page.where(), time.clock_gettime(clock), time.monotonic()
        while not self.supervisor._await(self.judges, min(cpu_seconds, wall_seconds)):
            now = page.where()
            if now != place:
                place, cpu, wall = now, time.clock_gettime(clock), time.monotonic()
            elif time.clock_gettime(clock) - cpu > cpu_seconds or time.monotonic() - wall > wall_seconds:
                os.kill(self.judge, signal.SIGKILL)
                self.killed = True
                wall = time.monotonic()

    def end(self) -> tuple[zygote.Reaped, zygote.Reaped]:
        """Kill what is left and reap both: how the judge ended, how the solution ended."""
        os.kill(self.judge, signal.SIGKILL)
        self.judges.ask_reap(self.judge)
        judge = self.judges.reaped()
        return judge, self._end_solution()

    def wait(self, cpu_seconds: float, wall_seconds: float) -> tuple[zygote.Reaped, zygote.Reaped]:
        """Wait for the judge's end under `watch`, then end the solution."""
        self.judges.ask_reap(self.judge)
        self.watch(cpu_seconds, wall_seconds)
        return self.judges.reaped(), self._end_solution()

    def _end_solution(self) -> zygote.Reaped:
        if not self.solution:
            return zygote.Reaped(0, 0.0, 0)
        os.kill(self.solution, signal.SIGKILL)
        self.supervisor.solutions.ask_reap(self.solution)
        return self.supervisor.solutions.reaped()


class Run:
    """One solution on its way through all tests, with a fresh pair after each that died or ran out of time."""

    def __init__(self, supervisor: Supervisor, source: str) -> None:
        assert supervisor.plan is not None
        self.supervisor, self.page, self.source = supervisor, supervisor.page, source
        self.limits = supervisor.plan.limits
        self.cpu = 0.0
        count = len(supervisor.plan.tests)
        self._backstop = self.limits["load_cpu_seconds"] + (self.limits["cpu_seconds"] + 60) * count + 60
        self._wall = 2 * max(self.limits["wall_seconds"], self.limits["load_cpu_seconds"]) + 5

    def separate(self, start: int) -> None:
        """One pair, from test `start` on, and its letters settled."""
        pair = Pair(self.supervisor, "judge", self.source, [start], self._backstop)
        judge, judged = pair.wait(2 * max(self.limits["cpu_seconds"], self.limits["load_cpu_seconds"]) + 20, self._wall)
        self.cpu += judged.cpu
        phase, current = self.page.where()
        letters = self.page.letters()
        if status.DIED in letters:
            self._settle_death(phase, letters.index(status.DIED), judged)
        elif phase == status.SETUP:
            self.page.describe("the problem's helpers did not run to their end")
            self.page.fill(start, ord("I"))
        elif phase != status.FINISHED and letters[current] == status.UNDECIDED:
            self._settle_judge(current, judge, pair.killed)
        elif phase == status.LOADING:
            self.page.fill(start, letters[start])
        self._stop_after_timeouts()

    def _settle_death(self, phase: int, index: int, judged: zygote.Reaped) -> None:
        letter = {signal.SIGSYS: "X", signal.SIGXCPU: "T"}.get(judged.signal, "E")  # type: ignore[call-overload]
        if letter == "E" and judged.signal and judged.peak > 0.8 * self.limits["memory_bytes"]:
            letter = "M"
        self.page.set(index, ord(letter))
        if phase == status.LOADING:
            self.page.fill(index, ord(letter))

    def _settle_judge(self, index: int, judge: zygote.Reaped, killed: bool) -> None:
        late = killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
        self.page.describe(f"test {index}: the test's own code {'used up its time' if late else 'crashed its process'}")
        self.page.set(index, ord("T" if late else "E"))

    def _stop_after_timeouts(self) -> None:
        letters = self.page.letters()
        if letters.count(b"T") >= self.limits["max_timeouts"]:
            for index, letter in enumerate(letters):
                if letter in (status.UNDECIDED, status.CALL_BY_REFERENCE):
                    self.page.set(index, ord("S"))

    def shared(self) -> bool:
        """The tests that hand over what cannot cross: solution and test in one process. Whether there were any."""
        settled = bytearray(self.page.letters())
        wanted = [at for at, letter in enumerate(settled) if letter == status.CALL_BY_REFERENCE]
        ran = bool(wanted)
        while wanted:
            for index in wanted:
                self.page.set(index, status.UNDECIDED)
            pair = Pair(self.supervisor, "shared", self.source, wanted, self._backstop)
            judge, _ = pair.wait(2 * self.limits["cpu_seconds"] + 1, self._wall)
            self.cpu += judge.cpu
            phase, current = self.page.where()
            letters = self.page.letters()
            loading = phase == status.LOADING and letters[current] == status.UNDECIDED
            for index in wanted:
                # a hostile solution may write here what it likes; only letters that a verdict may have are taken
                settled[index] = letters[index] if letters[index] in b"PFEMXT" else 0
            stuck = [at for at in wanted if not settled[at]]
            if stuck:
                late = pair.killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
                for index in stuck if loading else stuck[:1]:
                    settled[index] = ord("T" if late else "X" if judge.signal == signal.SIGSYS else "E")
            wanted = [at for at in wanted if not settled[at]]
            if settled.count(b"T") >= self.limits["max_timeouts"]:
                for index in wanted:
                    settled[index] = ord("S")
                wanted = []
        for index, letter in enumerate(settled):
            self.page.set(index, letter)
        return ran


def own_size(descriptor: int) -> int:
    """Bytes of address space of this process, from /proc/self/statm, opened before confinement closed /proc."""
    size = int(os.pread(descriptor, 100, 0).split()[0]) * os.sysconf("SC_PAGE_SIZE")
    os.close(descriptor)
    return size


def preload(modules: list[str], paths: list[str]) -> None:
    """Import what solutions use most, and what this worker's tests import, and fix the seeds of randomness."""
    sys.path += paths
    register = os.register_at_fork
    # `random` would otherwise reseed itself from the system in every child
    os.register_at_fork = lambda **_: None
    for name in (*COMMON_MODULES, *modules):
        __import__(name)
    os.register_at_fork = register
    sys.modules["random"].seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def warm_up() -> None:
    """Use once what every child uses first. The first `compile` of a process builds the types of syntax trees, which
    takes a millisecond; done here, no child does it again.
    """
    source = "from typing import List\nclass A:\n    def f(self, x: List[int]) -> int:\n        return [y for y in x]\n"
    exec(compile(source, "<warm up>", "exec", dont_inherit=True), {"__name__": "warm up"})
    value = [1, -1.5, "text", None, True, (1,), {"a": {1}}, 1 << 70]
    Decoder(Encoder(lambda _: None, exact=False).encode(value)).value()


def main(arguments: list[str]) -> None:
    """Arguments: engine descriptor, descriptor of statm, modules to load (comma), folders of packages (os.pathsep)."""
    engine, statm, modules, packages = arguments
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)
    preload([name for name in modules.split(",") if name], packages.split(os.pathsep))
    warm_up()
    gc.collect()
    gc.freeze()
    supervisor = Supervisor(int(engine), own_size(int(statm)))

    def tell(*parts: object) -> None:
        frames.send(supervisor.engine, Encoder(lambda _: None, exact=True).encode(parts))

    try:
        tell("ready")
        while True:
            data, sources = Decoder(frames.receive(supervisor.engine)).value()
            try:
                try:
                    supervisor.task(data)
                except zygote.ZygoteLost as error:
                    tell("unprepared", str(error))
                    return
                for place, source in sources:
                    tell("verdict", place, *supervisor.judge(source))
            except (zygote.ZygoteLost, OSError) as error:
                tell("failed", f"{type(error).__name__}: {error}")
                return
    except (frames.Closed, EngineGone):
        return
