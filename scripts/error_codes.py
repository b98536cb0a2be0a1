"""Writes docs/errors.md, the table of every error code, from the classes of spark_models.errors.

python scripts/error_codes.py          # writes the file
python scripts/error_codes.py --check  # exits 1 where the file is not as it would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from spark_models import errors

FILE = Path(__file__).parents[1] / "docs" / "errors.md"

HEAD = """# Errors

Every error that spark-models raises on purpose is a `SparkModelsError` with a stable code, and stands in its text:
`[CODE] what`, then where, then how to mend it. Over REST the text is `message`, and
`error_code` is BAD_REQUEST for each status 400, else the code. Catch one by its class, several by a
base: `InputError` for what is wrong with the input, `OutputError` for what is wrong with the model's output.

This table is generated: `python scripts/error_codes.py`.

| code | class | also a | HTTP | when |
| --- | --- | --- | --- | --- |
"""


def table() -> str:
    """The text of docs/errors.md."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    lines = []
    for kind in sorted(classes, key=lambda kind: (kind.code, kind.__name__)):
        builtins = [base.__name__ for base in kind.__mro__[1:] if base.__module__ == "builtins"]
        also = next((name for name in builtins if name not in ("Exception", "BaseException", "object")), "")
        when = (kind.__doc__ or "").splitlines()[0]
        lines.append(f"| `{kind.code}` | `{kind.__name__}` | {also} | {kind.status} | {when} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if FILE.read_text() != table():
            sys.exit("docs/errors.md is not up to date: python scripts/error_codes.py")
    else:
        FILE.write_text(table())
