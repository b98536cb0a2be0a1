"""The container engines of this host: docker or podman runs, and each of them or buildah builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.deploy.image import ENGINES
from spark_models.errors import DeploymentFailedError, ImageNotBuiltError

RUNNERS = ("docker", "podman")


def engine_of(calls: Calls, *, runs: bool = True, chosen: str | None = None) -> str:
    """The name of an engine on this host; in a dry run docker where there is none.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is none.
    """
    names = (chosen,) if chosen is not None else RUNNERS if runs else ENGINES
    found = next((name for name in names if shutil.which(name) is not None), None)
    if found is None and not calls.real:
        return names[0]
    if found is None:
        advice = "install docker or podman here, or deploy where there is one; --dry-run shows the calls"
        raise ImageNotBuiltError(f"none of {', '.join(names)} is on this host", advice=advice)
    return found


def engines_of(calls: Calls) -> list[str]:
    """The names of all engines on this host that run containers; in a dry run docker where there is none.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is none.
    """
    first = engine_of(calls)
    return [first, *(name for name in RUNNERS if name != first and shutil.which(name) is not None)]


def build(calls: Calls, engine: str, folder: Path, image: str, labels: dict[str, str]) -> None:
    """Builds an image from a context.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed.
    """
    marks = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
    calls.run([engine, "build", "-t", image, *marks, folder], resource=f"image {image}")


def containers_of(calls: Calls, engine: str, mark: str, resource: str, instead: str = "") -> list[str]:
    """The names of an engine's containers that have a label, running or not.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine does not answer: it is not known what there is.
    """
    command = [engine, "ps", "-a", "--filter", f"label={mark}", "--format", "{{.Names}}"]
    return calls.run(command, resource=resource, instead=instead).split()


def inspected(calls: Calls, engine: str, container: str) -> dict[str, Any]:
    """What an engine says of a container that is there.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed, or it is not there.
    """
    text = calls.run([engine, "container", "inspect", container], resource=f"container {container}")
    try:
        found: dict[str, Any] = json.loads(text)[0]
    except (ValueError, IndexError) as error:
        raise DeploymentFailedError("inspect", f"container {container}", "the answer is no JSON of it") from error
    return found
