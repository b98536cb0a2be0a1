"""The context of an image that serves a package: a Dockerfile, the package, and this toolkit's own wheel or jar."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from spark_models.errors import ImageNotBuiltError, ModelPathExistsError
from spark_models.package.layout import CRATE, MLEAP, PYFUNC, REQUIREMENTS
from spark_models.package.manifest import copy_verified
from spark_models.package.reader import Package, open_package
from spark_models.scoring.isolation.environments import Recipe, clean_variables, recipe_of, with_extra
from spark_models.scoring.isolation.interpreters import find_interpreter, minor_version
from spark_models.scoring.isolation.wheel import write_wheel

ENGINES = ("docker", "podman", "buildah")
"""The programs that build an image from a context, in the order in which they are looked for."""

PORT = 8080

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM {base} AS build
COPY wheels/ /build/wheels/
COPY requirements.txt constraints.txt /build/
WORKDIR /build
RUN python3 -m venv /opt/model && /opt/model/bin/pip install --no-cache-dir --disable-pip-version-check \\
    {offline}-r requirements.txt -c constraints.txt

FROM {base}
COPY --from=build /opt/model /opt/model
{programs}COPY model/ /srv/model/
RUN useradd --uid 10001 --no-create-home model
USER 10001
ENV PYTHONUNBUFFERED=1 SPARK_MODELS_CACHE=/tmp/spark-models
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \\
    CMD ["/opt/model/bin/python", "-c", \
         "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/ping', timeout=4)"]
ENTRYPOINT ["/opt/model/bin/spark-models", "serve", "-m", "/srv/model", "-h", "0.0.0.0", "-p", "{port}"]
"""

R = """\
RUN command -v Rscript || {{ apt-get update && apt-get install -y --no-install-recommends r-base-core \\
    && rm -rf /var/lib/apt/lists/*; }}
""".format()

JVM_DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM {base}
COPY spark-models.jar /opt/spark-models.jar
COPY model/ /srv/model/
RUN useradd --uid 10001 --no-create-home model
USER 10001
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \\
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/{port} \
&& printf 'GET /ping HTTP/1.1\\\\r\\\\nHost: localhost\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n' >&3 \
&& head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["java", "-XX:MaxRAMPercentage=75", "-jar", "/opt/spark-models.jar", \
"serve", "-m", "/srv/model", "--host", "0.0.0.0", "-p", "{port}"]
"""

JAR_VARIABLE = "SPARK_MODELS_JAR"
"""The environment variable that names the Java companion's jar, where it is not the one that a checkout has built."""


def write_context(model_uri: str, folder: Path, *, base_image: str | None = None, wheelhouse: bool = False) -> Path:
    """The folder with all that an image of the package is built from; it must not exist, or be empty.

    A package that Python scores gets this toolkit, installed from its own wheel in the context and checked by its hash;
    with `wheelhouse` all other wheels are downloaded into the context too, for this host's platform and Python, and the
    build needs no network. One with the mleap flavor alone gets the Java companion.

    Raises:
        ModelPathExistsError: [PATH_EXISTS] the folder holds something.
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] nothing here serves the package.
        ImageNotBuiltError: [IMAGE_NOT_BUILT] the wheelhouse can't be filled, or the jar is not at hand.
    """
    package = open_package(model_uri)
    if folder.exists() and any(folder.iterdir()):
        raise ModelPathExistsError(str(folder))
    if MLEAP in package.model.flavors and PYFUNC not in package.model.flavors:
        return _write_jvm_context(package, folder, base_image)
    _ = package.pyfunc
    recipe = _recipe(package)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    copy_verified(package.root, folder / "model")
    wheel = write_wheel(wheels.absolute())
    own = f"spark-models{recipe.extras} @ file:///build/wheels/{wheel.path.name}#sha256={wheel.sha256}"
    (folder / "requirements.txt").write_text("\n".join([*recipe.requirements, own]) + "\n")
    (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in recipe.constraints))
    if wheelhouse:
        _fill(recipe, wheels, wheel.requirement(recipe.extras))
    base = base_image or f"python:{recipe.python}-slim"
    offline = "--no-index --find-links wheels " if wheelhouse else ""
    programs = R if CRATE in package.model.flavors else ""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base, offline=offline, programs=programs, port=PORT))
    return folder


def _recipe(package: Package) -> Recipe:
    """The recipe of the package's environment, with the server; of an R function that states none, the server alone."""
    if PYFUNC not in package.model.flavors and not (package.root / REQUIREMENTS).is_file():
        return Recipe("virtualenv", minor_version(sys.version), (), (), "[serve]", str(package.root))
    recipe = recipe_of(package, "virtualenv")
    return replace(recipe, extras=with_extra(recipe.extras, "serve"))


def _write_jvm_context(package: Package, folder: Path, base_image: str | None) -> Path:
    jar = find_jar()
    if jar is None:
        advice = f"build it in a checkout of spark-models with: make jvm; or name it in {JAR_VARIABLE}"
        raise ImageNotBuiltError("the jar of the Java companion is not at hand", advice=advice)
    folder.mkdir(parents=True, exist_ok=True)
    copy_verified(package.root, folder / "model")
    shutil.copyfile(jar, folder / "spark-models.jar")
    text = JVM_DOCKERFILE.format(base=base_image or "eclipse-temurin:17-jre", port=PORT)
    (folder / "Dockerfile").write_text(text)
    return folder


def find_jar() -> Path | None:
    """The Java companion's jar: the one that `SPARK_MODELS_JAR` names, else that of this checkout; None without."""
    stated = os.environ.get(JAR_VARIABLE)
    found = Path(stated) if stated else Path(__file__).parents[2] / "jvm" / "server" / "target" / "spark-models.jar"
    return found if found.is_file() else None


def _fill(recipe: Recipe, wheels: Path, own: str) -> None:
    """Puts the wheels of all requirements beside the toolkit's: those that pip of the package's Python chooses."""
    interpreter = find_interpreter(recipe.python)
    if interpreter is None:
        advice = f"install python{recipe.python} here, or build without --wheelhouse"
        raise ImageNotBuiltError(f"wheels for Python {recipe.python} can't be chosen: it is not here", advice=advice)
    with tempfile.TemporaryDirectory(prefix="spark-models-wheels-") as folder:
        # An environment of its own: the Python that runs this may have no pip.
        _run([interpreter.executable, "-I", "-m", "venv", folder])
        pip = [str(Path(folder, "bin", "python")), "-I", "-m", "pip", "wheel", "--disable-pip-version-check", "-q"]
        constraints = wheels.parent / "constraints.txt"
        _run([*pip, "-w", str(wheels), "-c", str(constraints), *recipe.requirements, own])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_variables())
    if done.returncode != 0:
        raise ImageNotBuiltError("the wheels of its requirements can't be had", tuple(done.stderr.splitlines()[-10:]))


def build_image(folder: Path, name: str) -> str:
    """The engine that built the image `name` from a context.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no engine here, or it failed; the context stays.
    """
    engine = next((found for found in map(shutil.which, ENGINES) if found is not None), None)
    if engine is None:
        advice = f"the context is complete; where there is an engine, run: docker build -t {name} {folder}"
        raise ImageNotBuiltError(f"none of {', '.join(ENGINES)} is on this host", advice=advice)
    # Without it podman and buildah write an image that has no health check.
    form = [] if Path(engine).name == "docker" else ["--format", "docker"]
    done = subprocess.run([engine, "build", *form, "-t", name, str(folder)], check=False)
    if done.returncode != 0:
        advice = f"the context is at {folder}; run it again with: {Path(engine).name} build -t {name} {folder}"
        raise ImageNotBuiltError(f"{Path(engine).name} ended with status {done.returncode}", advice=advice)
    return Path(engine).name
