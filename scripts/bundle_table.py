"""Writes the table of docs/bundle.md, of every class of pyspark.ml, from the table of stages in spark_models.bundle.

python scripts/bundle_table.py          # writes the file
python scripts/bundle_table.py --check  # exits 1 where the file is not as it would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from spark_models.bundle.stages import INSIDE, REFUSED, STAGES

FILE = Path(__file__).parents[1] / "docs" / "bundle.md"
BEGIN = "<!-- generated: python scripts/bundle_table.py -->\n"
END = "<!-- end of the generated part -->\n"


def table() -> str:
    """The generated part."""
    lines = [
        f"{len(STAGES) + len(INSIDE)} classes are written, and {len(REFUSED)} are refused.\n\n",
        "| class | MLeap's op | rows with another outcome than in Spark | refused |\n",
        "| --- | --- | --- | --- |\n",
    ]
    for name in sorted([*STAGES, *INSIDE, *REFUSED], key=str.lower):
        if name in STAGES:
            stage = STAGES[name]
            rows = "; ".join(filter(None, [stage.differs, stage.limits]))
            lines.append(f"| `{name}` | `{stage.op}` | {rows} | {stage.refused} |\n")
        elif name in INSIDE:
            lines.append(f"| `{name}` | {INSIDE[name]} | | |\n")
        else:
            lines.append(f"| `{name}` | — | | always: {REFUSED[name]} |\n")
    return "".join(lines)


def text(current: str) -> str:
    """The file with the generated part anew."""
    head, rest = current.split(BEGIN)
    return head + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    found = FILE.read_text()
    if "--check" in sys.argv[1:]:
        if found != text(found):
            sys.exit("docs/bundle.md is not up to date: python scripts/bundle_table.py")
    else:
        FILE.write_text(text(found))
