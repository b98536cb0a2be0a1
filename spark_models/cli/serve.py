"""`serve`: the options of the command as those of a server."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import click

from spark_models.cli.elsewhere import go_elsewhere
from spark_models.errors import InvalidArgumentError, MissingExtraError
from spark_models.serve.http.options import ServerOptions, size
from spark_models.serve.http.supervisor import serve
from spark_models.store.uris import local_path

TOKEN_VARIABLE = "SPARK_MODELS_TOKEN"  # noqa: S105 - the name of a variable


def serve_model(
    *,
    model_uri: str,
    max_body: str,
    batching: bool,
    batch_rows: int,
    allow_host: tuple[str, ...],
    cors_origin: tuple[str, ...],
    token_file: str | None,
    no_conda: bool,
    env_manager: str,
    kill_after: float | None,
    timeout: float,
    allow_code: bool | None,
    expected_hash: str | None,
    **options: Any,
) -> int:
    """Serves a model until it is told to end; the arguments are the command's options. The exit status.

    Raises:
        SparkModelsError: there is no such model, or the options don't go together.
    """
    if env_manager != "local" and not no_conda:
        go_elsewhere(model_uri, env_manager, extra="serve", allow_code=allow_code, expected_hash=expected_hash)
    for module in ("uvicorn", "orjson"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, "serve", "Serving a model")
    local_path(model_uri)
    made = ServerOptions(
        model_uri=model_uri,
        max_body=size(max_body),
        batch_rows=batch_rows if batching else 1,
        allowed_hosts=allow_host,
        cors_origins=cors_origin,
        token=_token(token_file),
        timeout=timeout,
        allow_code=allow_code,
        expected_hash=expected_hash,
        kill_after=2 * timeout if kill_after is None else kill_after,
        debug=bool(click.get_current_context().find_root().params.get("debug")),
        **options,
    )
    return serve(made, lambda line: click.echo(line, err=True))


def _token(path: str | None) -> str | None:
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    token = Path(path).read_text().strip()
    if token == "" or not token.isascii() or not token.isprintable():
        raise InvalidArgumentError("The token file holds no token", "write one line of printable ASCII into it")
    return token
