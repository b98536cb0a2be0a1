"""pyspark's daemon, which forks the Python workers, with pandas and Arrow at hand: a new worker starts at once."""

from __future__ import annotations

import pandas  # noqa: F401
import pyarrow  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()
