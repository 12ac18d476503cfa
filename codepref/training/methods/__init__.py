"""The table of training methods. Pure."""

from codepref.registry import Registry
from codepref.training.methods.base import Method

METHODS: Registry[Method] = Registry(
    "training method",
    "codepref.methods",
    {
        "dpo": "codepref.training.methods.dpo:DPO",
        "rpo": "codepref.training.methods.dpo:RPO",
        "kto": "codepref.training.methods.kto:KTO",
        "sft": "codepref.training.methods.sft:SFT",
        "rft": "codepref.training.methods.sft:RFT",
        "grpo": "codepref.training.methods.online:GRPO",
        "rloo": "codepref.training.methods.online:RLOO",
    },
)
"""Name in `training.method` -> Method. A new method is one file in this folder and one line here."""
