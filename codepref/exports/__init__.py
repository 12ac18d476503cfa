"""The table of the trainers for which codepref writes files. The folder has a file for each trainer of codepref.

Another package adds a trainer with an entry point of group `codepref.exports` that names a `Trainer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codepref.errors import UserError
from codepref.registry import Registry

if TYPE_CHECKING:
    from codepref.exports.base import Trainer

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
)
"""All trainers, those of codepref and those of other packages."""


def load_trainer(name: str) -> Trainer:
    """Return the trainer of this name.

    Raises UserError for an unknown name, for a name that several packages register, and for a trainer of another
    package that cannot be imported or is not a Trainer.
    """
    from codepref.exports.base import Trainer

    trainer = TRAINERS.load(name)
    if not isinstance(trainer, Trainer):
        raise UserError(
            f"trainer {name!r} is a {type(trainer).__name__}. Its entry point in the group {TRAINERS.group} must name "
            "a codepref.exports.base.Trainer"
        )
    return trainer
