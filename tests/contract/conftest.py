"""The suite's own modules can be imported by name, from here and from another project that lends them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "spark"))  # standalone.py
