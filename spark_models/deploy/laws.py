"""What every target must do, as a test that any target can be put to: ours, and those of other packages.

```python
from spark_models.deploy.laws import TargetLaws

TargetLaws("ledger", first="models/a", second="models/b", rows=frame, expected=[[1.0], [2.0]]).hold()
```

`first` and `second` are packages that give `expected[0]` and `expected[1]` for the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spark_models.deploy.client import BaseDeploymentClient, Config
from spark_models.deploy.plugins import get_deploy_client, target_help
from spark_models.errors import SparkModelsError


@dataclass(frozen=True, slots=True)
class TargetLaws:
    """A target, and what it is given. `predicts` is false where no predictions can be had.

    `other` are keys that a configuration may have beside those of `config`: with them it is another deployment. What a
    target's `get_deployment` gives under "config" says whether an update keeps them.
    `error` is what the target raises on purpose: ours, or MLflow's exception for a plugin that is written for it.
    """

    target_uri: str
    first: str
    second: str
    rows: Any = None
    expected: tuple[Any, Any] | list[Any] = ((), ())
    config: Config = field(default_factory=dict)
    predicts: bool = True
    error: type[Exception] = SparkModelsError
    other: Config = field(default_factory=dict)

    def hold(self) -> None:
        """Runs all laws, each on a name of its own; whatever was made is deleted.

        Raises:
            AssertionError: a law does not hold; the text says which.
        """
        _law(target_help(self.target_uri).strip() != "", "target_help says something")
        for law in (self._life, self._again, self._another, self._configured, self._kept, self._absent):
            name = f"laws-{uuid.uuid4().hex[:8]}"
            client = get_deploy_client(self.target_uri)
            try:
                law(client, name)
            finally:
                client.delete_deployment(name)
            _law(name not in _names(client), "nothing is left of what was deleted")

    def _life(self, client: BaseDeploymentClient, name: str) -> None:
        made = client.create_deployment(name, self.first, config=dict(self.config))
        _law(made["name"] == name, "create gives the name")
        _law("flavor" in made, "create gives the flavor")
        _law(name in _names(client), "list has what was created")
        _law(client.get_deployment(name)["name"] == name, "get gives the name")
        # Another process, as of another shell, sees the same.
        _law(name in _names(get_deploy_client(self.target_uri)), "another client lists it too")
        self._predicts(client, name, 0)
        client.update_deployment(name, self.second, config=dict(self.config))
        self._predicts(client, name, 1)
        client.delete_deployment(name)
        _law(name not in _names(client), "list has no more what was deleted")
        client.delete_deployment(name)

    def _predicts(self, client: BaseDeploymentClient, name: str, which: int) -> None:
        if self.predicts:
            found = _listed(client.predict(name, self.rows))
            _law(found == _listed(self.expected[which]), f"the {('first', 'second')[which]} model answers")

    def _again(self, client: BaseDeploymentClient, name: str) -> None:
        client.create_deployment(name, self.first, config=dict(self.config))
        client.create_deployment(name, self.first, config=dict(self.config))
        _law(_names(client).count(name) == 1, "a create that is repeated makes one deployment")
        self._predicts(client, name, 0)

    def _another(self, client: BaseDeploymentClient, name: str) -> None:
        client.create_deployment(name, self.first, config=dict(self.config))
        self._refuses(lambda: client.create_deployment(name, self.second, config=dict(self.config)), name)
        self._predicts(client, name, 0)

    def _configured(self, client: BaseDeploymentClient, name: str) -> None:
        if self.other == {}:
            return
        client.create_deployment(name, self.first, config=dict(self.config))
        others = {**self.config, **self.other}
        self._refuses(lambda: client.create_deployment(name, self.first, config=others), name)

    def _kept(self, client: BaseDeploymentClient, name: str) -> None:
        client.create_deployment(name, self.first, config={**self.config, **self.other})
        before = client.get_deployment(name).get("config")
        client.update_deployment(name, self.second)
        _law(client.get_deployment(name).get("config") == before, "an update keeps what it is not given")
        self._predicts(client, name, 1)

    def _absent(self, client: BaseDeploymentClient, name: str) -> None:
        self._refuses(lambda: client.get_deployment(name), name)
        self._refuses(lambda: client.update_deployment(name, self.first, config=dict(self.config)), name)
        client.delete_deployment(name)

    def _refuses(self, call: Callable[[], Any], name: str) -> None:
        try:
            call()
        except self.error as error:
            _law(name in str(error), "an error names the deployment")
            return
        raise AssertionError("what can't be done is refused")


def _names(client: BaseDeploymentClient) -> list[str]:
    return [deployment["name"] for deployment in client.list_deployments()]


def _listed(value: Any) -> Any:
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    return value.tolist() if hasattr(value, "tolist") else value


def _law(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(f"it does not hold that {law}")
