"""Finds what a test may reach besides the answers of the solution: streams, files, the state of the process, and code.

Such a test shares a process with the solution. In most cases each of the two must see the effects of the other. A test
that evaluates an answer as code would otherwise run the solution's code in the test runner.
"""

from __future__ import annotations

import ast

from ..confinement.allowlist import words
from .test_text import TestText, target_names

ASYNC, THREADS = "it runs an event loop", "it starts threads or processes"
STREAMS, PATCHES = "it captures or replaces streams", "it replaces functions or names"
STATE, FILES = "it sets the state of the process", "it uses files"
ARRAYS = "it uses arrays that cannot cross"
LOOKS, EVALUATES = "it inspects the solution", "it evaluates an answer"

_PATHS = {
    ASYNC: "asyncio anyio trio curio uvloop nest_asyncio",
    THREADS: "threading concurrent multiprocessing _thread joblib",
    STREAMS: """
        sys.stdout sys.stderr sys.stdin sys.__stdout__ sys.__stderr__ sys.__stdin__ sys.displayhook sys.excepthook
        contextlib.redirect_stdout contextlib.redirect_stderr warnings.catch_warnings warnings.showwarning pytest.warns
        pytest.deprecated_call logging fileinput""",
    PATCHES: """
        unittest.mock mock pytest.MonkeyPatch os.environ os.environb os.putenv os.unsetenv sys.modules
        sys.meta_path freezegun time_machine responses requests_mock builtins.__build_class__""",
    STATE: """
        random.seed random.setstate random.getstate numpy.random.seed numpy.random.set_state numpy.random.get_state
        torch.manual_seed sys.setrecursionlimit sys.settrace sys.setprofile sys.setswitchinterval sys.argv
        sys.set_int_max_str_digits decimal.getcontext decimal.setcontext decimal.localcontext locale os.chdir os.umask
        time.tzset signal gc tracemalloc resource atexit faulthandler weakref numpy.seterr numpy.errstate
        numpy.set_printoptions pandas.set_option pandas.option_context sys.getrefcount contextvars""",
    FILES: """
        builtins.open io.open io.FileIO codecs.open tempfile shutil glob sqlite3 dbm shelve filecmp os.open os.read
        os.write os.path.exists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime os.path.islink os.listdir
        os.scandir os.walk os.remove os.unlink os.mkdir os.makedirs os.rmdir os.removedirs os.rename os.replace os.stat
        os.getcwd os.access os.link os.symlink os.chmod os.utime os.pipe zipfile tarfile gzip.open bz2.open lzma.open
        linecache h5py numpy.load numpy.save numpy.savez numpy.loadtxt numpy.savetxt numpy.genfromtxt numpy.memmap
        pathlib.Path.cwd pathlib.Path.home PIL.Image.open socket select""",
    ARRAYS: "numpy.ma pandas.arrays",
    LOOKS: """
        inspect dis symtable builtins.vars builtins.dir builtins.help builtins.globals builtins.locals
        typing.get_type_hints pydoc doctest types.FunctionType dataclasses.fields dataclasses.is_dataclass""",
    EVALUATES: """
        builtins.eval builtins.exec builtins.compile builtins.__import__ importlib pickle cPickle _pickle marshal dill
        cloudpickle code codeop runpy subprocess os.system os.popen os.fork os.spawnl os.execv pty ctypes types.CodeType
        pandas.read_pickle pandas.eval sympy.sympify sympy.S sympy.parsing sympy.parse_expr numexpr yaml.load
        yaml.load_all yaml.unsafe_load yaml.full_load jsonpickle logging.config pdb bdb cProfile profile trace
        xmlrpc copyreg unittest.defaultTestLoader pkgutil rlcompleter builtins.__dict__ types.LambdaType""",
}
REASONS = {path: reason for reason, paths in _PATHS.items() for path in paths.split()}
"""Dotted path -> why a test that uses it must share a process. A path covers everything below it."""

_FIXTURES = {
    **dict.fromkeys(("capsys", "capfd", "capsysbinary", "capfdbinary", "caplog", "recwarn"), STREAMS),
    **dict.fromkeys(("monkeypatch", "mocker"), PATCHES),
    **dict.fromkeys(("tmp_path", "tmpdir", "tmp_path_factory", "tmpdir_factory", "testdir", "pytester"), FILES),
}
"""Fixtures of pytest and of its common plugins -> why a test that uses one must share a process."""

_OF_PATHS = words("read_text write_text read_bytes write_bytes mkdir unlink rmdir touch iterdir is_file is_dir")
_OF_PATHS_IF_IMPORTED = words("exists stat open glob rglob rename replace resolve samefile chmod")
_METHODS = {
    **dict.fromkeys(("assertLogs", "assertNoLogs", "assertWarns", "assertWarnsRegex"), STREAMS),
    **dict.fromkeys(("savefig", "to_pickle", "tofile"), FILES),
}
_ON_FILES = words("to_csv to_excel to_json to_parquet to_html read_csv read_excel read_json read_parquet")
_REPLACED = frozenset({"input", "print", "open"})
_TIMED = ("timeit.timeit", "timeit.repeat", "timeit.Timer")
_ASYNC_NODES = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.AsyncFunctionDef)


def why_reaches(text: TestText) -> str:
    """Return which thing that the test reaches forces it to share the solution's process, or "" if there is none."""
    if any(text.nodes[kind] for kind in _ASYNC_NODES) or any(node.is_async for node in text.nodes[ast.comprehension]):
        return ASYNC
    return _by_path(text) or _by_method(text) or _by_replacement(text)


def _by_path(text: TestText) -> str:
    quiet_streams = _quiet_streams(text)
    for node in (*text.nodes[ast.Name], *text.nodes[ast.Attribute], *text.nodes[ast.Call]):
        path = "" if id(node) in quiet_streams else text.path(node)
        while path:
            if path in REASONS:
                return REASONS[path]
            path = path.rpartition(".")[0]
    for function in text.functions.values():
        for part in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if part.arg in _FIXTURES and function.name != part.arg and part.arg not in text.functions:
                return _FIXTURES[part.arg]
    return ""


def _quiet_streams(text: TestText) -> set[int]:
    """Return the ids of the nodes in which a test only writes to a stream or sets it up.

    Examples are `print(x, file=sys.stderr)`, `sys.stdout.flush()` and `sys.stdout.reconfigure()`.
    """
    found = {
        id(part.value)
        for node in text.nodes[ast.Call]
        if text.path(node.func) == "builtins.print"
        for part in node.keywords
        if part.arg == "file"
    }
    called = {id(node.func) for node in text.nodes[ast.Call]}
    for node in text.nodes[ast.Attribute]:
        if node.attr in ("write", "flush", "reconfigure") and id(node) in called:
            found |= {id(node), id(node.value)}
    return found


def _by_method(text: TestText) -> str:
    paths = any(path.startswith("pathlib") for path in (*text.imported.values(), *text.libraries.values()))
    for node in text.nodes[ast.Attribute]:
        if node.attr in _METHODS:
            return _METHODS[node.attr]
        if node.attr in _OF_PATHS or (paths and node.attr in _OF_PATHS_IF_IMPORTED and _may_be_path(text, node.value)):
            return FILES
    for node in text.nodes[ast.Call]:
        first = node.args[0] if node.args else None
        named = isinstance(first, ast.Constant | ast.JoinedStr)
        if named and isinstance(node.func, ast.Attribute) and node.func.attr in _ON_FILES:
            return FILES
        path = text.path(node.func)
        if path in _TIMED and not isinstance(first, ast.Lambda | ast.Name):
            return EVALUATES
        if path == "warnings.simplefilter" and isinstance(first, ast.Constant) and first.value == "error":
            return STREAMS
    return ""


def _may_be_path(text: TestText, expression: ast.expr) -> bool:
    """Return whether a method of this expression may be one of a path, and not one of a text or a library."""
    return not isinstance(expression, ast.Constant | ast.JoinedStr) and not text.path(expression)


def _by_replacement(text: TestText) -> str:
    """Return why the test must share a process because it replaces something that the solution may use."""
    kinds = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)
    for statement in (node for kind in kinds for node in text.nodes[kind]):
        for target in getattr(statement, "targets", None) or [statement.target]:
            base = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
            if base is not None and (text.is_module(base) or text.path(base)):
                return PATCHES
            if set(target_names(target)) & _REPLACED:
                return PATCHES
    for node in text.nodes[ast.Call]:
        sets = text.path(node.func) in ("builtins.setattr", "builtins.delattr") and bool(node.args)
        if sets and (text.path(node.args[0]) or text.is_module(node.args[0])):
            return PATCHES
    if text.functions.keys() & _REPLACED or any(set(node.names) & text.own for node in text.nodes[ast.Global]):
        return PATCHES
    return ""
