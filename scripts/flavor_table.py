"""Writes the table of flavors into README.md and docs/flavors.md, from what each flavor says of itself.

python scripts/flavor_table.py          # writes the files
python scripts/flavor_table.py --check  # exits 1 where they are not as they would be written
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from spark_models.flavors.base import Capabilities
from spark_models.flavors.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- flavors: scripts/flavor_table.py -->", "<!-- end of flavors -->"
FILES = {"README.md": False, "docs/flavors.md": True}
"""Whether each file gets the long table."""

SHORT = "| flavor | input | safe to load | tested |\n| --- | --- | --- | --- |\n"
LONG = (
    "| flavor | input of the pyfunc form | threads | memory-mapped | formats, the default first; *what loading runs* | "
    "other methods | tested |\n| --- | --- | --- | --- | --- | --- | --- |\n"
)


def capabilities(name: str) -> Capabilities | None:
    """What a flavor says of itself."""
    module = "spark_models.pyfunc.model" if name == "python_function" else f"spark_models.flavors.{name}"
    found = getattr(importlib.import_module(module), "CAPABILITIES", None)
    return found if isinstance(found, Capabilities) else None


def tested(library: str) -> str:
    """The versions of a library in the constraints files, which is what the tests run with."""
    found: set[str] = set()
    for file in ROOT.glob("constraints*.txt"):
        for name in (library, f"{library}-cpu"):
            found.update(re.findall(rf"^{re.escape(name)}==([\d.]+\d)", file.read_text(), re.MULTILINE | re.IGNORECASE))
    versions = sorted(found, key=lambda version: [int(part) for part in version.split(".")])
    return f"{library} {', '.join(versions)}" if versions else library


def formats(found: Capabilities) -> str:
    """Each format, with what loading it runs."""
    return "; ".join(f"{item.name} (*{item.runs}*)" if item.runs else item.name for item in found.formats)


def safety(found: Capabilities) -> str:
    """Whether loading runs no code, or which formats do not."""
    if all(item.runs == "" for item in found.formats):
        return "yes"
    safe = [item.name for item in found.formats if item.runs == ""]
    return f"with {' or '.join(safe)}" if safe else "no"


def table(long: bool) -> str:
    """The table of all built-in flavors."""
    lines = []
    for name in sorted(BUILT_IN):
        found = capabilities(name)
        if found is None:
            continue
        inputs = ", ".join(found.inputs)
        if not long:
            lines.append(f"| {name} | {inputs} | {safety(found)} | {tested(found.library)} |\n")
            continue
        cells = [
            name,
            inputs,
            "any" if found.thread_safe else "one",
            "yes" if found.memory_mapped else "",
            formats(found),
            ", ".join(found.methods),
            tested(found.library),
        ]
        lines.append("| " + " | ".join(cells) + " |\n")
    return (LONG if long else SHORT) + "".join(lines)


def written(text: str, long: bool) -> str:
    """A document with the table anew between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(long)}{END}{after}"


if __name__ == "__main__":
    for name, long in FILES.items():
        file = ROOT / name
        text = file.read_text()
        fresh = written(text, long)
        if "--check" in sys.argv[1:] and fresh != text:
            sys.exit(f"{name} is not up to date: python scripts/flavor_table.py")
        file.write_text(fresh)
