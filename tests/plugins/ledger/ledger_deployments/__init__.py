"""The target `ledger`: deployments are entries of a JSON file, and predict scores here. It uses public names alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import spark_models
from spark_models.deployments import BaseDeploymentClient
from spark_models.errors import DeploymentExistsError, DeploymentNotFoundError


def target_help() -> str:
    return "ledger: entries of the file that LEDGER names"


def run_local(name: str, model_uri: str, flavor: str | None = None, config: Any = None) -> str:
    return f"{name} would score {model_uri}"


class LedgerClient(BaseDeploymentClient):
    """The entries of one file."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self.path = Path(os.environ["LEDGER"])

    def _entries(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _put(self, entries: dict[str, Any]) -> None:
        self.path.write_text(json.dumps(entries))

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Any = None
    ) -> dict[str, Any]:
        entry = {"name": name, "flavor": flavor or "python_function", "model_uri": model_uri}
        entries = self._entries()
        if entries.get(name, entry) != entry:
            raise DeploymentExistsError(name, self.target_uri)
        self._put({**entries, name: entry})
        return entry

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Any = None
    ) -> dict[str, Any]:
        entry = self.get_deployment(name)
        entry["model_uri"] = model_uri or entry["model_uri"]
        self._put({**self._entries(), name: entry})
        return entry

    def delete_deployment(self, name: str) -> None:
        self._put({other: entry for other, entry in self._entries().items() if other != name})

    def list_deployments(self) -> list[dict[str, Any]]:
        return list(self._entries().values())

    def get_deployment(self, name: str) -> dict[str, Any]:
        if name not in self._entries():
            raise DeploymentNotFoundError(name, self.target_uri)
        return dict(self._entries()[name])

    def predict(self, deployment_name: str, df: Any) -> Any:
        return spark_models.pyfunc.load_model(self.get_deployment(deployment_name)["model_uri"]).predict(df)
