"""Deployments to this host, to containers and clouds, and to targets that other packages bring.

>>> get_deploy_client("local").target_uri
'local'
"""

from __future__ import annotations

from spark_models.deploy.client import BaseDeploymentClient
from spark_models.deploy.plugins import get_deploy_client, run_local

__all__ = ["BaseDeploymentClient", "get_deploy_client", "run_local"]
