from __future__ import annotations

import subprocess
import sys

import pytest

FREED = """
import re
import sys
from pathlib import Path

from spark_models.scoring import resident

if sys.argv[1] == "kept":
    resident._keep_freed_memory()
for _ in range(3):
    batch = bytearray(100 << 20)
    del batch
print(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def resident_mb(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", FREED, mode], capture_output=True, text=True, check=True)
    return int(done.stdout) >> 10


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_the_memory_of_a_batch_is_kept_for_the_next() -> None:
    assert resident_mb("kept") - resident_mb("as it is") >= 90
