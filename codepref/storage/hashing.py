"""Short stable hashes of content. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_hash(*parts: Any) -> str:
    """Return a short hash of the parts as JSON with sorted keys. A value that JSON cannot hold counts as its `str`.

    Parts with the same JSON have equal hashes in all processes. 1 and 1.0 are equal, but differ as JSON. Raises
    TypeError for a mapping whose keys cannot be sorted or cannot be keys in JSON.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
