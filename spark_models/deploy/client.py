"""What a deployment target is: a client with these methods. Third-party targets subclass it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from spark_models.errors import NotSupportedError

Config = Mapping[str, Any]
"""What a target is told beside the model; from the command line all values are text."""


class BaseDeploymentClient(ABC):
    """The deployments of one target. `target_uri` is as it was given, such as "sagemaker:/us-east-1".

    A plugin is a module with one subclass of this class, a function `run_local(name, model_uri, flavor=None,
    config=None)` and a function `target_help()` that gives text. Its package names the module by an entry point of the
    group "spark_models.deployments"; the entry's name is the target's.
    """

    def __init__(self, target_uri: str) -> None:
        self.target_uri = target_uri

    @abstractmethod
    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new deployment: a dict with "name" and "flavor". It answers when this returns.

        A create that was interrupted may be repeated. One that is there already, of the same package and
        configuration, is given as it is.

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is one of the name, and it is another.
        """

    @abstractmethod
    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment after its model or configuration was changed; what is not given stays.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """

    @abstractmethod
    def delete_deployment(self, name: str) -> None:
        """Removes a deployment and all that was made for it; without one nothing happens."""

    @abstractmethod
    def list_deployments(self) -> list[dict[str, Any]]:
        """All deployments, each a dict with "name"."""

    @abstractmethod
    def get_deployment(self, name: str) -> dict[str, Any]:
        """One deployment, in detail.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """

    @abstractmethod
    def predict(self, deployment_name: str, df: Any) -> Any:
        """A deployment's predictions for a DataFrame: a DataFrame for records, else an array."""

    def explain(self, deployment_name: str, df: Any) -> Any:
        """Explanations of a deployment's predictions.

        Raises:
            NotSupportedError: [NOT_SUPPORTED] the target has none; so it is unless a target overrides this.
        """
        raise NotSupportedError("explain", target_name(self.target_uri))

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on calls are shown, one text each, and not made. No text holds a secret.

        Raises:
            NotSupportedError: [NOT_SUPPORTED] the target can't; so it is unless a target overrides this.
        """
        raise NotSupportedError("--dry-run", target_name(self.target_uri))


def target_name(target_uri: str) -> str:
    """The name of the target in a target URI.

    >>> target_name("sagemaker:/us-east-1"), target_name("local")
    ('sagemaker', 'local')
    """
    return target_uri.partition(":")[0]


def target_rest(target_uri: str) -> str:
    """What follows the name in a target URI, without the slashes that part them.

    >>> target_rest("sagemaker:/us-east-1"), target_rest("local:/srv/state"), target_rest("databricks://work")
    ('us-east-1', 'srv/state', 'work')
    """
    return target_uri.partition(":")[2].lstrip("/")
