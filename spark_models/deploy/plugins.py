"""Which module is which target: the built-in table, and entry points of installed packages."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, get_origin

from spark_models.deploy.client import BaseDeploymentClient, Config, target_name
from spark_models.errors import InvalidArgumentError, InvalidPluginError, NotSupportedError, UnknownTargetError

GROUPS = ("spark_models.deployments", "mlflow.deployments")
"""The entry point groups of plugins, `name = "module"`, and in which order they are looked at."""

BUILT_IN = {
    "azureml": "spark_models.deploy.azureml",
    "databricks": "spark_models.deploy.databricks",
    "docker": "spark_models.deploy.docker",
    "kubernetes": "spark_models.deploy.kubernetes",
    "local": "spark_models.deploy.local",
    "sagemaker": "spark_models.deploy.sagemaker",
}


def parse_target_uri(target_uri: str) -> str:
    """The name of the target in a target URI.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it has none.

    >>> parse_target_uri("faketarget:/suffix")
    'faketarget'
    """
    name = target_name(target_uri)
    if name == "":
        raise InvalidArgumentError(f"{target_uri!r} is no target URI", "write NAME or NAME:/…, such as local")
    return name


class PluginStore:
    """The targets by name. `registry` holds modules, or what is not imported yet: a module's name, or entry points.

    A built-in name is never replaced, and of two packages that bring one name neither is taken without a word.
    """

    def __init__(self) -> None:
        self.registry: dict[str, ModuleType | str | list[EntryPoint]] = dict(BUILT_IN)
        self._searched = False

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        self._search()
        return tuple(sorted(self.registry))

    def module(self, target_uri: str) -> ModuleType:
        """The module of a target, imported and checked.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the URI names no target.
            UnknownTargetError: [UNKNOWN_TARGET] there is no target of the name.
            InvalidPluginError: [INVALID_PLUGIN] its plugin can't be imported, or is none.
        """
        name = parse_target_uri(target_uri)
        if name not in self.registry:
            self._search()
        if name not in self.registry:
            raise UnknownTargetError(name, self.names())
        module = _imported(name, self.registry[name])
        self.registry[name] = module
        client_class(name, module)
        missing = [part for part in ("run_local", "target_help") if not callable(getattr(module, part, None))]
        if missing != []:
            raise InvalidPluginError(name, f"{module.__name__} has no function {' and no '.join(missing)}")
        return module

    def _search(self) -> None:
        if self._searched:
            return
        self._searched = True
        for group in GROUPS:
            claims: dict[str, list[EntryPoint]] = {}
            for point in entry_points(group=group):
                claims.setdefault(point.name, []).append(point)
            for name, points in claims.items():
                self.registry.setdefault(name, points)


def _imported(name: str, plugin: ModuleType | str | list[EntryPoint]) -> ModuleType:
    if isinstance(plugin, ModuleType):
        return plugin
    if isinstance(plugin, str):
        return importlib.import_module(plugin)
    claims = sorted({point.value for point in plugin})
    if len(claims) > 1:
        raise InvalidPluginError(name, f"two packages bring it: {' and '.join(claims)}")
    try:
        loaded = plugin[0].load()
    except Exception as error:
        raise InvalidPluginError(name, f"it can't be imported: {type(error).__name__}: {error}") from error
    if not isinstance(loaded, ModuleType):
        raise InvalidPluginError(name, "its entry point names no module")
    return loaded


def client_class(name: str, module: ModuleType) -> Any:
    """The one subclass of BaseDeploymentClient in a plugin's module; of MLflow's class where it is written for that.

    Raises:
        InvalidPluginError: [INVALID_PLUGIN] there is none, or more than one.
    """
    found = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if _is_client(kind)}
    if len(found) != 1:
        classes = ", ".join(sorted(kind.__name__ for kind in found))
        count = "no subclass" if classes == "" else f"more than one subclass ({classes})"
        raise InvalidPluginError(name, f"{module.__name__} has {count} of BaseDeploymentClient")
    return found.pop()


def _is_client(kind: type) -> bool:
    if get_origin(kind) is not None:
        return False  # dict[str, str], which Python 3.10 takes for a class
    if issubclass(kind, BaseDeploymentClient):
        return kind is not BaseDeploymentClient
    bases = [(base.__module__, base.__name__) for base in kind.__mro__[1:]]
    return ("mlflow.deployments.base", "BaseDeploymentClient") in bases


plugin_store = PluginStore()
"""The targets of this process."""


def get_deploy_client(target_uri: str) -> BaseDeploymentClient:
    """The client of a target, such as "local", "kubernetes:/manifests" or "sagemaker:/us-east-1".

    Raises:
        UnknownTargetError: [UNKNOWN_TARGET] there is no such target.
        InvalidPluginError: [INVALID_PLUGIN] the target's plugin can't be used.

    >>> get_deploy_client("local").target_uri
    'local'
    """
    module = plugin_store.module(target_uri)
    client: BaseDeploymentClient = client_class(parse_target_uri(target_uri), module)(target_uri)
    return client


def run_local(
    target: str,
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> Any:
    """Runs a model on this host as the target would run it, for a test; what the target gives.

    With `show` each call is given to it as text, and none is made.

    Raises:
        UnknownTargetError: [UNKNOWN_TARGET] there is no such target.
        InvalidPluginError: [INVALID_PLUGIN] the target's plugin can't be used.
        NotSupportedError: [NOT_SUPPORTED] `show` is given, and the target can't only show its calls.
    """
    run = plugin_store.module(target).run_local
    if show is None:
        return run(name, model_uri, flavor, config)
    if not takes(run, "show"):
        raise NotSupportedError("--dry-run", parse_target_uri(target))
    return run(name, model_uri, flavor, config, show=show)


def takes(function: Callable[..., Any], argument: str) -> bool:
    """Whether a plugin's function has an argument: those for further interfaces, or older ones, may lack it.

    >>> takes(get_deploy_client, "target_uri"), takes(get_deploy_client, "config")
    (True, False)
    """
    parameters = inspect.signature(function).parameters
    return argument in parameters or any(part.kind is part.VAR_KEYWORD for part in parameters.values())


def target_help(target: str) -> str:
    """What a target says of its URI and configuration.

    Raises:
        UnknownTargetError: [UNKNOWN_TARGET] there is no such target.
        InvalidPluginError: [INVALID_PLUGIN] the target's plugin can't be used.
    """
    return str(plugin_store.module(target).target_help())
