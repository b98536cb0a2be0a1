"""Commands that are imported when they are called, and errors that end in one message and status 1."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

DEBUG_VARIABLE = "SPARK_MODELS_DEBUG"


class LazyGroup(click.Group):
    """A group that knows its commands by name, "module:attribute" and short help, and imports the one that is called.

    `--help` lists them by the table alone: it costs the import of click and no more.
    """

    def __init__(self, *arguments: Any, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """The names of the commands, in the table's order."""
        return [*self.lazy, *(name for name in self.commands if name not in self.lazy)]

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """The command of a name, imported; None where there is none."""
        if cmd_name not in self.lazy:
            return self.commands.get(cmd_name)
        module, attribute = self.lazy[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])


class ModelCommand(click.Command):
    """A command whose errors are a message on standard error and status 1; a traceback only where it is asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if _debug(ctx):
                raise
            click.echo(_message(error), err=True)
            ctx.exit(1)


def _debug(ctx: click.Context) -> bool:
    asked = ctx.find_root().params.get("debug")
    return bool(asked) or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _message(error: Exception) -> str:
    """An error of ours as it stands; any other by its type, with the way to see more."""
    errors = sys.modules.get("spark_models.errors")
    if errors is not None and isinstance(error, errors.SparkModelsError):
        return str(error)
    return f"Error: {type(error).__name__}: {error}\nHint: spark-models --debug … shows where"
