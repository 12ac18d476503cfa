"""The spool keeps the rows of one execution. With an output folder it keeps them on disk, otherwise in memory.

The spool is a temporary database of the input lines, the distinct programs of each task, and their verdicts. It is
filled before anything runs. It yields pending programs in pieces, and rows in the order of the tables: by task, and
within a task in the order of the input. It is deleted when the run ends. A run that was killed is continued from
another file, which `codepref.execution.parts` describes.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from codepref.errors import MachineError
from codepref.execution.parts import StoredVerdict, digest_of
from codepref.records import Isolation, Solution, Verdict

PIECE_SOLUTIONS, PIECE_CHARACTERS = 1024, 1 << 20
"""The largest number of distinct programs in one piece, and the largest number of their bytes.

A larger task is cut into pieces. A piece of one program may have more bytes.
"""

MAX_REMEMBERED = 1 << 25
"""About how many characters of programs are kept in memory. For its entry, each program counts 400 characters more."""

_BATCH = 8192
_TABLES = """
CREATE TABLE programs (id INTEGER PRIMARY KEY, task INTEGER, digest BLOB, source BLOB, UNIQUE (task, digest));
CREATE TABLE rows (task INTEGER, line INTEGER, solution_id INTEGER, program INTEGER, PRIMARY KEY (task, line))
    WITHOUT ROWID;
CREATE TABLE verdicts (program INTEGER PRIMARY KEY, copies INTEGER, codes TEXT, shared INTEGER, cpu_ms REAL,
    detail BLOB, answer_digests BLOB, fresh INTEGER);
"""
_VERDICT_COLUMNS = "codes = ?, shared = ?, cpu_ms = ?, detail = ?, answer_digests = ?"
_ADD_COPIES = """
INSERT INTO verdicts (program, copies) VALUES (?, ?)
ON CONFLICT (program) DO UPDATE SET copies = copies + excluded.copies
"""
# CROSS JOIN reads the programs in their order. So SQLite sorts nothing, and verdicts can be written meanwhile.
_PENDING = """
SELECT programs.task, programs.id, programs.source, verdicts.copies FROM programs CROSS JOIN verdicts
ON verdicts.program = programs.id WHERE verdicts.codes IS NULL ORDER BY programs.task, programs.id
"""
_DETAILS = """
SELECT rows.task, rows.solution_id, verdicts.detail FROM rows CROSS JOIN verdicts ON verdicts.program = rows.program
WHERE length(verdicts.detail) > 0 ORDER BY rows.task, rows.line
"""
_DUPLICATES = (
    "SELECT DISTINCT task FROM (SELECT task FROM rows GROUP BY task, solution_id HAVING count(*) > 1) ORDER BY task"
)


def _values(verdict: Verdict | StoredVerdict, shared: bool) -> tuple[Any, ...]:
    """Return the values for the columns in _VERDICT_COLUMNS."""
    detail = verdict.detail.encode("utf-8", "surrogatepass")
    return verdict.codes, shared, verdict.cpu_ms, detail, verdict.answer_digests


class Program(NamedTuple):
    """One distinct program of a task. copies: the number of input lines that hold it."""

    id: int
    source: str
    copies: int


class ProgramVerdict(NamedTuple):
    """One distinct program and its verdict."""

    source: str
    codes: str
    isolation: Isolation
    cpu_ms: float
    detail: str
    answer_digests: bytes


class Spool:
    """The rows of one execution. Use it as a context manager.

    path: the file of the database. None keeps the rows in memory.
    tasks: the ids of the tasks in their order.
    Raises MachineError when the database cannot be written, for example because the disk is full.
    """

    def __init__(self, path: Path | None, tasks: Sequence[str]) -> None:
        self._path, self._tasks = path, tasks
        self._numbers = {task: number for number, task in enumerate(tasks)}
        self.lines = 0
        """The number of input lines."""
        self.counts: Counter[str] = Counter()
        """The number of input lines by task id."""

    def __enter__(self) -> Spool:
        self.remove()
        try:
            # No other process uses the folder, and some file systems have no locks.
            name = f"{self._path.absolute().as_uri()}?nolock=1" if self._path else ":memory:"
            self._base = sqlite3.connect(name, uri=self._path is not None, isolation_level=None)
            for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"):
                self._base.execute(f"PRAGMA {setting}").close()
            self._base.executescript(_TABLES)
            self._base.execute("BEGIN")
        except sqlite3.OperationalError as error:
            raise self._failure(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.close()
        self.remove()
        if isinstance(error, sqlite3.OperationalError):
            raise self._failure(error) from error

    def remove(self) -> None:
        """Delete the file of the database."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _failure(self, error: sqlite3.Error) -> MachineError:
        if self._path is None:
            return MachineError(
                f"cannot keep the verdicts in memory: {error}. Free some memory or name an output folder"
            )
        return MachineError(
            f"cannot write {self._path}: {error}. Free some space or choose another --out. Earlier verdicts are "
            "kept, and the same command continues from them."
        )

    def fill(self, solutions: Iterable[Solution]) -> list[str]:
        """Add solutions of known tasks.

        Return the mistakes in words: unknown tasks, and tasks in which a solution id occurs more than once.
        """
        unknown: dict[str, None] = {}
        known: dict[tuple[int, str], list[int]] = {}  # (task, source) -> [program, copies not yet written]
        last_ids: dict[int, int] = {}
        rows: list[tuple[int, int, int, int]] = []
        remembered, rising = 0, True
        for line, solution in enumerate(solutions):
            task = self._numbers.get(solution.task_id)
            if task is None:
                unknown[solution.task_id] = None
                continue
            if (entry := known.get((task, solution.text))) is None:
                if remembered > MAX_REMEMBERED:
                    self._count(known)
                    remembered = 0
                entry = known[task, solution.text] = [self._program(task, solution.text), 0]
                remembered += len(solution.text) + 400
            entry[1] += 1
            number = int(solution.solution_id)
            rising = rising and number > last_ids.get(task, number - 1)
            last_ids[task] = number
            rows.append((task, line, number, entry[0]))
            if len(rows) == _BATCH:
                self._add(rows)
        self._add(rows)
        self._count(known)
        self._base.execute("CREATE INDEX by_task ON programs (task)")
        wrong = [f"solutions for an unknown task: {name!r}" for name in unknown]
        twice = [] if rising else [self._tasks[task] for (task,) in self._base.execute(_DUPLICATES)]
        return wrong + [
            f"{name}: a solution_id occurs more than once. Give each solution of a task its own number"
            for name in twice
        ]

    def _program(self, task: int, source: str) -> int:
        data = source.encode("utf-8", "surrogatepass")
        digest = digest_of(data)
        insert = "INSERT OR IGNORE INTO programs (task, digest, source) VALUES (?, ?, ?)"
        if (added := self._base.execute(insert, (task, digest, data))).rowcount:
            return int(added.lastrowid or 0)
        select = "SELECT id FROM programs WHERE task = ? AND digest = ?"
        return int(self._base.execute(select, (task, digest)).fetchone()[0])

    def _add(self, rows: list[tuple[int, int, int, int]]) -> None:
        self._base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
        self.counts.update(Counter(self._tasks[task] for task, *_ in rows))
        self.lines += len(rows)
        rows.clear()

    def _count(self, known: dict[tuple[int, str], list[int]]) -> None:
        self._base.executemany(_ADD_COPIES, [tuple(entry) for entry in known.values()])
        known.clear()

    def key(self, keys: Mapping[str, str]) -> str:
        """Return the hash of all rows, in the order of the tables, and of `keys`, a hash for each task id."""
        whole, last = hashlib.sha256(), -1
        for task, number, digest in self._base.execute(
            "SELECT rows.task, rows.solution_id, programs.digest FROM rows CROSS JOIN programs "
            "ON programs.id = rows.program ORDER BY rows.task, rows.line"
        ):
            if task != last:
                whole.update(b"task %s " % keys[self._tasks[task]].encode())
                last = task
            whole.update(b"%d %s" % (number, digest))
        return whole.hexdigest()[:16]

    def pieces(self) -> Iterator[tuple[str, list[Program]]]:
        """Yield the task id and distinct programs for all pending programs. A large task is cut into several pieces."""
        last, piece, size = -1, list[Program](), 0
        for task, number, data, copies in self._base.execute(_PENDING):
            full = len(piece) >= PIECE_SOLUTIONS or size + len(data) > PIECE_CHARACTERS
            if piece and (task != last or full):
                yield self._tasks[last], piece
                piece, size = [], 0
            piece.append(Program(number, data.decode("utf-8", "surrogatepass"), copies))
            last, size = task, size + len(data)
        if piece:
            yield self._tasks[last], piece

    def keep(self, verdicts: Iterable[Verdict]) -> None:
        """Add verdicts of this run. Their `solution_id` is the id of the program."""
        update = f"UPDATE verdicts SET {_VERDICT_COLUMNS}, fresh = 1 WHERE program = ?"
        rows = [(*_values(v, v.isolation == "shared"), v.solution_id) for v in verdicts]
        self._base.executemany(update, rows)

    def recall(self, task: str, verdicts: Iterable[StoredVerdict]) -> None:
        """Add verdicts of an earlier run of a task. Verdicts of programs that are not in this input are ignored."""
        number = self._numbers[task]
        program = "(SELECT id FROM programs WHERE task = ? AND digest = ?)"
        update = f"UPDATE verdicts SET {_VERDICT_COLUMNS}, fresh = 0 WHERE program = {program}"
        self._base.executemany(update, [(*_values(v, v.shared), number, v.digest) for v in verdicts])

    def verdicts(self) -> Iterator[tuple[str, int, str, bool, float, bool]]:
        """Yield one tuple for the verdict of every distinct program that has one.

        It holds the task id, the number of copies, the codes, whether a test shared a process with the solution, CPU
        milliseconds, and whether this run produced the verdict.
        """
        rows = self._base.execute(
            "SELECT task, copies, codes, shared, cpu_ms, fresh FROM verdicts CROSS JOIN programs ON id = program "
            "WHERE codes IS NOT NULL ORDER BY program"
        )
        for task, copies, codes, shared, cpu, fresh in rows:
            yield self._tasks[task], copies, codes, bool(shared), cpu, bool(fresh)

    def rows(self) -> Iterator[tuple[str, int, ProgramVerdict]]:
        """Yield the task id, solution id and verdict of every input line.

        Lines with equal programs may yield the same verdict object.
        """
        known: dict[int, ProgramVerdict] = {}
        remembered = 0
        for task, number, program in self._base.execute(
            "SELECT task, solution_id, program FROM rows ORDER BY task, line"
        ):
            if (verdict := known.get(program)) is None:
                if remembered > MAX_REMEMBERED:
                    known.clear()
                    remembered = 0
                verdict = known[program] = self._verdict(program)
                remembered += len(verdict.source) + 400
            yield self._tasks[task], number, verdict

    def _verdict(self, program: int) -> ProgramVerdict:
        columns = "source, codes, shared, cpu_ms, detail, answer_digests"
        select = f"SELECT {columns} FROM programs JOIN verdicts ON program = id WHERE id = ?"
        source, codes, shared, cpu_ms, detail, answer_digests = self._base.execute(select, (program,)).fetchone()
        texts = source.decode("utf-8", "surrogatepass"), detail.decode("utf-8", "surrogatepass")
        return ProgramVerdict(texts[0], codes, "shared" if shared else "separate", cpu_ms, texts[1], answer_digests)

    def details(self) -> Iterator[tuple[str, int, str]]:
        """Yield the task id, solution id and detail of every line whose verdict has a detail."""
        for task, number, detail in self._base.execute(_DETAILS):
            yield self._tasks[task], number, detail.decode("utf-8", "surrogatepass")
