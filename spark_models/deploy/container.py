"""The entry point of an image that serves whatever package is put at /opt/ml/model, as SageMaker does.

    python -m spark_models.deploy.container serve

The server takes this process' place, so that signals reach it: `/ping` and `/invocations` on port 8080. The variables
that it reads are in `VARIABLES`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spark_models.deploy.image import PORT
from spark_models.errors import InvalidArgumentError, SparkModelsError
from spark_models.package.reader import Package, open_package
from spark_models.scoring.isolation.environments import build, python_of, recipe_of

MODEL = "/opt/ml/model"

FLAVORS = ("python_function", "mleap")
"""The flavors that can be served."""

VARIABLES = {
    "SPARK_MODELS_MODEL": f"the package; {MODEL} by default",
    "SPARK_MODELS_FLAVOR": "python_function or mleap; by default the former where the package has it",
    "SPARK_MODELS_ENV_MANAGER": "virtualenv or uv make the package's own environment first; local takes the image's",
    "SPARK_MODELS_WORKERS": "processes that serve",
    "SPARK_MODELS_JAR": "the fat jar of the Java companion, which serves the mleap flavor",
    "SAGEMAKER_BIND_TO_PORT": f"the port; {PORT} by default",
    "MLFLOW_DEPLOYMENT_FLAVOR_NAME": "as SPARK_MODELS_FLAVOR",
    "MLFLOW_DISABLE_ENV_CREATION": "true is as SPARK_MODELS_ENV_MANAGER=local",
}
"""What the environment of the container says."""


def chosen_flavor(package: Package, flavor: str | None) -> str:
    """The flavor that is deployed: what is asked for, else python_function, else mleap.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it can't be deployed, or the package has neither of the two.
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the package does not have the flavor that is asked for.
    """
    if flavor is not None:
        if flavor not in FLAVORS:
            raise InvalidArgumentError(f"The flavor {flavor!r} can't be deployed", f"choose one of {list(FLAVORS)}")
        package.flavor(flavor)
        return flavor
    found = next((name for name in FLAVORS if name in package.model.flavors), None)
    if found is None:
        raise InvalidArgumentError(
            f"The package has no flavor that can be deployed, only {sorted(package.model.flavors)}",
            f"save it with one of {list(FLAVORS)}",
        )
    return found


def server_command(variables: Mapping[str, str]) -> list[str]:
    """The command of the server that a container with these variables runs.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the flavor can't be served here.
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] the package's environment can't be made.
    """
    package = open_package(variables.get("SPARK_MODELS_MODEL") or MODEL)
    asked = variables.get("SPARK_MODELS_FLAVOR") or variables.get("MLFLOW_DEPLOYMENT_FLAVOR_NAME") or None
    flavor = chosen_flavor(package, asked)
    port = variables.get("SAGEMAKER_BIND_TO_PORT") or str(PORT)
    workers = variables.get("SPARK_MODELS_WORKERS") or variables.get("MODEL_SERVER_WORKERS")
    # The container's network is the caller's to guard, and it is called by whatever name the service has.
    shared = ["-m", str(package.root), "-p", port, "--allow-host", "*"]
    shared += [] if workers is None else ["-w", workers]
    if flavor == "mleap":
        java, jar = shutil.which("java", path=variables.get("PATH")), variables.get("SPARK_MODELS_JAR")
        if java is None or jar is None or not Path(jar).is_file():
            problem = "The mleap flavor needs java and the Java companion's jar, which this image lacks"
            raise InvalidArgumentError(problem, "build it with build-and-push-container --jar spark-models.jar")
        return [java, "-jar", jar, "serve", *shared, "--host", "0.0.0.0"]  # noqa: S104 - in a container
    python = _python(package, variables)
    return [python, "-m", "spark_models", "serve", *shared, "-h", "0.0.0.0", "--max-body", "100MB"]  # noqa: S104 - in a container


def _python(package: Package, variables: Mapping[str, str]) -> str:
    manager = variables.get("SPARK_MODELS_ENV_MANAGER") or "virtualenv"
    if manager == "local" or variables.get("MLFLOW_DISABLE_ENV_CREATION", "").lower() in ("true", "1"):
        return sys.executable
    recipe = recipe_of(package, manager)
    extras = [name.strip() for name in recipe.extras.strip("[]").split(",") if name.strip() != ""]
    recipe = replace(recipe, extras=f"[{','.join(dict.fromkeys([*extras, 'serve']))}]")
    return str(python_of(build(recipe).root))


def main(arguments: list[str]) -> int:
    """Becomes the server, and so does not return; the exit status where it can't."""
    if arguments not in (["serve"], []):
        known = "the only command is serve"
        print(f"This image serves models: {known}, not {' '.join(arguments)!r}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        command = server_command(os.environ)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except SparkModelsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the container's log
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
