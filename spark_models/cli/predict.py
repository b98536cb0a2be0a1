"""`predict`: a file scored batch by batch, its predictions written whole or not at all."""

from __future__ import annotations

import sys
from typing import Any

import click

from spark_models.cli.elsewhere import go_elsewhere
from spark_models.cli.output import open_output
from spark_models.pyfunc.loading import load_model
from spark_models.serve.files import BATCH_ROWS, content_type_of, read_batches


def predict_file(
    *,
    model_uri: str,
    input_path: str,
    output_path: str,
    content_type: str | None,
    json_format: str | None,
    method: str | None,
    batch_rows: int | None,
    allow_code: bool | None,
    expected_hash: str | None,
    no_conda: bool,
    env_manager: str,
) -> None:
    """Scores the rows of `input_path` into `output_path`; the arguments are the command's options.

    Raises:
        SparkModelsError: the model can't be loaded, or the rows don't fit it.
    """
    if env_manager != "local" and not no_conda:
        go_elsewhere(model_uri, env_manager, extra="", allow_code=allow_code, expected_hash=expected_hash)
    model = load_model(model_uri, method=method, allow_code=allow_code, expected_hash=expected_hash)
    batches = read_batches(
        sys.stdin.buffer if input_path == "-" else input_path,
        content_type_of(input_path) if content_type is None else content_type,
        model.metadata.get_input_schema(),
        orient=json_format,
        rows=BATCH_ROWS if batch_rows is None else batch_rows,
        place=model_uri,
    )
    progress = Progress()
    with open_output(output_path) as output:
        for batch in batches:
            rows = rows_of(batch)
            if rows > 0:
                output.write(model.predict_bound(batch), rows)
            progress.add(rows)
        progress.end()


def rows_of(batch: Any) -> int:
    """The rows of a model's input: of a table, an array, or the first array of a dict."""
    return len(next(iter(batch.values()))) if isinstance(batch, dict) else len(batch)


class Progress:
    """The rows that were scored so far, on a terminal's standard error from the second batch on."""

    def __init__(self) -> None:
        self.rows = 0
        self._batches = 0
        self._visible = sys.stderr.isatty()

    def add(self, rows: int) -> None:
        """Counts a batch."""
        self.rows += rows
        self._batches += 1
        if self._visible and self._batches > 1:
            click.echo(f"\r{self.rows:,} rows", nl=False, err=True)

    def end(self) -> None:
        """Ends the line."""
        if self._visible and self._batches > 1:
            click.echo(err=True)
