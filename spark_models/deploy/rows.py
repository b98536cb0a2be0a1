"""Rows to a deployment and predictions back: a DataFrame as split JSON, an answer as a DataFrame or an array."""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from spark_models.errors import DeploymentFailedError

CONTENT_TYPE = "application/json"


def split_json(df: Any) -> bytes:
    """A DataFrame, or a list of records, as strict JSON in split orientation; missing values are null.

    Times that have a zone are written in UTC, binary values in base64, numbers so that they read back exactly.
    """
    import pandas as pd

    frame = df if isinstance(df, pd.DataFrame) else pd.DataFrame(df)
    columns = [frame.iloc[:, place].astype(object).tolist() for place in range(frame.shape[1])]
    data = [[_plain(value) for value in row] for row in zip(*columns, strict=True)]
    return json.dumps({"columns": [str(name) for name in frame.columns], "data": data}, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(timezone.utc)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def predictions(body: bytes | str, resource: str) -> Any:
    """An answer's predictions: a DataFrame for records, a numpy array for a list, else the value itself.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] the answer is no JSON.
    """
    import numpy as np
    import pandas as pd

    try:
        value = json.loads(body)
    except ValueError as error:
        raise DeploymentFailedError("predict", resource, "the answer is no JSON") from error
    if isinstance(value, dict) and set(value) == {"predictions"}:
        value = value["predictions"]
    if isinstance(value, list) and value != [] and all(isinstance(item, dict) for item in value):
        return pd.DataFrame(value)
    if isinstance(value, list):
        ragged = len({len(item) if isinstance(item, list) else -1 for item in value}) > 1
        return np.array(value, dtype=object) if ragged else np.array(value)
    return value


def post(
    url: str,
    df: Any,
    resource: str,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60,
    *,
    here: bool = False,
) -> Any:
    """The predictions of a server for a DataFrame. One that is `here`, on this host, is asked without a proxy.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] the server can't be reached, or answers with an error.
    """
    sent = {"Content-Type": CONTENT_TYPE, **({} if headers is None else headers)}
    request = urllib.request.Request(url, split_json(df), sent)  # noqa: S310 - the URL is the user's own
    try:
        with _opener(url, here).open(request, timeout=timeout) as answer:
            return predictions(answer.read(), resource)
    except urllib.error.HTTPError as error:
        with error:
            raise DeploymentFailedError(
                "predict", resource, f"it answered {error.code}", _said(error.read())
            ) from error
    except OSError as error:
        raise DeploymentFailedError("predict", resource, f"it can't be reached ({_reason(error)})") from error


def ready(url: str) -> bool:
    """Whether the server of this host at a URL, that of its /ping, answers with 200."""
    try:
        with _opener(url, here=True).open(url, timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def _opener(url: str, here: bool) -> urllib.request.OpenerDirector:
    # http_proxy holds for every host that no_proxy does not name: a proxy would be sent rows and the token, and asks
    # for a server of its own host.
    direct = here or _is_loopback(urlsplit(url).hostname or "")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if direct else []))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _said(body: bytes) -> tuple[str, ...]:
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(str(message).splitlines()[:10])


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)
