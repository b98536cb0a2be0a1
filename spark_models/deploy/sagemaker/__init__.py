"""The target `sagemaker`, and the functions of the document's commands."""

from __future__ import annotations

from spark_models.deploy.sagemaker.target import SageMakerClient, run_local, target_help

__all__ = ["SageMakerClient", "run_local", "target_help"]
