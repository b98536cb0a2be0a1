"""`generate-dockerfile`, `build-docker` and `prepare-env`: what they do and say."""

from __future__ import annotations

from pathlib import Path

from spark_models.deploy.image import build_image, write_context
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import build, python_of, recipe_of


def generate(model_uri: str, output: str, base_image: str | None, wheelhouse: bool) -> str:
    """What was done, after the context was written."""
    folder = write_context(model_uri, Path(output), base_image=base_image, wheelhouse=wheelhouse)
    return f"The context is at {folder}; build it with: docker build -t NAME {folder}"


def build_docker(model_uri: str, name: str, output: str | None, base_image: str | None, wheelhouse: bool) -> str:
    """What was done, after the image was built."""
    folder = Path(output or f"{name.rpartition('/')[2].partition(':')[0]}-image")
    write_context(model_uri, folder, base_image=base_image, wheelhouse=wheelhouse)
    engine = build_image(folder, name)
    return f"{engine} built {name}; run it with: {engine} run -p 127.0.0.1:8080:8080 {name}"


def prepare(model_uri: str, env_manager: str) -> str:
    """The interpreter of the package's environment, after it was made."""
    return str(python_of(build(recipe_of(open_package(model_uri), env_manager)).root))
