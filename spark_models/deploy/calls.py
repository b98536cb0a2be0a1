"""Calls that leave this process: made, or in a dry run only shown. No text of them holds a secret."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from spark_models.errors import DeploymentFailedError
from spark_models.scoring.isolation.environments import masked

T = TypeVar("T")

HIDDEN = "***"

_SECRET = re.compile(
    r"(?i:token|secret|passw|passphrase|pwd|credential|authorization|connection_?string|sas$|(^|[_.-])pass$)"
    r"|(?i:[_.-]keys?$|(api|account|access|shared|private|encryption|signing|master|storage)keys?$)"
    r"|[a-z0-9]Keys?$"
)
"""Names of values that are never shown: a few too many are hidden rather than one too few."""

_NAMES_A_SECRET = re.compile(r"_file$|Ref$")
"""Names of values that say where a secret is, and don't hold it."""


def redacted(value: Any) -> Any:
    """The value as plain JSON values, with `***` for whatever is a secret by its name, and credentials in URLs hidden.

    >>> redacted({"url": "https://me:pw@host/x", "auth_token": "abc", "env": [{"name": "DB_PASSWORD", "value": "x"}]})
    {'url': 'https://***@host/x', 'auth_token': '***', 'env': [{'name': 'DB_PASSWORD', 'value': '***'}]}
    """
    if isinstance(value, Mapping):
        named = _SECRET.search(str(value.get("name") or value.get("Key") or value.get("key") or "")) is not None
        return {
            str(key): HIDDEN
            if item is not None and (_is_secret(key, item) or (named and key in ("value", "Value")))
            else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    if isinstance(value, str):
        return masked(value)
    return value if value is None or isinstance(value, (bool, int, float)) else masked(str(value))


def _is_secret(key: Any, item: Any) -> bool:
    # A flag is none; a number may be a password.
    if isinstance(item, bool):
        return False
    return _SECRET.search(str(key)) is not None and _NAMES_A_SECRET.search(str(key)) is None


@dataclass(slots=True)
class Calls:
    """How calls are made: really, or given to `show` as one text each."""

    show: Callable[[str], None] | None = None

    @property
    def real(self) -> bool:
        """Whether calls are made."""
        return self.show is None

    def do(self, call: str, arguments: Mapping[str, Any], act: Callable[[], T], instead: T) -> T:
        """What `act` gives; in a dry run the call is shown, and `instead` given."""
        if self.show is None:
            return act()
        self.show(f"{call} {json.dumps(redacted(arguments), default=str)}")
        return instead

    def run(
        self,
        command: Sequence[str | Path],
        *,
        resource: str,
        secret: str | None = None,
        check: bool = True,
        instead: str = "",
        stream: bool = False,
    ) -> str:
        """What a program wrote to standard output; `secret` goes to its standard input and is not shown.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] its status is not 0; `resource` is what it was about.
        """
        words = [str(word) for word in command]
        if self.show is not None:
            self.show(masked(shlex.join(words)) + ("" if secret is None else f" < {HIDDEN}"))
            return instead
        step = " ".join(words[:2])
        try:
            done = subprocess.run(words, input=secret, capture_output=not stream, text=True, check=False)
        except OSError as error:
            raise DeploymentFailedError(step, resource, f"{words[0]} can't be run ({error.strerror})") from error
        if check and done.returncode != 0:
            said = tuple(masked(line) for line in (done.stderr or "").splitlines()[-10:])
            if secret is not None:
                said = tuple(line.replace(secret, HIDDEN) for line in said)
            raise DeploymentFailedError(step, resource, f"it ended with status {done.returncode}", said)
        return (done.stdout or "") if done.returncode == 0 else ""
