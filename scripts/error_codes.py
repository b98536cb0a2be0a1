"""Writes docs/errors.md, the table of every error code, from the classes of spark_models.errors and the Java sources.

python scripts/error_codes.py          # writes the file
python scripts/error_codes.py --check  # exits 1 where the file is not as it would be written
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from spark_models import errors

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "errors.md"

HEAD = """# Errors

Every error that spark-models raises on purpose is a `SparkModelsError` with a stable code, and stands in its text:
`[CODE] what`, then where, then how to mend it. Over REST the text is `message`, and
`error_code` is BAD_REQUEST for each status 400, else the code. Catch one by its class, several by a
base: `InputError` for what is wrong with the input, `OutputError` for what is wrong with the model's output.

This table is generated: `python scripts/error_codes.py`.

| code | class | also a | HTTP | when |
| --- | --- | --- | --- | --- |
"""


JAVA = """
## The Java companion

A `ScoringException` is a `RowException` of one row, an `InputException` of the whole input, or a `ModelException` of
the package or its model. Its codes are those above, where they say the same, and these of its own:

| code | exception | HTTP | when |
| --- | --- | --- | --- |
"""

SHARED = """These of the codes above are the companion's too: """

SERVER = """. Its server refuses requests as the Python server does, under """

RAISED = re.compile(r'(?:new \w+Exception|RowException\.ofField|super)\(\s*"([A-Z_]+)"')
REFUSED = re.compile(r'(?:refused|coded|new HttpError)\(\s*(?:\d+|response\.getStatus\(\)),\s*"([A-Z_]+)"')
KINDS = re.compile(r'RequestError\(\s*"([A-Z_]+)"')
OWN = re.compile(r'/\*\* ([^*]+?) \*/\s*public static final String ([A-Z_]+) = "\2";')
USED = re.compile(r"new (\w+Exception)\(\s*Codes\.([A-Z_]+)")


def table() -> str:
    """The text of docs/errors.md."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    lines = []
    for kind in sorted(classes, key=lambda kind: (kind.code, kind.__name__)):
        builtins = [base.__name__ for base in kind.__mro__[1:] if base.__module__ == "builtins"]
        also = next((name for name in builtins if name not in ("Exception", "BaseException", "object")), "")
        when = (kind.__doc__ or "").splitlines()[0]
        lines.append(f"| `{kind.code}` | `{kind.__name__}` | {also} | {kind.status} | {when} |\n")
    return HEAD + "".join(lines) + java_part({kind.code for kind in classes})


def java_part(known: set[str]) -> str:
    """What the table says of the Java sources, whose codes are in `known` or declared in Codes.java.

    Ends the program where a code is in neither, or one of Codes.java is raised by nobody.
    """
    text = "".join(path.read_text() for path in sorted((ROOT / "jvm").glob("*/src/main/java/**/*.java")))
    declared = {code: " ".join(when.split()) for when, code in OWN.findall(text)}
    raisers = {code: kind for kind, code in USED.findall(text)}
    raised = set(RAISED.findall(text))
    kinds = set(KINDS.findall("".join(path.read_text() for path in (ROOT / "spark_models/serve").glob("**/*.py"))))
    refused = set(REFUSED.findall(text))
    unknown = sorted((raised - known) | (refused - known - kinds))
    if unknown or raisers.keys() != declared.keys():
        sys.exit(
            f"codes of the Java sources that nothing declares: {unknown}; Codes.java: {declared}, raised: {raisers}"
        )
    own = [f"| `{code}` | `{raisers[code]}` | 500 | {when} |\n" for code, when in sorted(declared.items())]
    shared, server = (", ".join(f"`{code}`" for code in sorted(codes)) for codes in (raised, refused))
    return JAVA + "".join(own) + "\n" + textwrap.fill(SHARED + shared + SERVER + server, 120) + ".\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if FILE.read_text() != table():
            sys.exit("docs/errors.md is not up to date: python scripts/error_codes.py")
    else:
        FILE.write_text(table())
