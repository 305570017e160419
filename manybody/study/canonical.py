"""JSON with one text for one value: what hashes are made of, and what folders describe."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any


def strict_json(value: Any) -> Any:
    """`value` with "inf" for infinities, which JSON has no word for (RFC 8259)."""
    if isinstance(value, dict):
        return {key: strict_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict_json(entry) for entry in value]
    if isinstance(value, float) and math.isinf(value):
        return f"{value:g}"
    return value


def strict_text(value: Any) -> str:
    """Strict JSON with sorted keys."""
    return json.dumps(strict_json(value), sort_keys=True, allow_nan=False)


def hash_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 of canonical JSON; of Python's, whose word for an infinity is Infinity.

    Blocks that were written before carry it.
    """
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
