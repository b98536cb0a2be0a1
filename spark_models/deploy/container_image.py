"""The context of an image that serves whatever package is mounted into it: the one that SageMaker runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from spark_models.deploy.image import PORT
from spark_models.errors import InvalidArgumentError, ModelPathExistsError
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import recipe_of
from spark_models.scoring.isolation.wheel import write_wheel

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM {base}
{java}COPY wheels/ /build/wheels/
COPY requirements.txt constraints.txt /build/
RUN python -m venv /opt/spark-models && /opt/spark-models/bin/pip install --no-cache-dir --disable-pip-version-check \\
    -r /build/requirements.txt -c /build/constraints.txt && rm -rf /build
{pythons}RUN useradd --system --uid 10001 --create-home model && mkdir -p /opt/ml/model && chown -R 10001 /opt/ml
USER 10001
ENV PYTHONUNBUFFERED=1 SPARK_MODELS_CACHE=/tmp/spark-models SPARK_MODELS_ENV_MANAGER={manager}{jar}
EXPOSE {port}
STOPSIGNAL SIGTERM
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s \\
    CMD ["/opt/spark-models/bin/python", "-c", \
"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/ping', timeout=4)"]
ENTRYPOINT ["/opt/spark-models/bin/python", "-m", "spark_models.deploy.container"]
CMD ["serve"]
"""


PYTHONS = ("3.10", "3.11", "3.12")
"""The Pythons of packages that the image without a model serves: each needs the one that it was saved with."""

UV = """\
ENV UV_PYTHON_INSTALL_DIR=/opt/python
RUN /opt/spark-models/bin/pip install --no-cache-dir --disable-pip-version-check 'uv>=0.5' && \\
    for version in {versions}; do \\
    command -v python$version || /opt/spark-models/bin/uv python install --no-cache $version || exit 1; done
"""


def write_container_context(
    folder: Path, *, model_uri: str | None = None, base_image: str | None = None, jar: str | None = None
) -> Path:
    """The folder with all that the image is built from; it must not exist, or be empty.

    Without a model the image makes each package's own environment when it starts, of one of `PYTHONS`, which needs a
    package index; with one, that package's requirements are in the image, and it serves packages with the same ones at
    once. `jar` is the fat jar of the Java companion: with it the image serves the mleap flavor too.

    Raises:
        ModelPathExistsError: [PATH_EXISTS] the folder holds something.
        InvalidArgumentError: [INVALID_ARGUMENT] there is no such jar.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ModelPathExistsError(str(folder))
    if jar is not None and not Path(jar).is_file():
        raise InvalidArgumentError(f"There is no jar {jar}", "make jvm builds jvm/server/target/spark-models.jar")
    python, extras = "3.11", ["serve"]
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    if model_uri is not None:
        recipe = recipe_of(open_package(model_uri), "virtualenv")
        python, requirements, constraints = recipe.python, recipe.requirements, recipe.constraints
        extras = [*filter(None, (name.strip() for name in recipe.extras.strip("[]").split(","))), "serve"]
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    wheel = write_wheel(wheels)
    chosen = ",".join(dict.fromkeys(extras))
    own = f"spark-models[{chosen}] @ file:///build/wheels/{wheel.path.name}#sha256={wheel.sha256}"
    (folder / "requirements.txt").write_text("\n".join([*requirements, own]) + "\n")
    (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints))
    java = ""
    if jar is not None:
        shutil.copyfile(jar, folder / "spark-models.jar")
        java = (
            "RUN apt-get update && apt-get install -y --no-install-recommends default-jre-headless && "
            "rm -rf /var/lib/apt/lists/*\nCOPY spark-models.jar /opt/spark-models.jar\n"
        )
    text = DOCKERFILE.format(
        base=base_image or f"python:{python}-slim",
        java=java,
        pythons=UV.format(versions=" ".join(PYTHONS)) if model_uri is None else "",
        manager="virtualenv" if model_uri is None else "local",
        jar="" if jar is None else " SPARK_MODELS_JAR=/opt/spark-models.jar",
        port=PORT,
    )
    (folder / "Dockerfile").write_text(text)
    return folder
