"""The context of an image that serves a package: a Dockerfile, the package, and this toolkit's own wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from spark_models.errors import ImageNotBuiltError, ModelPathExistsError
from spark_models.package.manifest import copy_verified
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import Recipe, recipe_of
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
RUN python -m venv /opt/model && /opt/model/bin/pip install --no-cache-dir --disable-pip-version-check \\
    {offline}-r requirements.txt -c constraints.txt

FROM {base}
COPY --from=build /opt/model /opt/model
COPY model/ /srv/model/
RUN useradd --system --uid 10001 --no-create-home model
USER 10001
ENV PYTHONUNBUFFERED=1 SPARK_MODELS_CACHE=/tmp/spark-models
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \\
    CMD ["/opt/model/bin/python", "-c", \
         "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/ping', timeout=4)"]
ENTRYPOINT ["/opt/model/bin/spark-models", "serve", "-m", "/srv/model", "-h", "0.0.0.0", "-p", "{port}"]
"""


def write_context(model_uri: str, folder: Path, *, base_image: str | None = None, wheelhouse: bool = False) -> Path:
    """The folder with all that an image of the package is built from; it must not exist, or be empty.

    The toolkit is installed from its own wheel in the context, checked by its hash. With `wheelhouse` all other wheels
    are downloaded into the context too, for this host's platform and Python, and the build needs no network.

    Raises:
        ModelPathExistsError: [PATH_EXISTS] the folder holds something.
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the package has no python_function flavor: nothing in Python serves it.
        ImageNotBuiltError: [IMAGE_NOT_BUILT] the wheelhouse can't be filled.
    """
    package = open_package(model_uri)
    _ = package.pyfunc
    if folder.exists() and any(folder.iterdir()):
        raise ModelPathExistsError(str(folder))
    recipe = recipe_of(package, "virtualenv")
    recipe = replace(recipe, extras=_with_serve(recipe.extras))
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    copy_verified(package.root, folder / "model")
    wheel = write_wheel(wheels)
    own = f"spark-models{recipe.extras} @ file:///build/wheels/{wheel.path.name}#sha256={wheel.sha256}"
    (folder / "requirements.txt").write_text("\n".join([*recipe.requirements, own]) + "\n")
    (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in recipe.constraints))
    if wheelhouse:
        _fill(recipe, wheels, wheel.requirement(recipe.extras))
    base = base_image or f"python:{recipe.python}-slim"
    offline = "--no-index --find-links wheels " if wheelhouse else ""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base, offline=offline, port=PORT))
    return folder


def _with_serve(extras: str) -> str:
    names = [name.strip() for name in extras.strip("[]").split(",") if name.strip() != ""]
    return f"[{','.join(dict.fromkeys([*names, 'serve']))}]"


def _fill(recipe: Recipe, wheels: Path, own: str) -> None:
    command = [sys.executable, "-I", "-m", "pip", "wheel", "--disable-pip-version-check", "-q", "-w", str(wheels)]
    constraints = wheels.parent / "constraints.txt"
    done = subprocess.run(
        [*command, "-c", str(constraints), *recipe.requirements, own], capture_output=True, text=True, check=False
    )
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
    done = subprocess.run([engine, "build", "-t", name, str(folder)], check=False)
    if done.returncode != 0:
        advice = f"the context is at {folder}; run it again with: {Path(engine).name} build -t {name} {folder}"
        raise ImageNotBuiltError(f"{Path(engine).name} ended with status {done.returncode}", advice=advice)
    return Path(engine).name
