"""The application of spark-submit: spark-submit … conf/score_job.py conf/job.yaml [--set NAME=VALUE …] [--dry-run]"""

from __future__ import annotations

from spark_models.jobs.application import main

if __name__ == "__main__":
    main()
