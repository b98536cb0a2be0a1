"""The target `local`: a server on this host that outlives the shell, with its state in a directory."""

from __future__ import annotations

from spark_models.deploy.local.target import LocalClient, run_local, target_help

__all__ = ["LocalClient", "run_local", "target_help"]
