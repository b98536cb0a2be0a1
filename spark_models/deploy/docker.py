"""The target `docker`: an image of the package, built and run by docker or podman. The engine is the state."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from spark_models import __version__
from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config
from spark_models.deploy.config import config_help, option, read_config
from spark_models.deploy.engines import build, containers_of, engine_of, engines_of, inspected
from spark_models.deploy.image import PORT, write_context
from spark_models.deploy.marks import digest_of
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


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Builds the image and runs it in the foreground until it ends."""
    client = DockerClient("docker")
    calls = Calls(show)
    if show is not None:
        client.dry_run(show)
    chosen = client.checked(name, flavor, config)
    image = client.built(name, model_uri, chosen)
    engine = engine_of(calls, chosen=chosen.engine)
    command = [engine, "run", "--rm", "-p", f"{chosen.host}:{chosen.port}:{PORT}", image, *_arguments(chosen)]
    calls.run(command, resource=f"image {image}", stream=True)


def run_image(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """`run_local` for the configuration of another target, whose own keys have no meaning here."""
    run_local(name, model_uri, flavor, {key: value for key, value in (config or {}).items() if key in KEYS}, show=show)


def _arguments(config: DockerConfig) -> list[str]:
    return ["--workers", str(config.workers)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment is: its engine, and the names of its containers, of which one may stand by."""

    engine: str
    name: str
    names: tuple[str, ...]

    @property
    def aside(self) -> str:
        """The name of a container that stands by until the new one answers."""
        return f"{container_name(self.name)}-old"

    @property
    def container(self) -> str:
        """The container that is the deployment: the one that stands by where an update was killed before the next."""
        return container_name(self.name) if container_name(self.name) in self.names else self.aside

    def runs(self, calls: Calls) -> bool:
        """Whether the container of the deployment's name runs."""
        if self.container == self.aside:
            return False
        return bool(inspected(calls, self.engine, self.container)["State"]["Running"])


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
        image = f"spark-models/{name.lower()}:{_tag(name, model_uri, config)}"
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
        """The new deployment, which answers at its "url". One that a create has left on its way is waited for.

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is one of the name, of another package or configuration.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed, or the container does not answer.
        """
        chosen = self.checked(name, flavor, config)
        about = _about(str(model_uri), open_package(model_uri).content_hash(), chosen)
        engine = engine_of(self._calls, chosen=chosen.engine)
        place = self._place(name, [engine])
        if place is None:
            # One that does not answer is no reason to do without another.
            others = [other for other in engines_of(self._calls) if other != engine]
            with contextlib.suppress(DeploymentFailedError):
                place = self._place(name, others)
        if place is not None and self._told(place) != about:
            raise DeploymentExistsError(name, self.target_uri)
        if place is not None and place.runs(self._calls):
            self._wait(place.engine, place.container, chosen)
            self._forget_aside(place)
        else:
            image = self.built(name, model_uri, chosen)
            self._replace(Place(engine, name, ()) if place is None else place, image, about, chosen)
        return self._described(name, about, "running")

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment with its new image; the port is free for the moment in which one container follows another.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            InvalidArgumentError: [INVALID_ARGUMENT] it is another engine's.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the new container does not answer: the old one runs again.
        """
        place = self._found(name, assumed=True)
        old = self._told(place)
        chosen = self.checked(name, flavor, {**old["config"], **({} if config is None else config)})
        if chosen.engine not in (None, place.engine):
            raise InvalidArgumentError(
                f"The deployment {name!r} is {place.engine}'s, and the engine can't change", "delete it first"
            )
        if model_uri is None and not self._calls.real:
            about, image = _about(old["model_uri"], old["content_hash"], chosen), f"spark-models/{name.lower()}:HASH"
        else:
            uri = old["model_uri"] if model_uri is None else model_uri
            image = self.built(name, uri, replace(chosen, engine=place.engine))
            about = _about(str(uri), open_package(uri).content_hash(), chosen)
        self._replace(place, image, about, chosen)
        return self._described(name, about, "running")

    def delete_deployment(self, name: str) -> None:
        """Removes the containers and images that have the deployment's label, of every engine on this host.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] an engine failed, and no other has the deployment.
        """
        checked_name(name)
        mark, resource = f"{LABEL}={name}", f"container {container_name(name)}"
        found, failed = False, None
        for engine in engines_of(self._calls):
            try:
                containers = containers_of(self._calls, engine, mark, resource, instead=container_name(name))
            except DeploymentFailedError as error:
                failed = error
                continue
            found = self._delete(engine, name, containers) or found
        if failed is not None and not found:
            raise failed

    def _delete(self, engine: str, name: str, containers: list[str]) -> bool:
        """Removes what an engine has of a deployment, if anything."""
        resource = f"container {container_name(name)}"
        if containers != []:
            self._calls.run([engine, "stop", *containers], resource=resource, check=False)
            self._calls.run([engine, "rm", "-f", *containers], resource=resource)
        images = self._calls.run(
            [engine, "images", "-q", "--filter", f"label={LABEL}={name}"], resource=f"images of {name}", instead="IMAGE"
        ).split()
        if images != []:
            self._calls.run([engine, "rmi", "-f", *dict.fromkeys(images)], resource=f"images of {name}")
        return containers != [] or images != []

    def list_deployments(self) -> list[dict[str, Any]]:
        """All deployments by name."""
        form = f'{{{{.Label "{LABEL}"}}}}'
        names: set[str] = set()
        for engine in engines_of(self._calls):
            command = [engine, "ps", "-a", "--filter", f"label={LABEL}", "--format", form]
            names |= set(self._calls.run(command, resource=f"deployments of {engine}").split())
        return [self.get_deployment(name) for name in sorted(names)]

    def get_deployment(self, name: str) -> dict[str, Any]:
        """A deployment.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] an engine does not answer, so that it is not known.
        """
        place = self._found(name)
        found = inspected(self._calls, place.engine, place.container)
        return self._described(name, json.loads(_labels(found)[ABOUT]), found["State"]["Status"])

    def predict(self, deployment_name: str, df: Any) -> Any:
        """A deployment's predictions.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        found = self.get_deployment(deployment_name)
        resource = f"container {container_name(deployment_name)}"
        return post(f"{found['url']}/invocations", df, resource, here=True)

    def _place(self, name: str, engines: Sequence[str], *, assumed: bool = False) -> Place | None:
        """Where a deployment is; None where no engine has it. In a dry run nowhere, unless that is `assumed`."""
        resource, failed = f"container {container_name(name)}", None
        for engine in engines:
            try:
                names = containers_of(
                    self._calls, engine, f"{LABEL}={name}", resource, container_name(name) if assumed else ""
                )
            except DeploymentFailedError as error:
                failed = error
                continue
            if names != []:
                return Place(engine, name, tuple(names))
        if failed is not None:
            raise failed
        return None

    def _found(self, name: str, *, assumed: bool = False) -> Place:
        place = self._place(checked_name(name), engines_of(self._calls), assumed=assumed)
        if place is None:
            raise DeploymentNotFoundError(name, self.target_uri)
        return place

    def _told(self, place: Place) -> dict[str, Any]:
        """What the deployment was made of, by the container's label."""
        if not self._calls.real:
            return {"model_uri": "MODEL", "content_hash": "HASH", "config": {}}
        labels = _labels(inspected(self._calls, place.engine, place.container))
        about: dict[str, Any] = json.loads(labels[ABOUT])
        return about

    def _replace(self, place: Place, image: str, about: Mapping[str, Any], config: DockerConfig) -> None:
        """Runs a container under the deployment's name; the one that has it stands by until the new one answers."""
        engine, container = place.engine, container_name(place.name)
        resource = f"container {container}"
        had = place.names != ()
        if place.aside in place.names:
            self._recover(place)
        try:
            if had:
                self._calls.run([engine, "stop", container], resource=resource)
                self._calls.run([engine, "rename", container, place.aside], resource=resource)
            self._calls.run(_run(engine, container, image, place.name, about, config), resource=resource)
            self._wait(engine, container, config)
        except BaseException:  # Ctrl-C too: what served before serves again
            if had:
                self._back(engine, place.name)
            raise
        if had:
            self._calls.run([engine, "rm", "-f", place.aside], resource=resource)

    def _recover(self, place: Place) -> None:
        """Puts in order what a killed update has left: the new container where it answers, else the old one."""
        if place.container != place.aside and place.runs(self._calls):
            host, port = (self._told(place)["config"][key] for key in ("host", "port"))
            if ready(f"http://{_reached(host)}:{port}/ping"):
                self._forget_aside(place)
                return
        self._back(place.engine, place.name)

    def _back(self, engine: str, name: str) -> None:
        """Gives its name back to the container that stands by, if one does, and starts what has the name."""
        container, resource = container_name(name), f"container {container_name(name)}"
        there = containers_of(self._calls, engine, f"{LABEL}={name}", resource)
        if f"{container}-old" in there:
            if container in there:
                self._calls.run([engine, "rm", "-f", container], resource=resource, check=False)
            self._calls.run([engine, "rename", f"{container}-old", container], resource=resource)
        self._calls.run([engine, "start", container], resource=resource)

    def _forget_aside(self, place: Place) -> None:
        if place.aside in place.names:
            self._calls.run([place.engine, "rm", "-f", place.aside], resource=f"container {place.aside}")

    def _wait(self, engine: str, container: str, config: DockerConfig) -> None:
        url = f"http://{_reached(config.host)}:{config.port}/ping"
        until = time.monotonic() + config.start_timeout
        while self._calls.real and not ready(url):
            if not inspected(self._calls, engine, container)["State"]["Running"] or time.monotonic() > until:
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


def _tag(name: str, model_uri: str, config: DockerConfig) -> str:
    """The tag of an image: it follows from all that goes into it."""
    digest = open_package(model_uri).content_hash()
    facts = [name, digest, config.base_image, config.wheelhouse, __version__]
    return digest_of(facts, 12)


def _about(model_uri: str, content_hash: str, config: DockerConfig) -> dict[str, Any]:
    return {"model_uri": model_uri, "content_hash": content_hash, "config": asdict(config)}


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = found["Config"].get("Labels") or {}
    return labels


def _reached(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - what is listened on
