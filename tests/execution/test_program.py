"""Tests that a test text runs as a main program: main blocks, conditions without an assert, and exits at the end."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("execution")

RIGHT, WRONG = "def f(x):\n    return x + 1\n", "def f(x):\n    return x\n"
EXITS = "import sys\ndef f(x):\n    sys.exit(0)\n"

PROGRAMS = [
    "f(1) == 2",
    "f(1) == 2\nf(2) == 3",
    "f(1) == 2 and f(2) == 3",
    "not f(1) == 1",
    "2 in [f(1)]",
    "all(f(x) == x + 1 for x in (1, 2))",
    "isinstance(f(1), int) and f(1) > 1",
    "print(f(1) == 2)",
    "print('test 1:', f(1) == 2)",
    "print(f(1) == 2 and f(2) == 3)",
    "for x in (1, 2):\n    f(x) == x + 1",
    "for x in (1, 2):\n    print(f(x) == x + 1)",
    "if __name__ == '__main__':\n    assert f(1) == 2",
    "if '__main__' == __name__:\n    f(1) == 2",
    "def main():\n    assert f(1) == 2\nif __name__ == '__main__':\n    main()",
    "import sys\nassert f(1) == 2\nsys.exit(0)",
    "import sys\ndef main():\n    return 0 if f(1) == 2 else 1\nsys.exit(main())",
    "import sys\ndef main():\n    return f(1) - 2\nif __name__ == '__main__':\n    sys.exit(main())",
    "def main():\n    return f(1) != 2\nif __name__ == '__main__':\n    raise SystemExit(main())",
    "import sys\ndef main():\n    assert f(1) == 2\n    sys.exit()\nmain()",
    "import sys\nif f(1) == 2:\n    sys.exit(0)\nelse:\n    sys.exit(1)",
    "import sys\nif f(1) != 2:\n    sys.exit('wrong')",
    "assert f(1) == 2\nexit()",
    "from __future__ import annotations\nassert f(1) == 2\nif __name__ == '__main__':\n    pass",
]


@pytest.mark.parametrize("source", PROGRAMS)
def test_a_test_is_the_main_program(verdict_on, source):
    right = verdict_on(RIGHT, source)
    assert (right.codes, right.isolation) == ("P", "separate"), right.detail
    assert verdict_on(WRONG, source).codes == "F"
    assert verdict_on(EXITS, source).codes == "E"


def test_a_printed_comparison_that_may_expect_false_is_not_asserted(verdict_on):
    assert verdict_on(RIGHT, "print(f(1) > 5)").codes == "P"


def test_an_exit_in_the_middle_ends_the_test_with_its_status(verdict_on):
    source = "import sys\nif f(1) == 2:\n    sys.exit(0)\nsys.exit('wrong')\nprint('never')"
    assert verdict_on(RIGHT, source).codes == "P"
    assert verdict_on(WRONG, source).codes == "F"
    assert verdict_on(EXITS, source).codes == "E"


def test_a_probe_is_not_changed(verdict_on):
    assert verdict_on(WRONG, "f(1)").codes == "P"
