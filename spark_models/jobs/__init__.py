"""Batch jobs: a job file becomes a plan, the plan a run that can be run again, the run a report."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Job": "spark_models.jobs.job",
    "Outcome": "spark_models.jobs.outcome",
    "Plan": "spark_models.jobs.plan",
    "RunResult": "spark_models.jobs.outcome",
    "job_session": "spark_models.jobs.session",
    "plan_job": "spark_models.jobs.plan",
    "read_job": "spark_models.jobs.reading",
    "run_job": "spark_models.jobs.runner",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
