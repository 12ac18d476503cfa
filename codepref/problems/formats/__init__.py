"""The table of the formats of problems. Each format of codepref has a reader in a file of this folder.

Another package adds a format with an entry point of group `codepref.formats` that names a `Format`.
"""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.fields import Row
from codepref.problems.formats.base import Format
from codepref.registry import Registry

__all__ = ["FORMATS", "Format", "detect_format"]

OWN = "codepref"
"""Name of codepref's own format. It needs few columns, which other formats may have too, so it is tried last."""

FORMATS: Registry[Format] = Registry(
    "format",
    "codepref.formats",
    {
        "evalplus": "codepref.problems.formats.evalplus:FORMAT",
        "humaneval": "codepref.problems.formats.humaneval:FORMAT",
        "mbpp-plus-script": "codepref.problems.formats.mbpp_plus_script:FORMAT",
        "mbpp": "codepref.problems.formats.mbpp:FORMAT",
        "bigcodebench": "codepref.problems.formats.bigcodebench:COMPLETE",
        "bigcodebench-instruct": "codepref.problems.formats.bigcodebench:INSTRUCT",
        "humaneval-x": "codepref.problems.formats.humaneval_x:FORMAT",
        "humaneval-pro": "codepref.problems.formats.humaneval_pro:FORMAT",
        "classeval": "codepref.problems.formats.classeval:FORMAT",
        "leetcodedataset": "codepref.problems.formats.leetcodedataset:FORMAT",
        "acecode-rlvr": "codepref.problems.formats.acecode:REWARDS",
        "kodcode": "codepref.problems.formats.kodcode:FORMAT",
        "opencodeinstruct": "codepref.problems.formats.opencodeinstruct:FORMAT",
        "acecode": "codepref.problems.formats.acecode:FORMAT",
        "apps": "codepref.problems.formats.apps:FORMAT",
        "apps-verified": "codepref.problems.formats.apps:VERIFIED",
        "code-contests": "codepref.problems.formats.code_contests:FORMAT",
        "livecodebench": "codepref.problems.formats.livecodebench:FORMAT",
        "verl": "codepref.problems.formats.reinforcement:VERL",
        "nemo-gym": "codepref.problems.formats.reinforcement:NEMO_GYM",
        "deepcoder": "codepref.problems.formats.deepcoder:FORMAT",
        "verifiable": "codepref.problems.formats.verifiable:FORMAT",
        "rstar-coder": "codepref.problems.formats.columns_of_tests:RSTAR",
        "cure": "codepref.problems.formats.columns_of_tests:CURE",
        "codeforces": "codepref.problems.formats.codeforces:FORMAT",
        "codeelo": "codepref.problems.formats.codeforces:CODEELO",
        OWN: "codepref.problems.formats.own:FORMAT",
    },
    expects=Format,
)
"""All formats, codepref's and those of other packages.

`detect_format` tries the entries above except the last, then those of other packages, and last codepref's own format.
"""


def detect_format(row: Row, where: str) -> Format:
    """Return the first format that matches `row`, which is usually the first row of a source.

    where: the file and the line, for messages. Raises UserError if no format matches; the message lists the known
    formats. Raises UserError also if no format of codepref other than its own matches, and a format of another package
    cannot be loaded.
    """
    formats: list[Format] = []
    for name in (*(name for name in FORMATS.names() if name != OWN), OWN):
        formats.append(FORMATS.load(name))
        if formats[-1].matches(row):
            return formats[-1]
    # among formats that lack equally few columns, the last one is named, which is often codepref's own
    near = min(reversed(formats), key=lambda known: len(known.missing(row)))
    listing = "; ".join(f"{known.title}: {', '.join(known.needed)}" for known in formats)
    missing = ", ".join(near.missing(row))
    # some formats do not match all rows with their columns
    reason = (
        f"which also needs {missing}" if missing else "which does not accept the row although the row has its columns"
    )
    raise UserError(
        f"{where}: no known problem format has the columns {', '.join(sorted(map(str, row)))}. "
        f"The nearest is {near.title}, {reason}. "
        f"Known formats and the columns that they need: {listing}. "
        "docs/reference/problems.md describes codepref's own format"
    )
