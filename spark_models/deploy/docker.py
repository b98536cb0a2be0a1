"""The target `docker`: an image of the package, built and run by docker or podman. The engine is the state."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config
from spark_models.deploy.config import config_help, option, read_config
from spark_models.deploy.engines import build, engine_of, inspected
from spark_models.deploy.image import PORT, write_context
from spark_models.deploy.rows import post, ready
from spark_models.deploy.state import checked_name
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    InvalidArgumentError,
)
from spark_models.package.reader import open_package

LABEL = "spark-models.deployment"
"""The label of images and containers whose value is the deployment's name: so all that was made is found again."""

ABOUT = "spark-models.about"


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """How the image is made and run."""

    port: int = option(8080, "the port on this host")
    host: str = option("127.0.0.1", "the address on this host")
    base_image: str | None = option(None, "the image to build on; else python:VERSION-slim")
    wheelhouse: bool = option(False, "put all wheels into the context: the build needs no network")
    workers: int = option(1, "processes in the container")
    memory: str | None = option(None, "the most memory, such as 1g")
    cpus: str | None = option(None, "the most CPUs, such as 1.5")
    start_timeout: float = option(120.0, "seconds to wait until it answers")
    engine: str | None = option(None, "docker or podman; else what is found first")


KEYS = tuple(field.name for field in fields(DockerConfig))
"""The keys of the configuration."""

HELP = """\
docker: a container on this host, of an image that is built of the package.

URI: docker
What was made is known by its label: docker ps --filter label=spark-models.deployment

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(DockerConfig)


def run_local(name: str, model_uri: str, flavor: str | None = None, config: Config | None = None) -> None:
    """Builds the image and runs it in the foreground until it ends."""
    client = DockerClient("docker")
    chosen = client.checked(name, flavor, config)
    image = client.built(name, model_uri, chosen)
    engine = engine_of(Calls(), chosen=chosen.engine)
    command = [engine, "run", "--rm", "-p", f"{chosen.host}:{chosen.port}:{PORT}", image, *_arguments(chosen)]
    Calls().run(command, resource=f"image {image}", stream=True)


def run_image(name: str, model_uri: str, flavor: str | None = None, config: Config | None = None) -> None:
    """`run_local` for the configuration of another target, whose own keys have no meaning here."""
    run_local(name, model_uri, flavor, {key: value for key, value in (config or {}).items() if key in KEYS})


def _arguments(config: DockerConfig) -> list[str]:
    return ["--workers", str(config.workers)]


class DockerClient(BaseDeploymentClient):
    """Deployments in containers of this host."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self._calls = Calls()

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on the engine's commands are shown, and not run."""
        self._calls = Calls(show)

    def checked(self, name: str, flavor: str | None, config: Config | None) -> DockerConfig:
        """The configuration of a deployment.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the name or the flavor can't be.
            InvalidConfigError: [INVALID_CONFIG] it has unknown or wrong values.
        """
        checked_name(name)
        if flavor not in (None, "python_function"):
            raise InvalidArgumentError(f"The server serves no flavor {flavor!r}", "it serves python_function")
        return read_config(DockerConfig, config, "docker")

    def built(self, name: str, model_uri: str, config: DockerConfig) -> str:
        """The image of a package, built where it is not there.

        Raises:
            ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no engine on this host.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed.
        """
        engine = engine_of(self._calls, chosen=config.engine)
        digest = open_package(model_uri).content_hash()
        image = f"spark-models/{name.lower()}:{digest[:12]}"
        if self._calls.run([engine, "image", "ls", "-q", image], resource=f"image {image}").strip() != "":
            return image
        with tempfile.TemporaryDirectory(prefix="spark-models-image-") as folder:
            context = Path(folder, "context")
            if self._calls.real:
                write_context(model_uri, context, base_image=config.base_image, wheelhouse=config.wheelhouse)
            build(self._calls, engine, context, image, {LABEL: name})
        return image

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new deployment, which answers at its "url".

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is one of the name, of another package or configuration.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed, or the container does not answer.
        """
        chosen = self.checked(name, flavor, config)
        about = _about(str(model_uri), open_package(model_uri).content_hash(), chosen)
        engine = engine_of(self._calls, chosen=chosen.engine)
        found = inspected(self._calls, engine, container_name(name))
        if found is not None and _labels(found).get(ABOUT) != json.dumps(about):
            raise DeploymentExistsError(name, self.target_uri)
        if found is None or not found["State"]["Running"]:
            image = self.built(name, model_uri, chosen)
            self._replace(name, engine, image, about, chosen)
        return self._described(name, about, "running")

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment with its new image; the port is free for the moment in which one container follows another.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the new container does not answer: the old one runs again.
        """
        old = self._about(name)
        chosen = self.checked(name, flavor, {**old["config"], **({} if config is None else config)})
        uri = old["model_uri"] if model_uri is None else model_uri
        engine = engine_of(self._calls, chosen=chosen.engine)
        image = self.built(name, uri, chosen)
        about = _about(str(uri), open_package(uri).content_hash(), chosen)
        self._replace(name, engine, image, about, chosen)
        return self._described(name, about, "running")

    def delete_deployment(self, name: str) -> None:
        """Removes the containers and images that have the deployment's label."""
        checked_name(name)
        engine = engine_of(self._calls)
        mark = f"label={LABEL}={name}"
        containers = self._calls.run(
            [engine, "ps", "-aq", "--filter", mark], resource=f"deployment {name}", instead="CONTAINER"
        ).split()
        if containers != []:
            self._calls.run([engine, "stop", *containers], resource=f"container {container_name(name)}", check=False)
            self._calls.run([engine, "rm", "-f", *containers], resource=f"container {container_name(name)}")
        images = self._calls.run(
            [engine, "images", "-q", "--filter", mark], resource=f"deployment {name}", instead="IMAGE"
        ).split()
        if images != []:
            self._calls.run([engine, "rmi", "-f", *dict.fromkeys(images)], resource=f"images of {name}")

    def list_deployments(self) -> list[dict[str, Any]]:
        """All deployments by name."""
        form = f'{{{{.Label "{LABEL}"}}}}'
        engine = engine_of(self._calls)
        text = self._calls.run(
            [engine, "ps", "-a", "--filter", f"label={LABEL}", "--format", form], resource="deployments"
        )
        return [self.get_deployment(name) for name in sorted(set(text.split()))]

    def get_deployment(self, name: str) -> dict[str, Any]:
        """A deployment.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        found = self._inspected(name)
        return self._described(name, json.loads(_labels(found)[ABOUT]), found["State"]["Status"])

    def predict(self, deployment_name: str, df: Any) -> Any:
        """A deployment's predictions.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        found = self.get_deployment(deployment_name)
        return post(f"{found['url']}/invocations", df, f"container {container_name(deployment_name)}")

    def _inspected(self, name: str) -> dict[str, Any]:
        found = inspected(self._calls, engine_of(self._calls), container_name(checked_name(name)))
        if found is None:
            raise DeploymentNotFoundError(name, self.target_uri)
        return found

    def _about(self, name: str) -> dict[str, Any]:
        about: dict[str, Any] = json.loads(_labels(self._inspected(name))[ABOUT])
        return about

    def _replace(self, name: str, engine: str, image: str, about: Mapping[str, Any], config: DockerConfig) -> None:
        """Runs a container under the deployment's name; the one that has it stands by until the new one answers."""
        container = container_name(name)
        aside = f"{container}-old"
        resource = f"container {container}"
        self._calls.run([engine, "rm", "-f", aside], resource=resource, check=False)
        had = inspected(self._calls, engine, container) is not None
        if had:
            self._calls.run([engine, "stop", container], resource=resource)
            self._calls.run([engine, "rename", container, aside], resource=resource)
        try:
            self._calls.run(_run(engine, container, image, name, about, config), resource=resource)
            self._wait(engine, container, config)
        except DeploymentFailedError:
            if had:
                self._calls.run([engine, "rm", "-f", container], resource=resource, check=False)
                self._calls.run([engine, "rename", aside, container], resource=resource)
                self._calls.run([engine, "start", container], resource=resource)
            raise
        if had:
            self._calls.run([engine, "rm", "-f", aside], resource=resource)

    def _wait(self, engine: str, container: str, config: DockerConfig) -> None:
        url = f"http://{_reached(config.host)}:{config.port}/ping"
        until = time.monotonic() + config.start_timeout
        while self._calls.real and not ready(url):
            found = inspected(self._calls, engine, container)
            if found is None or not found["State"]["Running"] or time.monotonic() > until:
                said = self._calls.run([engine, "logs", "--tail", "10", container], resource=container, check=False)
                lines = tuple(said.splitlines())
                raise DeploymentFailedError(
                    "start the container", f"container {container}", "it does not answer", lines
                )
            time.sleep(0.2)

    def _described(self, name: str, about: Mapping[str, Any], status: str) -> dict[str, Any]:
        config = about["config"]
        return {
            "name": name,
            "flavor": "python_function",
            "model_uri": about["model_uri"],
            "content_hash": about["content_hash"],
            "status": status,
            "url": f"http://{_reached(config['host'])}:{config['port']}",
            "container": container_name(name),
            "config": config,
        }


def _run(
    engine: str, container: str, image: str, name: str, about: Mapping[str, Any], config: DockerConfig
) -> list[str]:
    limits = [] if config.memory is None else ["--memory", config.memory]
    limits += [] if config.cpus is None else ["--cpus", config.cpus]
    labels = ["--label", f"{LABEL}={name}", "--label", f"{ABOUT}={json.dumps(about)}"]
    safe = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]  # noqa: S108 - in the container
    address = f"{config.host}:{config.port}:{PORT}"
    start = [engine, "run", "-d", "--name", container, "--restart", "unless-stopped", "-p", address]
    return [*start, *labels, *limits, *safe, image, *_arguments(config)]


def container_name(name: str) -> str:
    """The name of a deployment's container.

    >>> container_name("churn")
    'spark-models-churn'
    """
    return f"spark-models-{name}"


def _about(model_uri: str, content_hash: str, config: DockerConfig) -> dict[str, Any]:
    return {"model_uri": model_uri, "content_hash": content_hash, "config": asdict(config)}


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = found["Config"].get("Labels") or {}
    return labels


def _reached(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - what is listened on
