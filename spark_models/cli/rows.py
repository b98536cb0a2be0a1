"""Rows of a file for a deployment, and its answer as JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spark_models.errors import UnsupportedInputError
from spark_models.serve.answers import answer_value
from spark_models.serve.files import content_type_of
from spark_models.serve.strict_json import dumps


def read_rows(path: str) -> Any:
    """The rows of a CSV, JSON (split, records, or lists by column), JSON lines or Parquet file as a DataFrame.

    Raises:
        UnsupportedInputError: [UNSUPPORTED_INPUT] the JSON is no table.
    """
    import pandas as pd

    kind = content_type_of(path)
    if kind == "csv":
        return pd.read_csv(path)
    if kind == "parquet":
        return pd.read_parquet(path)
    text = Path(path).read_text(encoding="utf-8")
    value = (
        [json.loads(line) for line in text.splitlines() if line.strip() != ""] if kind == "jsonl" else json.loads(text)
    )
    if isinstance(value, dict):
        value = value.get("dataframe_split", value.get("dataframe_records", value))
    if isinstance(value, dict) and {"columns", "data"} <= set(value):
        return pd.DataFrame(value["data"], columns=value["columns"])
    if isinstance(value, (dict, list)):
        return pd.DataFrame(value)
    raise UnsupportedInputError(f"JSON that is {type(value).__name__}", "a table")


def answer_text(value: Any) -> str:
    """A deployment's answer as strict JSON."""
    return dumps(answer_value(value)).decode()
