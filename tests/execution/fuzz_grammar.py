"""Generates programs from templates of Python syntax.

The templates are parsed once. The names E and S in a template are holes, which are filled with other templates.
"""

from __future__ import annotations

import ast
import copy
import random
import re

_LEAVES = r"""
x  v  y  x  0  1  -1  2  3  7  -0.0  1.5  1e308  float('nan')  10 ** 20  1 << 70  2 ** 31  -2 ** 63  None  True  ''
'ab c'  '\ud800'  '\x00'  b'ab'  []  ()  {}  set()  [1, 2, 3]  {'a': 1}  range(5)  range(10 ** 30)  ...  NotImplemented
f  Odd  Odd()  object()  print  len  type  globals()  locals()  math  math.pi  Exception()  slice(None)  frozenset({1})
(v for v in [1, 2])  bytearray(b'q')  Decimal('1e999')  Fraction(1, 3)  Counter('aab')  defaultdict(list)  deque([1], 2)
datetime.max  OrderedDict(a=1)  1j  datetime.now  memoryview(b'a')  type(f)  f.__code__  cache  x  v
"""
_EXPRESSIONS = r"""
E + E  E - E  E * E  E ** E  E << E  E // E  E % E  E / E  E @ E  E & E  E | E  ~E  -E  not E  E and E  E or E
E if E else E  [E, E]  (E, E)  {E: E, E: E}  {E, E}  [E for v in E]  {E for v in E}  {v: E for v in E}  (E for v in E)
[E for v in E for y in E if E]  lambda v=E: E  E[E]  E[E:E]  E[E:E:E]  E[::-1]  format(E, E)
f'{x}'  f'{v!r:>50}'  f'{x:{v}}'
'%s %d' % (E, E)  '{0!r:{1}}'.format(E, E)  f(E)  f(E, E)  f(*E)  f(*E, **E)  sorted(E)  sum(E)  list(E)  tuple(E)
set(E)  len(E)  str(E)  int(E)  repr(E)  hash(E)  bytes(E)  range(E, E)  E.real  E.__class__  E.__dict__  vars(E)
getattr(E, 'x', E)  isinstance(E, type(E))  max(E, E)  dict(zip(E, E))  map(f, E)  iter(E)  next(iter(E), E)
enumerate(E)  type('T', (), {'__eq__': lambda a, b: E})()  slice(E, E)  type('I', (int,), {'__hash__': None})(E)
type('L', (list,), {'__len__': lambda a: E})()  E == E  E < E  E != E  E in E  E is E  (lambda: E)()  Odd(E)
Odd(E).other  [*E, *E]  {**E}  E < E <= E  pow(E, E, E)  divmod(E, E)  round(E, E)  abs(E)  eval('x')  [E] * E
'ab' * E  (E,) * E  E.append(E)  E.update(E)  E.pop()  E.sort()  E.join(E)  E.split(E)  math.factorial(E)  x.copy()
int('9' * 5000)  list(map(lambda v: E, E))  sum([E, E], E)  any(E)  all(E)  reversed(E)  copy.deepcopy(E)  E.__init__(E)
"""
_STATEMENTS = r"""
for v in E:\n S\n S ;; while E:\n S\n break ;; while E:\n x = E\n S ;; try:\n S\n S\nexcept Exception as v:\n S ;; x = E
try:\n S\nfinally:\n S ;; try:\n S\nexcept BaseException:\n S\nelse:\n S\nfinally:\n S ;; with Odd(E) as v:\n S ;; y = E
x[E] = E ;; x += E ;; x *= E ;; x, y = E ;; x, *y = E ;; del x[E] ;; del x[E:E] ;; x[E:E] = E ;; x.z = E ;; return E
return E ;; return E ;; raise ValueError(E) ;; raise E ;; raise KeyError from Exception(E) ;; assert E, E ;; v = E
if E:\n S\nelse:\n S ;; if E:\n S ;; global cache\ncache = E ;; class K:\n z = E\n def __getattr__(self, n):\n  return E
class K(Odd):\n def __eq__(self, o):\n  S\n  return E ;; class K(type(E)):\n def __len__(self):\n  return E ;; print(E)
def g(*v, **w):\n S\n return E ;; def g(v=E):\n S\n yield E ;; x.append(E) ;; for v in range(E):\n S\n continue ;; E
match E:\n case [v, *y]:\n  S\n case {'a': v}:\n  S\n case _:\n  S ;; for v in x:\n x.append(E)\n S ;; yield E
import sys\nsys.setrecursionlimit(E) ;; import random\nv = random.random() ;; f.z = E ;; cache.append(E) ;; x = [x, x]
try:\n f(E)\nexcept RecursionError:\n S ;; async def g():\n await E ;; x.append(x) ;; import numpy\nx = numpy.array(E)
"""
_PRELUDE = """import copy, math
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
cache = []
"""
_SIGNATURES = ("x=3, v=1, *y", "x=None, v=2, y=0", "*x, v=1, y=2", "x, v=0, y=(), **w", "x, /, v=3, *, y=1")
_DUNDERS = re.findall(
    r"\w+",
    """eq ne lt hash bool len iter next getattr getattribute call str repr format add radd mul getitem setitem
contains del enter exit index int float reduce copy class_getitem init_subclass instancecheck missing length_hint
reversed dir""",
)


def _parsed(texts: list[str], mode: str) -> list[ast.AST]:
    wrapped = "def f():\n{}" if mode == "exec" else "{}"
    trees = []
    for text in filter(None, (text.strip() for text in texts)):
        inner = "\n".join(" " + line for line in text.replace("\\n", "\n").split("\n")) if mode == "exec" else text
        tree = ast.parse(wrapped.format(inner), mode=mode)
        trees.append(tree.body if mode == "eval" else tree.body[0])
    return trees


_LEAF_TREES = _parsed(re.split(r"  |\n", _LEAVES), "eval")
_EXPRESSION_TREES = _parsed(re.split(r"  |\n", _EXPRESSIONS), "eval")
_STATEMENT_TREES = _parsed(re.split(r" ;; |\n(?!\\)", _STATEMENTS), "exec")
_DEEPEST = 5


class _Grow(ast.NodeTransformer):
    """Replaces the holes of a template: each name E by an expression, and each statement S by statements."""

    def __init__(self, rng: random.Random, depth: int) -> None:
        self._rng, self._depth = rng, depth

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return expression(self._rng, self._depth + 1) if node.id == "E" else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        if isinstance(node.value, ast.Name) and node.value.id == "S":
            return statement(self._rng, self._depth + 1)
        return self.generic_visit(node)


def expression(rng: random.Random, depth: int) -> ast.AST:
    """Return a random expression. At greater depth it is smaller on average."""
    if rng.random() < 0.15 + depth / _DEEPEST:
        return copy.deepcopy(rng.choice(_LEAF_TREES))
    return _Grow(rng, depth).visit(copy.deepcopy(rng.choice(_EXPRESSION_TREES)))


def statement(rng: random.Random, depth: int) -> list[ast.stmt]:
    """Return the statements of one random template, or `pass` at the greatest depth."""
    if depth >= _DEEPEST:
        return [ast.Pass()]
    tree = copy.deepcopy(rng.choice(_STATEMENT_TREES))
    return _Grow(rng, depth).visit(tree).body


def statements(rng: random.Random, count: int) -> str:
    """Return the source of the statements of `count` random templates."""
    body = [node for _ in range(count) for node in statement(rng, 1)]
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))


def _caught(rng: random.Random, text: str) -> str:
    """Return the source `text`, mostly in a `try` that catches its exceptions, so that the code after it also runs."""
    inner = "".join(f"\n    {line}" for line in text.split("\n"))
    return f"try:{inner}\nexcept Exception:\n    pass" if rng.random() < 0.7 else text


def program(rng: random.Random) -> str:
    """Return a program that defines a function `f` and a name `Odd`, mostly a class with random special methods."""
    methods = ["    def __init__(self, *x):\n        self.z = x\n"]
    for name in rng.sample(_DUNDERS, rng.randint(0, 4)):
        result = ast.unparse(expression(rng, 2))
        methods.append(f"    def __{name}__(self, x=None, v=0, y=0):\n        return {result}\n")
    odd = f"class Odd{rng.choice(('', '', '(int)', '(dict)', '(str)', '(Exception)'))}:\n{''.join(methods)}"
    body = "\n".join(_caught(rng, statements(rng, 1)) for _ in range(rng.randint(1, 4)))
    body += f"\nreturn {ast.unparse(expression(rng, 0))}"
    lines = "\n".join("    " + line for line in body.split("\n"))
    prelude = _PRELUDE if rng.random() < 0.8 else "cache = []\n"
    tail = statements(rng, 1) + "\n" if rng.random() < 0.2 else ""
    odd = odd if rng.random() < 0.7 else "Odd = list\n"
    return f"{prelude}{odd}\n\ndef f({rng.choice(_SIGNATURES)}):\n{lines}\n{tail}"
