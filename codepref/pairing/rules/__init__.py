"""The table of pairing rules. The rules of codepref are in the modules of this folder.

Another package adds a rule with an entry point in the group `codepref.rules` that names a `PairingRule`:

    [project.entry-points."codepref.rules"]
    shortest = "my_package.shortest:RULE"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codepref.errors import UserError
from codepref.registry import Registry

if TYPE_CHECKING:
    from codepref.pairing.rules.base import PairingRule

RULES: Registry[PairingRule] = Registry(
    "rule",
    "codepref.rules",
    {
        "all-tests": "codepref.pairing.rules.all_tests:RULE",
        "near-miss": "codepref.pairing.rules.near_miss:RULE",
        "speed": "codepref.pairing.rules.speed:RULE",
        "max-pass": "codepref.pairing.rules.max_pass:RULE",
        "dstc": "codepref.pairing.rules.dstc:RULE",
        "dstc-code": "codepref.pairing.rules.dstc:CODE_RULE",
        "codet": "codepref.pairing.rules.codet:RULE",
        "b4": "codepref.pairing.rules.b4:RULE",
        "agreement": "codepref.pairing.rules.agreement:RULE",
        "rated": "codepref.pairing.rules.rated:RULE",
        "tests-then-rating": "codepref.pairing.rules.rated:TESTS_RULE",
    },
)


def load_rule(name: str) -> PairingRule:
    """Return the rule with this name.

    Raises UserError for an unknown name, for a name that several packages register, for a rule of another package that
    cannot be imported, and for an entry that is not a PairingRule.
    """
    from codepref.pairing.rules.base import PairingRule

    rule = RULES.load(name)
    if not isinstance(rule, PairingRule):
        raise UserError(
            f"rule {name!r} is a {type(rule).__name__}. Its entry point in the group {RULES.group} must name a "
            "codepref.pairing.rules.base.PairingRule"
        )
    return rule


def compares_speed(name: str) -> bool:
    """Return whether the rule compares measured CPU times. For a rule of codepref, no rule is imported.

    Return False for a rule that is not installed here, so that its finished runs can be shown.
    """
    if name in RULES.builtin or RULES.mistake(name):
        return name == "speed"
    return load_rule(name).speed
