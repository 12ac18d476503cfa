"""The table of the trainers for which codepref writes files. Each trainer has a file in this folder.

Another package adds a trainer with an entry point of group `codepref.exports` that names a `Trainer`.
"""

from __future__ import annotations

from codepref.exports.base import Trainer
from codepref.registry import Registry

__all__ = ["TRAINERS", "Trainer"]

TRAINERS: Registry[Trainer] = Registry(
    "trainer",
    "codepref.exports",
    {
        "trl": "codepref.exports.trl:TRAINER",
        "llamafactory": "codepref.exports.llamafactory:TRAINER",
        "axolotl": "codepref.exports.axolotl:TRAINER",
        "openrlhf": "codepref.exports.openrlhf:TRAINER",
        "open-instruct": "codepref.exports.open_instruct:TRAINER",
        "nemo-rl": "codepref.exports.nemo_rl:TRAINER",
        "verl": "codepref.exports.verl:TRAINER",
        "texts": "codepref.exports.texts:TRAINER",
    },
    expects=Trainer,
)
"""All trainers, those of codepref and those of other packages."""
