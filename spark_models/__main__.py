"""`python -m spark_models`: the command line."""

from __future__ import annotations

from spark_models.cli import main

if __name__ == "__main__":
    main()
