"""What is no table is refused as such, whatever pandas says of it."""

from __future__ import annotations

from typing import Any

import pytest

from spark_models.bind.enforce import Enforcer
from spark_models.errors import UnsupportedInputError
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec


@pytest.mark.parametrize("data", [[{"x": 1.0}, None], [{}, None], 5, "text", object(), {"x": [1.0], "y": [1.0, 2.0]}])
def test_what_makes_no_table_is_refused(data: Any) -> None:
    with pytest.raises(UnsupportedInputError, match=r"\[UNSUPPORTED_INPUT\]"):
        Enforcer(Schema([ColSpec("double", "x")]))(data)
