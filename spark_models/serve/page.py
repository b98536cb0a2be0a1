"""The page to try a model in a browser: one HTML text without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from spark_models.bridge.json import json_value
from spark_models.pyfunc.loading import PyFuncModel
from spark_models.serve.openapi import stored_example


def page(model: PyFuncModel, name: str) -> bytes:
    """The page of a model: its card, a form that holds the stored example, and what it answers."""
    card = json.dumps(json_value(card_of(model, name)))
    # No text of a package may end the script that holds it.
    safe = card.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return template().replace('"CARD"', safe).encode()


def card_of(model: PyFuncModel, name: str) -> dict[str, Any]:
    """What the page shows of a model, as JSON values."""
    metadata = model.metadata
    inputs, outputs = metadata.get_input_schema(), metadata.get_output_schema()
    return {
        "name": name,
        "flavors": sorted(metadata.flavors),
        "run_id": metadata.run_id,
        "created": str(metadata.utc_time_created or ""),
        "inputs": None if inputs is None else inputs.to_dict(),
        "outputs": None if outputs is None else outputs.to_dict(),
        "example": stored_example(model),
    }


@cache
def template() -> str:
    """The page without a model's card."""
    return files("spark_models.serve").joinpath("page.html").read_text(encoding="utf-8")


@cache
def security_policy() -> str:
    """What the page may do: run its own script, and ask its own server."""
    script = template().partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
