"""Writes conf/job.schema.json, the JSON Schema of a job file for editors, from spark_models.jobs.grammar.

python scripts/job_schema.py          # writes the file
python scripts/job_schema.py --check  # exits 1 where the file is not as it would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from spark_models.jobs.grammar import json_schema

FILE = Path(__file__).parents[1] / "conf" / "job.schema.json"

if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if FILE.read_text() != json_schema():
            sys.exit("conf/job.schema.json is not up to date: python scripts/job_schema.py")
    else:
        FILE.write_text(json_schema())
