"""`serve` and `predict` in the package's own environment: this process becomes that environment's Python."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import NoReturn

import click

from spark_models.errors import CodeNotAllowedError
from spark_models.package.audit import code_allowed
from spark_models.package.manifest import check_hash
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import build, clean_variables, python_of, recipe_of, with_extra


def go_elsewhere(
    model_uri: str, env_manager: str, *, extra: str, allow_code: bool | None, expected_hash: str | None
) -> NoReturn:
    """Makes the package's environment with an extra of this toolkit, and runs this very command in it.

    Raises:
        CodeNotAllowedError: [CODE_NOT_ALLOWED] code of packages may not run; installing one may.
        HashMismatchError: [HASH_MISMATCH] the package is not the pinned one.
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] the environment can't be built here.
    """
    package = open_package(model_uri)
    if not code_allowed(allow_code):
        raise CodeNotAllowedError(str(package.root), ("its requirements are installed, which may run their code",))
    if expected_hash is not None:
        check_hash(package.verify(), expected_hash, str(package.root))
    recipe = recipe_of(package, env_manager)
    if extra != "":
        recipe = replace(recipe, extras=with_extra(recipe.extras, extra))
    python = python_of(build(recipe).root)
    click.echo(f"Running in {python.parent.parent}", err=True)
    # Of an option that stands twice the last one counts: there the package is a directory, whatever its URI was.
    arguments = [*sys.argv[1:], "--env-manager", "local", "-m", str(package.root)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(python, [str(python), "-m", "spark_models", *arguments], clean_variables())  # noqa: S606 - no shell
