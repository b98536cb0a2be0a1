"""The commands of `spark-models deployments`: one way to put a model somewhere and look after it there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from spark_models.cli.lazy import ModelCommand

Function = TypeVar("Function", bound=Callable[..., Any])

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


NOTHING_DONE = "A dry run: nothing was done"


def target(function: Function) -> Function:
    """The option `-t/--target`."""
    text = "The target: local, docker, kubernetes, sagemaker, azureml, databricks or a plugin's; NAME or NAME:/…"
    return click.option("-t", "--target", required=True, metavar="URI", help=text)(function)


def name(function: Function) -> Function:
    """The option `--name`."""
    return click.option("--name", required=True, metavar="NAME", help="The name of the deployment.")(function)


def model(required: bool) -> Callable[[Function], Function]:
    """The options that say which model, in which flavor, with which configuration."""

    def options(function: Function) -> Function:
        uri = "A directory, file:, runs:/<run_id>/<path>, or a remote URI."
        flavor = "The flavor to deploy; by default the target chooses."
        pairs = "A key of the target's configuration and its value; may be repeated. `help -t TARGET` lists them."
        function = click.option("-C", "--config", multiple=True, metavar="KEY=VALUE", help=pairs)(function)
        function = click.option("-f", "--flavor", metavar="FLAVOR", help=flavor)(function)
        return click.option("-m", "--model-uri", required=required, metavar="URI", help=uri)(function)

    return options


def as_json(function: Function) -> Function:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON value.")(function)


def dry_run(function: Function) -> Function:
    """The option `--dry-run`."""
    text = "Show every call that would be made, and make none."
    return click.option("--dry-run", is_flag=True, help=text)(function)


def pairs(config: tuple[str, ...]) -> dict[str, str]:
    """The configuration that KEY=VALUE texts say; a value may hold further '='.

    Raises:
        click.BadParameter: a text has no '='.
        InvalidArgumentError: [INVALID_ARGUMENT] a key stands twice.
    """
    from spark_models.errors import InvalidArgumentError, listed

    found: dict[str, str] = {}
    repeated = []
    for text in config:
        key, separator, value = text.partition("=")
        if separator == "" or key == "":
            raise click.BadParameter("write KEY=VALUE", param_hint="'-C' / '--config'")
        if key in found:
            repeated.append(key)
        found[key] = value
    if repeated != []:
        raise InvalidArgumentError(f"Keys of the configuration stand twice: {listed(repeated)}")
    return found


def client_of(target_uri: str, dry: bool = False) -> Any:
    """The client of a target, which in a dry run shows its calls on standard error."""
    from spark_models.deploy.plugins import parse_target_uri
    from spark_models.deployments import get_deploy_client
    from spark_models.errors import NotSupportedError

    client = get_deploy_client(target_uri)
    if dry:
        # A client that is written for MLflow has no such method.
        if not hasattr(client, "dry_run"):
            raise NotSupportedError("--dry-run", parse_target_uri(target_uri))
        client.dry_run(would)
    return client


def would(call: str) -> None:
    """Shows a call of a dry run on standard error."""
    click.echo(f"would: {call}", err=True)


def facts(made: dict[str, Any], dry: bool) -> dict[str, Any]:
    """What a command gives as JSON: what was made, but of a dry run that it was not."""
    return {**made, "status": "not made"} if dry else made


def done(text: str, dry: bool) -> str:
    """What a command says at its end: the text, but of a dry run that nothing was done."""
    return NOTHING_DONE if dry else text


def plain(value: Any) -> str:
    """The value as indented JSON, without secrets."""
    from spark_models.deploy.calls import redacted

    return json.dumps(redacted(value), indent=2, default=str)


@click.group(context_settings=HELP_NAMES)
def deployments() -> None:
    """Put a model somewhere and look after it there.

    \b
    Examples:
      spark-models deployments create -t local --name churn -m models/churn
      spark-models deployments update -t local --name churn -m models/churn-2
      spark-models deployments predict -t local --name churn -I customers.csv
      spark-models deployments delete -t local --name churn
    """


@deployments.command(cls=ModelCommand)
@target
@name
@model(required=True)
@as_json
@dry_run
def create(target: str, name: str, model_uri: str, flavor: str | None, **options: Any) -> None:
    """Deploy a model.

    It answers when the command is back. A create that was interrupted may be repeated; one that is done already, of
    the same model and configuration, stays as it is.

    \b
    Example:
      spark-models deployments create -t local --name churn -m models/churn -C port=5001 -C workers=2
    """
    config = pairs(options["config"])
    made = client_of(target, options["dry_run"]).create_deployment(name, model_uri, flavor, config=config)
    said = f"\n{made['flavor']} deployment {made['name']} is created"
    dry = options["dry_run"]
    click.echo(plain(facts(made, dry)) if options["as_json"] else done(said, dry))


@deployments.command(cls=ModelCommand)
@target
@name
@model(required=False)
@as_json
@dry_run
def update(target: str, name: str, model_uri: str | None, flavor: str | None, **options: Any) -> None:
    """Deploy another model, or another configuration, under the name.

    \b
    Examples:
      spark-models deployments update -t local --name churn -m models/churn-2
      spark-models deployments update -t local --name churn -C workers=4
    """
    config = pairs(options["config"])
    found = client_of(target, options["dry_run"]).update_deployment(name, model_uri, flavor, config=config)
    # A plugin of MLflow's older interface gives nothing back.
    made = {"name": name, "flavor": flavor, **({} if found is None else found)}
    said = f"Deployment {name} is updated (with flavor {made['flavor']})"
    dry = options["dry_run"]
    click.echo(plain(facts(made, dry)) if options["as_json"] else done(said, dry))


@deployments.command(cls=ModelCommand)
@target
@name
@click.option("-C", "--config", multiple=True, metavar="KEY=VALUE", help="What the target needs to find all; see help.")
@as_json
@dry_run
def delete(target: str, name: str, config: tuple[str, ...], as_json: bool, dry_run: bool) -> None:
    """Remove a deployment, and all that was made for it.

    \b
    Examples:
      spark-models deployments delete -t local --name churn
      spark-models deployments delete -t sagemaker:/us-east-1 --name churn -C bucket=mine
    """
    from spark_models.deploy.plugins import parse_target_uri, takes
    from spark_models.errors import InvalidConfigError

    given = pairs(config)
    client = client_of(target, dry_run)
    if given != {} and not takes(client.delete_deployment, "config"):
        raise InvalidConfigError(parse_target_uri(target), ("delete takes none",))
    client.delete_deployment(name, **({} if given == {} else {"config": given}))
    said = done(f"Deployment {name} is deleted", dry_run)
    click.echo(plain({"name": name, "deleted": not dry_run}) if as_json else said)


@deployments.command("list", cls=ModelCommand)
@target
@as_json
def list_(target: str, as_json: bool) -> None:
    """List the names of all deployments.

    \b
    Example:
      spark-models deployments list -t local
    """
    found = client_of(target).list_deployments()
    if as_json:
        click.echo(plain(found))
    else:
        click.echo(f"List of all deployments:\n{[deployment['name'] for deployment in found]}")


@deployments.command(cls=ModelCommand)
@target
@name
@as_json
def get(target: str, name: str, as_json: bool) -> None:
    """Show one deployment in detail.

    \b
    Example:
      spark-models deployments get -t local --name churn --json | jq -r .url
    """
    from spark_models.deploy.calls import redacted

    found = client_of(target).get_deployment(name)
    lines = [f"{key}: {value}" for key, value in redacted(found).items()]
    click.echo(plain(found) if as_json else "\n".join(lines))


def rows(function: Function) -> Function:
    """The options that say where rows are and where answers go."""
    there = "The rows: a CSV, JSON, JSON lines or Parquet file."
    out = "The file for the answer; by default standard output."
    function = click.option("-O", "--output-path", type=click.Path(dir_okay=False), help=out)(function)
    return click.option("-I", "--input-path", required=True, type=click.Path(exists=True, dir_okay=False), help=there)(
        function
    )


def _answer(value: Any, output_path: str | None) -> None:
    from spark_models.cli.rows import answer_text

    text = answer_text(value)
    if output_path is None:
        click.echo(text)
    else:
        with open(output_path, "w", encoding="utf-8") as stream:
            stream.write(f"{text}\n")


@deployments.command(cls=ModelCommand)
@target
@name
@rows
def predict(target: str, name: str, input_path: str, output_path: str | None) -> None:
    """Predict with a deployment; the answer is JSON.

    \b
    Example:
      spark-models deployments predict -t local --name churn -I customers.csv
    """
    from spark_models.cli.rows import read_rows

    _answer(client_of(target).predict(name, read_rows(input_path)), output_path)


@deployments.command(cls=ModelCommand)
@target
@name
@rows
def explain(target: str, name: str, input_path: str, output_path: str | None) -> None:
    """Explain a deployment's predictions, where the target can.

    \b
    Example:
      spark-models deployments explain -t TARGET --name churn -I customers.csv
    """
    from spark_models.cli.rows import read_rows

    _answer(client_of(target).explain(name, read_rows(input_path)), output_path)


@deployments.command(cls=ModelCommand)
@target
@name
@model(required=True)
@dry_run
def run_local(
    target: str, name: str, model_uri: str, flavor: str | None, config: tuple[str, ...], dry_run: bool
) -> None:
    """Run a model on this host as the target would, for a test.

    \b
    Example:
      spark-models deployments run-local -t docker --name churn -m models/churn
    """
    from spark_models.deployments import run_local as run

    run(target, name, model_uri, flavor, pairs(config), **({"show": would} if dry_run else {}))


@deployments.command("help", cls=ModelCommand)
@target
def help_(target: str) -> None:
    """Show what a target says of its URI and configuration.

    \b
    Example:
      spark-models deployments help -t sagemaker
    """
    from spark_models.deploy.plugins import target_help

    click.echo(target_help(target))
