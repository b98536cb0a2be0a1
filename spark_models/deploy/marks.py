"""What tells a deployment's own from others': a digest of what it was made of, and the tag that it carries."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from spark_models.errors import DeploymentFailedError


def digest_of(facts: Any, length: int) -> str:
    """So many hexadecimal digits that follow from facts, whatever the order of their keys; at most 64.

    >>> digest_of({"a": 1, "b": None}, 12) == digest_of({"b": None, "a": 1}, 12)
    True
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:length]


def not_made_here(resource: str, tag: str, advice: str) -> DeploymentFailedError:
    """The error of a delete whose name is somebody else's: what it names lacks our tag."""
    return DeploymentFailedError("delete", resource, f"it was not made here: it lacks the tag {tag}", advice=advice)
