"""The table of training methods. Each family of methods has one file in this folder. Pure.

Another package adds a method with an entry point in the group `codepref.methods` that names a `Method`:

    [project.entry-points."codepref.methods"]
    my-method = "my_package.my_method:METHOD"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codepref.errors import UserError
from codepref.registry import Registry

if TYPE_CHECKING:
    from codepref.training.methods.base import Method

METHODS: Registry[Method] = Registry(
    "training method",
    "codepref.methods",
    {
        "dpo": "codepref.training.methods.dpo:DPO",
        "rpo": "codepref.training.methods.dpo:RPO",
        "focal-dpo": "codepref.training.methods.focal:FOCAL",
        "cpo": "codepref.training.methods.reference_free:CPO",
        "simpo": "codepref.training.methods.reference_free:SIMPO",
        "orpo": "codepref.training.methods.reference_free:ORPO",
        "kto": "codepref.training.methods.kto:KTO",
        "sft": "codepref.training.methods.sft:SFT",
        "rft": "codepref.training.methods.sft:RFT",
        "grpo": "codepref.training.methods.online:GRPO",
        "rloo": "codepref.training.methods.online:RLOO",
    },
)


def load_method(name: str) -> Method:
    """Return the method of that name.

    Raises UserError for an unknown name, for a name that several packages register, and for a method of another package
    that cannot be imported or is not a Method.
    """
    from codepref.training.methods.base import Method

    method = METHODS.load(name)
    if not isinstance(method, Method):
        raise UserError(
            f"training method {name!r} is of type {type(method).__name__}: its entry point in the group "
            f"{METHODS.group} must name a codepref.training.methods.base.Method"
        )
    return method
