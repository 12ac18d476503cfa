"""The rows of one execution on disk, so that memory does not grow with them.

A scratch database: the input lines, each distinct program of a task once, and its verdict. It is filled before anything
runs, hands out what is owed in pieces, and gives the rows back in the order of the tables. It does not outlive the
process; what a killed run goes on from is `codepref.execution.parts`.
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
from codepref.execution.parts import Told, digest_of
from codepref.records import Isolation, Solution, Verdict

PIECE_SOLUTIONS, PIECE_CHARACTERS = 1024, 1 << 20
"""Distinct programs of a task that are in memory at once for the engine, and their characters: above, it is cut."""

REMEMBERED = 1 << 25
"""Characters of programs that are kept in memory, with 400 for the entry of each."""

_BATCH = 8192
_TABLES = """
CREATE TABLE programs (id INTEGER PRIMARY KEY, task INTEGER, digest BLOB, source BLOB, UNIQUE (task, digest));
CREATE TABLE rows (task INTEGER, line INTEGER, solution_id INTEGER, program INTEGER, PRIMARY KEY (task, line))
    WITHOUT ROWID;
CREATE TABLE judged (program INTEGER PRIMARY KEY, copies INTEGER, codes TEXT, shared INTEGER, cpu_ms REAL,
    detail BLOB, answer_digests BLOB, fresh INTEGER);
"""
_TOLD = "codes = ?, shared = ?, cpu_ms = ?, detail = ?, answer_digests = ?"
_COUNTED = """
INSERT INTO judged (program, copies) VALUES (?, ?) ON CONFLICT (program) DO UPDATE SET copies = copies + excluded.copies
"""
# CROSS JOIN: the programs in their order, so that nothing is sorted and no verdict written meanwhile is in the way
_OWED = """
SELECT programs.task, programs.id, programs.source, judged.copies FROM programs CROSS JOIN judged
ON judged.program = programs.id WHERE judged.codes IS NULL ORDER BY programs.task, programs.id
"""
_DETAILS = """
SELECT rows.task, rows.solution_id, judged.detail FROM rows CROSS JOIN judged ON judged.program = rows.program
WHERE length(judged.detail) > 0 ORDER BY rows.task, rows.line
"""
_TWICE = (
    "SELECT DISTINCT task FROM (SELECT task FROM rows GROUP BY task, solution_id HAVING count(*) > 1) ORDER BY task"
)


def _told(verdict: Verdict | Told, shared: bool) -> tuple[Any, ...]:
    """The values of _TOLD."""
    detail = verdict.detail.encode("utf-8", "surrogatepass")
    return verdict.codes, shared, verdict.cpu_ms, detail, verdict.answer_digests


class Program(NamedTuple):
    """One distinct program of a task, and how many lines hold it."""

    id: int
    source: str
    copies: int


class Judged(NamedTuple):
    """One distinct program with its verdict."""

    source: str
    codes: str
    isolation: Isolation
    cpu_ms: float
    detail: str
    answer_digests: bytes


class Spool:
    """Use as a context manager. `path`: the scratch file, None keeps all in memory. `tasks`: ids in their order.

    Raises MachineError when the disk is full or cannot be written.
    """

    def __init__(self, path: Path | None, tasks: Sequence[str]) -> None:
        self._path, self._tasks = path, tasks
        self._places = {task: place for place, task in enumerate(tasks)}
        self.lines = 0
        """How many input lines there are."""
        self.counts: Counter[str] = Counter()
        """Input lines by task id."""

    def __enter__(self) -> Spool:
        self.remove()
        try:
            # no locks: not every file system has them, and the folder is ours alone
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
        """Drop the scratch file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _failure(self, error: sqlite3.Error) -> MachineError:
        return MachineError(
            f"cannot write {self._path}: {error}. Free some space or choose another --out; what was judged before is "
            "kept, and the same command goes on from there."
        )

    def fill(self, solutions: Iterable[Solution]) -> list[str]:
        """Take in every solution. Returns what is wrong with them, in words: unknown tasks, ids that stand twice."""
        unknown: dict[str, None] = {}
        known: dict[tuple[int, str], list[int]] = {}  # (task, source) -> [program, copies not yet written]
        last_ids: dict[int, int] = {}
        rows: list[tuple[int, int, int, int]] = []
        remembered, rising = 0, True
        for line, solution in enumerate(solutions):
            place = self._places.get(solution.task_id)
            if place is None:
                unknown[solution.task_id] = None
                continue
            if (entry := known.get((place, solution.text))) is None:
                if remembered > REMEMBERED:
                    self._count(known)
                    remembered = 0
                entry = known[place, solution.text] = [self._program(place, solution.text), 0]
                remembered += len(solution.text) + 400
            entry[1] += 1
            number = int(solution.solution_id)
            rising = rising and number > last_ids.get(place, number - 1)
            last_ids[place] = number
            rows.append((place, line, number, entry[0]))
            if len(rows) == _BATCH:
                self._add(rows)
        self._add(rows)
        self._count(known)
        self._base.execute("CREATE INDEX by_task ON programs (task)")
        wrong = [f"solutions for an unknown task: {task!r}" for task in unknown]
        twice = [] if rising else [self._tasks[place] for (place,) in self._base.execute(_TWICE)]
        return wrong + [f"{task}: a solution_id stands twice; number the solutions of a task from 0" for task in twice]

    def _program(self, place: int, source: str) -> int:
        data = source.encode("utf-8", "surrogatepass")
        digest = digest_of(data)
        insert = "INSERT OR IGNORE INTO programs (task, digest, source) VALUES (?, ?, ?)"
        if (added := self._base.execute(insert, (place, digest, data))).rowcount:
            return int(added.lastrowid or 0)
        select = "SELECT id FROM programs WHERE task = ? AND digest = ?"
        return int(self._base.execute(select, (place, digest)).fetchone()[0])

    def _add(self, rows: list[tuple[int, int, int, int]]) -> None:
        self._base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
        self.counts.update(Counter(self._tasks[place] for place, *_ in rows))
        self.lines += len(rows)
        rows.clear()

    def _count(self, known: dict[tuple[int, str], list[int]]) -> None:
        self._base.executemany(_COUNTED, [tuple(entry) for entry in known.values()])
        known.clear()

    def key(self, keys: Mapping[str, str]) -> str:
        """The hash of all rows, in the order of the tables, and of `keys`: by task id what its verdicts rest on."""
        found, last = hashlib.sha256(), -1
        for place, number, digest in self._base.execute(
            "SELECT rows.task, rows.solution_id, programs.digest FROM rows CROSS JOIN programs "
            "ON programs.id = rows.program ORDER BY rows.task, rows.line"
        ):
            if place != last:
                found.update(b"task %s " % keys[self._tasks[place]].encode())
                last = place
            found.update(b"%d %s" % (number, digest))
        return found.hexdigest()[:16]

    def pieces(self) -> Iterator[tuple[str, list[Program]]]:
        """What is owed: (task id, distinct programs), a task in several pieces where it is large."""
        last, piece, size = -1, list[Program](), 0
        for place, number, data, copies in self._base.execute(_OWED):
            full = len(piece) >= PIECE_SOLUTIONS or size + len(data) > PIECE_CHARACTERS
            if piece and (place != last or full):
                yield self._tasks[last], piece
                piece, size = [], 0
            piece.append(Program(number, data.decode("utf-8", "surrogatepass"), copies))
            last, size = place, size + len(data)
        if piece:
            yield self._tasks[last], piece

    def keep(self, verdicts: Iterable[Verdict]) -> None:
        """Take in verdicts of this run. `solution_id`: the program's id."""
        update = f"UPDATE judged SET {_TOLD}, fresh = 1 WHERE program = ?"
        rows = [(*_told(v, v.isolation == "shared"), v.solution_id) for v in verdicts]
        self._base.executemany(update, rows)

    def recall(self, task: str, told: Iterable[Told]) -> None:
        """Take in what an earlier run judged of a task; of programs that are not in this input nothing is taken."""
        place = self._places[task]
        program = "(SELECT id FROM programs WHERE task = ? AND digest = ?)"
        update = f"UPDATE judged SET {_TOLD}, fresh = 0 WHERE program = {program}"
        self._base.executemany(update, [(*_told(t, t.shared), place, t.digest) for t in told])

    def judged(self) -> Iterator[tuple[str, int, str, bool, float, bool]]:
        """Of every judged program: task, lines that hold it, codes, shared, CPU ms, whether this run judged it."""
        rows = self._base.execute(
            "SELECT task, copies, codes, shared, cpu_ms, fresh FROM judged CROSS JOIN programs ON id = program "
            "WHERE codes IS NOT NULL ORDER BY program"
        )
        for place, copies, codes, shared, cpu, fresh in rows:
            yield self._tasks[place], copies, codes, bool(shared), cpu, bool(fresh)

    def rows(self) -> Iterator[tuple[str, int, Judged]]:
        """Every input line that is judged: task id, solution id, verdict; equal programs are one object."""
        known: dict[int, Judged] = {}
        remembered = 0
        for place, number, program in self._base.execute(
            "SELECT task, solution_id, program FROM rows ORDER BY task, line"
        ):
            if (judged := known.get(program)) is None:
                if remembered > REMEMBERED:
                    known.clear()
                    remembered = 0
                judged = known[program] = self._judged(program)
                remembered += len(judged.source) + 400
            yield self._tasks[place], number, judged

    def _judged(self, program: int) -> Judged:
        columns = "source, codes, shared, cpu_ms, detail, answer_digests"
        select = f"SELECT {columns} FROM programs JOIN judged ON program = id WHERE id = ?"
        source, codes, shared, cpu_ms, detail, answer_digests = self._base.execute(select, (program,)).fetchone()
        texts = source.decode("utf-8", "surrogatepass"), detail.decode("utf-8", "surrogatepass")
        return Judged(texts[0], codes, "shared" if shared else "separate", cpu_ms, texts[1], answer_digests)

    def details(self) -> Iterator[tuple[str, int, str]]:
        """Task id, solution id and detail of every line whose verdict has one."""
        for place, number, detail in self._base.execute(_DETAILS):
            yield self._tasks[place], number, detail.decode("utf-8", "surrogatepass")
